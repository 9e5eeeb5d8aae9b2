"""Testing a bar's connection to Safaricom: step by step, each really done, with what to do where it fails. No money
moves.

It is asked of the credentials of a *named* environment, stored or just given, whatever the bar's environment is; what
becomes of stored ones is kept with their version.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from kaunta.bars import queries, suspension
from kaunta.bars.mpesa_wanted import Wanted, candidate, complete
from kaunta.core import queries as core_queries
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError, context
from kaunta.credentials import queries as credential_queries
from kaunta.credentials import store
from kaunta.credentials.queries import Numbered, SealedCredential
from kaunta.daraja.client import (
    Credential,
    CredentialsGood,
    CredentialsOutcome,
    CredentialsRefused,
    DarajaClient,
    DarajaUnreachable,
)
from kaunta.daraja.requests import CallbackUrlRefused, check_callback_url

#: Daraja's passwords carry our time: beyond this they may be refused.
SKEW_SECONDS = 30.0
#: A worker that has been silent for longer is taken for dead.
HEARTBEAT_SECONDS = 120.0
#: What `DarajaUnreachable` says where no connection came about (core.outbound).
NO_CONNECTION = frozenset({"dns", "refused", "tls", "connect_timeout", "connect", "bad_url"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `essential`: the credentials cannot be used where it fails; any other is a warning. `fix` is empty
    where all is well; `ms`: how long it took."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    essential: bool = True
    ms: int = 0


async def check_connection(rt: Runtime, daraja: DarajaClient, bar_id: UUID, wanted: Wanted, *, by: str) -> list[Step]:
    """Go through the steps, up to the first without which the next make no sense.

    Raises `NotFound`, `CredentialRefused` for given credentials that cannot be right.
    """
    async with rt.db.acquire() as db:
        if await queries.switch(db, bar_id) is None:
            raise NotFound("There is no such bar.")
        present = await credential_queries.current_version(db, bar_id, wanted.environment)
    wanted = wanted.news(present.business_shortcode, present.till_number) if present else wanted
    given = wanted.brings_credentials
    if present is None and not given:
        fix = "Enter shortcode, consumer key, consumer secret and passkey."
        return [Step("stored", False, f"No {wanted.environment} credentials are stored.", fix)]
    try:
        credential = await opened(rt, bar_id, wanted, present, by=by)
    except VaultError as error:
        return [
            Step("stored", True, f"{wanted.environment} credentials are stored."),
            Step("decrypt", False, error.detail, "Enter all three secrets again, or restore the key they need."),
        ]
    known = "given, not stored" if given else f"version {credential.version}"
    steps = [
        Step("stored", True, f"{wanted.environment}, shortcode {credential.business_shortcode}, {known}."),
        round_trip(rt, bar_id, credential),
    ]
    asked_at = rt.clock.now()
    outcome = await daraja.check_credentials(credential)
    answered_at = rt.clock.now()
    steps += asked(rt, outcome, credential.environment, milliseconds(asked_at, answered_at))
    steps.append(clock_step(outcome, answered_at))
    steps.append(callback_step(rt, credential.environment))
    steps.append(await worker_step(rt))
    await note(rt, bar_id, credential, outcome, given=given, by=by)
    return steps


async def opened(rt: Runtime, bar_id: UUID, wanted: Wanted, present: SealedCredential | None, *, by: str) -> Credential:
    """The credentials to ask with: as given and completed, or as stored. Raises `VaultError`, `CredentialRefused`."""
    if wanted.brings_credentials or present is None:
        return candidate(rt, complete(rt, wanted, present))
    try:
        async with transaction(rt.db) as db:
            return await store.taken(db, rt, present, why="a connection test", by=by)
    except VaultError as error:
        async with transaction(rt.db) as db:
            await store.note_unreadable(db, rt, bar_id, error, why="a connection test", by=by)
        raise


def round_trip(rt: Runtime, bar_id: UUID, credential: Credential) -> Step:
    """What this process seals now, it can open: the primary key is whole."""
    aad = context("credential", bar_id.hex, credential.environment, "connection test", credential.version)
    probe = rt.entropy.bytes(32)
    began = rt.clock.now()
    try:
        same = rt.keyring.open(rt.keyring.seal(probe, aad, rt.entropy), aad) == probe
    except VaultError as error:
        return Step("decrypt", False, error.detail, "Mend KAUNTA_KEYS.")
    took = milliseconds(began, rt.clock.now())
    return Step("decrypt", same, "The secrets open, and what is sealed now opens again.", ms=took)


def asked(rt: Runtime, outcome: CredentialsOutcome, environment: str, took: int) -> list[Step]:
    """What asking for a token says of the way there, and of the credentials."""
    host = rt.settings.daraja_url(environment)
    reached = Step("host", True, f"{host} answered.", ms=took)
    match outcome:
        case CredentialsGood():
            return [reached, Step("token", True, "Safaricom gave an access token.", ms=took)]
        case CredentialsRefused():
            detail = f"Safaricom did not accept the consumer key and secret (HTTP {outcome.http_status})."
            fix = f"Check that both come from the same {environment} app."
            return [reached, Step("token", False, detail, fix, ms=took)]
        case DarajaUnreachable():
            unasked = Step("token", False, "Nobody could say whether the credentials are right.", "Try again later.")
            if outcome.reason in NO_CONNECTION:
                detail = f"{host} could not be reached ({outcome.reason})."
                return [Step("host", False, detail, "Check this server's way to the internet.", ms=took), unasked]
            detail = f"{host} is in trouble ({outcome.reason})."
            return [Step("host", False, detail, "Try again in a few minutes.", ms=took), unasked]
        case _:
            assert_never(outcome)


def clock_step(outcome: CredentialsOutcome, answered_at: datetime) -> Step:
    said = None if isinstance(outcome, DarajaUnreachable) else outcome.server_time
    if said is None:
        return Step("clock", True, "Safaricom's answer did not tell the time.", essential=False)
    skew = round(abs((said - answered_at).total_seconds()))
    if skew > SKEW_SECONDS:
        fix = "Set this server's clock by NTP: Safaricom may refuse what is signed with another time."
        return Step("clock", False, f"This server's clock differs by {skew:,} s.", fix, essential=False)
    return Step("clock", True, f"This server's clock differs by {skew} s at most.", essential=False)


def callback_step(rt: Runtime, environment: str) -> Step:
    """Production's rules where Safaricom itself is asked: a stand-in on this machine calls back to this machine."""
    rules = "sandbox" if rt.settings.speaks_to_simulator(environment) else environment
    try:
        check_callback_url(f"{rt.settings.public_url}/cb/", rules)
    except CallbackUrlRefused as refused:
        fix = "Set KAUNTA_PUBLIC_URL to a public https address without a word that Safaricom forbids."
        return Step("callback_url", False, f"Safaricom would not call back: {refused.reason}.", fix)
    return Step("callback_url", True, f"Safaricom is asked to call back at {rt.settings.public_url}/cb/….")


