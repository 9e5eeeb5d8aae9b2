"""The checklist put together: the probes are run now, words are read with their age."""

from collections.abc import Mapping
from uuid import UUID

import structlog

from kaunta.bars.readiness import queries
from kaunta.bars.readiness.items import Checklist, Finding, HouseItem, Item, Kind, Probe, Question, Scene, State
from kaunta.bars.readiness.probes import PROBES
from kaunta.bars.readiness.queries import Attested
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, NotFound
from kaunta.core.runtime import Runtime
from kaunta.credentials import queries as credential_queries

log = structlog.get_logger(__name__)

DAY = 86_400.0
LONGEST_NOTE = 500

QUESTIONS = (
    Question(
        "key_backup",
        "The encryption key is kept somewhere else too",
        "Copy KAUNTA_KEYS to a safe place away from this server, and read it back.",
        365,
    ),
    Question(
        "unknown_drill",
        "Staff have practised a payment that nobody knows the end of",
        "Make a test payment of which the callback never comes, and find out together what became of it.",
        180,
    ),
    Question("privacy", "The privacy notice hangs where guests see it", "Print it, hang it up.", 365),
    Question("poster", "The till number hangs where guests see it", "Print it, hang it up.", 365, required=False),
)
OF_THE_HOUSE = (
    HouseItem("certificate", "The certificate is good for 21 days", "Renew it, and look at what renews it."),
    HouseItem("limits", "Limits on prompts are seen to hold", "They hold always; nobody has to switch them on."),
    HouseItem("backup", "The last backup is younger than a day", "Run `kaunta backup create`."),
    HouseItem("restore", "A backup was restored and compared within 30 days", "Run the restore drill of the runbooks."),
    HouseItem("alert_channel", "A test alert reached a person", "Run `kaunta alerts test email`."),
)


async def checklist(rt: Runtime, bar_id: UUID, house: Mapping[str, Finding]) -> Checklist:
    """Everything, looked at now. `house`: what was seen of the installation as a whole, by the names of
    `OF_THE_HOUSE`. Raises `NotFound`."""
    async with rt.db.acquire() as db:
        rows = await credential_queries.stored(db, bar_id)
        row = next((row for row in rows if row.sealed.environment == "production"), None)
        probed = [await looked(Scene(rt, db, bar_id, row), probe) for probe in PROBES]
        words = {word.item: word for word in await queries.attested(db, bar_id)}
    said = [answered(rt, question, words.get(question.name)) for question in QUESTIONS]
    return Checklist((*probed, *said, *(of_the_house(rt, item, house.get(item.name)) for item in OF_THE_HOUSE)))


async def looked(scene: Scene, probe: Probe) -> Item:
    """A probe's item."""
    try:
        finding = await probe.look(scene)
    except NotFound:
        raise
    except Exception as error:  # noqa: BLE001 - a probe that breaks, however it does, has shown nothing
        log.warning("readiness.probe_broke", probe=probe.name, error=type(error).__name__)
        finding = Finding(False, f"It could not be looked at ({type(error).__name__}).")
    state = State.READY if finding.ok else State.NOT_READY
    return Item(
        probe.name, probe.title, probe.required, Kind.PROBE, state, finding.evidence, probe.fix, scene.rt.clock.now()
    )


def answered(rt: Runtime, question: Question, word: Attested | None) -> Item:
    """A question's item: somebody's word stands, was taken back, has grown old, or was never given."""
    state, at, by = State.NOT_READY, None, None
    if word is None:
        evidence = "Nobody has said so yet."
    elif not word.stands:
        evidence, at, by = f"Taken back: {word.note}", word.at, word.account_id
    elif rt.clock.elapsed(word.at) > question.good_for_days * DAY:
        evidence, at, by = f"Said more than {question.good_for_days} days ago: {word.note}", word.at, word.account_id
    else:
        state, evidence, at, by = State.READY, word.note, word.at, word.account_id
    return Item(question.name, question.title, question.required, Kind.WORD, state, evidence, question.fix, at, by)


def of_the_house(rt: Runtime, item: HouseItem, finding: Finding | None) -> Item:
    if finding is None:
        return Item(item.name, item.title, True, Kind.PROBE, State.NOT_READY, "It was not looked at.", item.fix)
    state = State.READY if finding.ok else State.NOT_READY
    return Item(item.name, item.title, True, Kind.PROBE, state, finding.evidence, item.fix, rt.clock.now())


async def attest(rt: Runtime, bar_id: UUID, item: str, note: str, *, stands: bool, by: UUID) -> None:
    """Keep a person's word on an item, or that they take it back. Raises `NotFound`, `BadRequest`."""
    if item not in {question.name for question in QUESTIONS}:
        raise NotFound
    note = note.strip()
    if not 3 <= len(note) <= LONGEST_NOTE or not note.isprintable():
        raise BadRequest(f"Say how you know it, in 3 to {LONGEST_NOTE} characters.", field="note")
    async with transaction(rt.db) as db:
        await queries.insert_attestation(db, bar_id, Attested(item, stands, by, note, rt.clock.now()))
        action = "readiness.attested" if stands else "readiness.taken_back"
        await audit(db, rt.clock, f"staff:{by}", action, "bar", bar_id, bar_id=bar_id, reason=note, item=item)
