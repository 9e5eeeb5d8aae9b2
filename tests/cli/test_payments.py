"""`kaunta payment …` and `kaunta reconcile`: look, ask Safaricom, decide."""

from uuid import UUID, uuid4

import pytest

from kaunta.core.runtime import Runtime
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.under_way import Pushes
from tests.cli.conftest import PHONE, Kaunta
from tests.support.bars import SeededBar
from tests.support.safaricom import Safaricom

pytestmark = pytest.mark.clock_factor(60)


class Counter:
    """Starts payments at the bar's tab."""

    def __init__(self, rt: Runtime, pushes: Pushes, simulator: Safaricom, bar: SeededBar) -> None:
        self.rt, self.pushes, self.simulator, self.bar = rt, pushes, simulator, bar

    async def begin(self, scenario: str, amount: int = 300) -> UUID:
        """A payment whose push is answered and whose callback finds nobody."""
        self.simulator.simulator.queue_scenario(scenario, phone=PHONE)
        started = await initiate(self.rt, self.pushes, Intent(self.bar.tab.ref, PHONE, amount))
        await started.answered()
        return started.transaction_id

    async def status(self, payment: UUID) -> str:
        found: str = await self.rt.db.fetchval("select status::text from mpesa_transactions where id = $1", payment)
        return found


@pytest.fixture
def counter(rt: Runtime, pushes: Pushes, simulator: Safaricom, bar: SeededBar) -> Counter:
    return Counter(rt, pushes, simulator, bar)


async def test_payments_are_listed_for_people_and_for_programs(installed: Kaunta, counter: Counter) -> None:
    payment = await counter.begin("person")
    said = await installed("payment", "list", "--bar", counter.bar.slug)
    assert said.code == 0
    (line,) = said.out.splitlines()
    assert "sent" in line
    assert "KES 300" in line
    assert "0708 ••• 149" in line
    (row,) = (await installed("payment", "list", "--bar", counter.bar.slug, "--json")).data
    assert (row["id"], row["status"], row["amount"], row["receipt"]) == (str(payment), "sent", 300, None)
    none = await installed("payment", "list", "--bar", counter.bar.slug, "--status", "completed", "--json")
    assert none.data == []


async def test_a_list_of_a_state_that_does_not_exist_is_misuse(installed: Kaunta, bar: SeededBar) -> None:
    said = await installed("payment", "list", "--bar", bar.slug, "--status", "paid", "--json")
    assert said.code == 2
    assert "pending, sent, completed" in said.object["errors"][0]


async def test_a_bar_or_payment_that_does_not_exist_is_not_found(installed: Kaunta, bar: SeededBar) -> None:
    for arguments in (
        ("payment", "list", "--bar", "nowhere"),
        ("payment", "show", str(uuid4())),
        ("payment", "show", "TB-XXXXX", "--bar", bar.slug),
        ("payment", "check", str(uuid4())),
        ("reconcile", "--bar", "nowhere"),
    ):
        said = await installed(*arguments, "--json")
        assert (said.code, len(said.object["errors"])) == (5, 1), arguments
        plain = await installed(*arguments)
        assert (plain.code, plain.out) == (5, "")
        assert plain.err


async def test_a_payment_is_shown_with_its_history_by_id_and_by_reference(installed: Kaunta, counter: Counter) -> None:
    payment = await counter.begin("person")
    shown = (await installed("payment", "show", str(payment), "--json")).data
    texts = [moment["text"] for moment in shown["timeline"]]
    assert texts[0] == "created"
    assert [text.partition(":")[0] for text in texts if "→" in text] == ["pending → sent"]
    assert any(text.startswith("sent stk push: accepted, ") for text in texts)
    again = await installed("payment", "show", shown["reference"], "--bar", counter.bar.slug)
    assert again.code == 0
    assert shown["reference"] in again.out
    # A reference alone belongs to nobody.
    assert (await installed("payment", "show", shown["reference"])).code == 2