async def worker_step(rt: Runtime) -> Step:
    began = rt.clock.now()
    async with rt.db.acquire() as db:
        seen = await core_queries.newest_heartbeat(db)
    took = milliseconds(began, rt.clock.now())
    fix = "Start `kaunta worker`, or `kaunta serve` without --no-worker."
    if seen is None:
        return Step("worker", False, "No worker has ever run.", fix, essential=False, ms=took)
    silent = rt.clock.elapsed(seen)
    if silent > HEARTBEAT_SECONDS:
        detail = f"No worker has been seen for {round(silent):,} s."
        return Step("worker", False, detail, fix, essential=False, ms=took)
    return Step("worker", True, "A worker is alive.", essential=False, ms=took)


async def note(
    rt: Runtime, bar_id: UUID, credential: Credential, outcome: CredentialsOutcome, *, given: bool, by: str
) -> None:
    """Keep what a test of stored credentials came to, unless they were replaced while Safaricom was asked; that nobody
    answered says nothing of them. Every test is on the record."""
    match outcome:
        case CredentialsGood():
            status = "success"
        case CredentialsRefused():
            status = "failed"
        case DarajaUnreachable():
            status = "unreachable"
        case _:
            assert_never(outcome)
    async with transaction(rt.db) as db:
        await queries.lock_bar(db, bar_id)
        kept = False
        if not given and status != "unreachable":
            tested = Numbered(credential.id, credential.version)
            kept = await credential_queries.record_test(db, tested, status, rt.clock.now())
        await audit(
            db, rt.clock, by, "credentials.tested", "bar" if given else "credentials",
            bar_id if given else credential.id, bar_id=bar_id, outcome=status, environment=credential.environment,
            version=credential.version, given=given,
        )  # fmt: skip
        switch = await queries.switch(db, bar_id)
        if kept and status == "success" and switch is not None and switch.environment == credential.environment:
            await suspension.mended(db, rt.clock, bar_id, by=by, reason="the connection test passed")


def milliseconds(began: datetime, ended: datetime) -> int:
    return round((ended - began).total_seconds() * 1_000)