async def test_asking_safaricom_settles_a_payment(installed: Kaunta, counter: Counter) -> None:
    payment = await counter.begin("wrong_pin")
    await counter.simulator.settle()
    before = await installed("payment", "check", str(payment), "--dry-run", "--json")
    assert (before.data["before"], before.data["after"], before.data["dry_run"]) == ("sent", "sent", True)
    assert await counter.status(payment) == "sent"
    assert next(iter(counter.simulator.simulator.pushes.values())).queries == 0
    said = await installed("payment", "check", str(payment), "--json")
    assert (said.data["before"], said.data["after"]) == ("sent", "failed")
    assert await counter.status(payment) == "failed"


async def test_what_safaricom_never_named_cannot_be_asked_about(installed: Kaunta, counter: Counter) -> None:
    payment = await counter.begin("ack_and_callback_lost")
    said = await installed("payment", "check", str(payment), "--json")
    assert said.code == 9
    assert "never named" in said.object["errors"][0]


async def test_a_person_decides_and_is_on_record(installed: Kaunta, counter: Counter) -> None:
    payment = await counter.begin("ack_and_callback_lost")
    words = ("--paid", "--reason", "no answer", "--evidence", "SMS on the phone", "--receipt", "sjl4k7xq2m")
    dry = await installed("payment", "resolve", str(payment), *words, "--dry-run", "--json")
    assert (dry.data["status"], dry.data["dry_run"]) == ("pending", True)
    assert await counter.status(payment) == "pending"
    said = await installed("payment", "resolve", str(payment), *words, "--by", "Wanjiku", "--json")
    assert (said.data["status"], said.data["irregularities"]) == ("completed", ["by_hand", "no_receipt"])
    note = await counter.rt.db.fetchrow("select actor, reason, detail from audit_log where action = 'payment.resolved'")
    assert note is not None
    assert note["actor"] == "operator:Wanjiku"
    again = await installed("payment", "resolve", str(payment), *words, "--json")
    assert (again.code, again.object["errors"]) == (9, ["Paid already."])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--reason", "no answer", "--evidence", "the statement"), 2),
        (("--paid", "--reason", "x", "--evidence", "the statement"), 2),
        (("--paid", "--reason", "no answer", "--evidence", " "), 2),
        (("--paid", "--reason", "no answer"), 2),
        (("--paid", "--reason", "no answer", "--evidence", "the SMS", "--receipt", "SHORT"), 2),
        (("--not-paid", "--reason", "no answer", "--evidence", "the SMS", "--receipt", "SJL4K7XQ2M"), 2),
        # Nobody may say so before ten minutes have passed.
        (("--not-paid", "--reason", "no answer", "--evidence", "the till is empty"), 9),
    ],
)
async def test_a_decision_without_what_it_needs_changes_nothing(
    installed: Kaunta, counter: Counter, words: tuple[str, ...], code: int
) -> None:
    payment = await counter.begin("ack_and_callback_lost")
    assert (await installed("payment", "resolve", str(payment), *words)).code == code
    assert await counter.status(payment) == "pending"
    assert await counter.rt.db.fetchval("select count(*) from audit_log where action = 'payment.resolved'") == 0


async def test_reconcile_asks_about_all_and_says_what_is_left(installed: Kaunta, counter: Counter) -> None:
    cancelled = await counter.begin("cancelled")
    await counter.simulator.settle()
    dry = await installed("reconcile", "--dry-run", "--json")
    assert dry.code == 3
    assert (dry.data["asked"], dry.data["left"]) == (0, 1)
    assert await counter.status(cancelled) == "sent"
    said = await installed("reconcile", "--bar", counter.bar.slug, "--json")
    assert (said.code, said.data["settled"], said.data["left"]) == (0, 1, 0)
    assert said.data["payments"] == [{"id": str(cancelled), "before": "sent", "after": "cancelled"}]
    await counter.begin("person", 100)
    open_one = await installed("reconcile")
    assert open_one.code == 3
    assert "1 without an end, 1 left" in open_one.out
