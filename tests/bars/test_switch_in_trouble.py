"""A switch that fails: all of it is written or nothing, it is tried again, and then a person is told."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks

from kaunta.bars.mpesa_settings import Wanted, save_settings
from kaunta.bars.mpesa_switch import (
    PROBLEM,
    RETRIES,
    NoCredentials,
    SwitchFailed,
    persistently,
    reconcile_switches,
    sync_mpesa_status,
)
from kaunta.bars.values import Environment
from kaunta.core.db import TRANSIENT_ERRORS, Connection
from kaunta.core.errors import DatabaseAway, KauntaError
from kaunta.core.secret import Secret
from kaunta.payments.under_way import Pushes
from kaunta.simulator.faults import Fault
from tests.support.bars import SeededBar
from tests.support.faults import trouble
from tests.support.safaricom import Safaricom
from tests.support.switch import SHORTCODES, Plot, State, environments, states

#: The pauses between tries, a thousandth of their length.
pytestmark = pytest.mark.clock_factor(1_000)
NOT_SECRETS = (
    "••••••••••••••••", "****************", "<your-key>", "YOUR_SANDBOX_CONSUMER_KEY", "[REDACTED]", "changeme",
    "KILIMANI_CONSUMER_KEY_001", "test_encrypted_value", "undefined", "ab", "tab\tin", "ünïcode-secret", "x" * 1_001,
)  # fmt: skip


def wanted(enabled: bool, environment: Environment, *, news: bool, confirmed: bool = True) -> Wanted:
    """What an owner might send; `news`: with secrets."""
    return Wanted(
        enabled=enabled,
        environment=environment,
        business_shortcode=SHORTCODES[environment] if news else None,
        consumer_key=Secret("a-new-key-0123456789") if news else None,
        consumer_secret=Secret("a-new-secret-0123456789") if news else None,
        passkey=Secret("a-new-passkey-0123456789") if news else None,
        confirm_production=SHORTCODES["production"] if confirmed else None,
    )


@pytest.mark.req("SYNC-P6", "SYNC-4.1", "SYNC-4.2", "SYNC-4.3", "SYNC-5.3", "SYNC-1.4")
@pytest.mark.failure(2)
@pytest.mark.failure(3)
@pytest.mark.failure(10)
@given(
    before=states(consistent=True),
    enabled=st.booleans(),
    environment=environments,
    news=st.booleans(),
    at=st.integers(1, 40),
    how=st.sampled_from(["cut", "deadlock", "refused", "lost"]),
    times=st.sampled_from([1, 2, 1_000]),
)
async def test_whatever_statement_fails_all_is_written_or_nothing(
    plot: Plot,
    pushes: Pushes,
    before: State,
    enabled: bool,
    environment: Environment,
    news: bool,
    at: int,
    how: str,
    times: int,
) -> None:
    async def save() -> Any:
        return await save_settings(
            plot.rt, pushes.daraja, plot.bar_id, wanted(enabled, environment, news=news), by="owner"
        )

    await plot.plant(before)
    untouched = await plot.snapshot()
    try:
        await save()
    except NoCredentials:
        assert await plot.snapshot() == untouched
    done = await plot.snapshot()
    await plot.plant(before)
    errors: dict[str, type[Exception]] = {
        "deadlock": asyncpg.DeadlockDetectedError,
        "refused": asyncpg.CheckViolationError,
    }
    error = errors.get(how, asyncpg.ConnectionDoesNotExistError)
    failure: Exception | None = None
    with trouble(lambda number, _: at <= number < at + times, error=error, lost=how == "lost") as met:
        try:
            saved = await save()
        except Exception as raised:
            failure = raised
    found = await plot.snapshot()
    assert found in (untouched, done)
    if failure is None:
        assert found == done
        assert saved.settings.enabled is done["bar"][1]
    elif not any(text.startswith("COMMIT") for text in met.failed):
        assert found == untouched
    if failure is not None and how == "refused":
        assert isinstance(failure, KauntaError | asyncpg.CheckViolationError)
    assert (await plot.state()).right


@pytest.mark.req("SYNC-P6", "SYNC-4.2", "SYNC-5.3")
@pytest.mark.failure(2)
@pytest.mark.parametrize("error", [asyncpg.CheckViolationError, asyncpg.ConnectionDoesNotExistError])
async def test_at_each_statement_in_turn_a_failure_leaves_everything_or_nothing(
    plot: Plot, pushes: Pushes, error: type[Exception]
) -> None:
    """Not a sample: every statement that saving takes, until there is none left to fail."""
    before = State("sandbox", True, {"sandbox": True, "production": False})
    wish = wanted(True, "production", news=True)
    await plot.plant(before)
    untouched = await plot.snapshot()
    await save_settings(plot.rt, pushes.daraja, plot.bar_id, wish, by="owner")
    done = await plot.snapshot()
    at, failed = 0, True
    while failed:
        at += 1
        await plot.plant(before)
        saved = False
        expected = (KauntaError, *TRANSIENT_ERRORS, asyncpg.CheckViolationError)
        said: Exception | None = None
        with trouble(lambda number, _, at=at: number >= at, error=error) as met:  # type: ignore[misc]
            try:
                await save_settings(plot.rt, pushes.daraja, plot.bar_id, wish, by="owner")
                saved = True
            except expected as refused:
                said = refused
        failed = bool(met.failed)
        assert await plot.snapshot() == (done if saved else untouched), (at, met.failed[:1])
        assert saved is not failed, (at, repr(said))
    assert at > 15


@pytest.mark.req("SYNC-P7", "SYNC-4.4", "PAY-8.3", "PAY-8.4", "PAY-P17")
@pytest.mark.failure(7)
@given(
    before=states(consistent=True),
    enabled=st.booleans(),
    environment=environments,
    field=st.sampled_from(["consumer_key", "consumer_secret", "passkey"]),
    bad=st.sampled_from(NOT_SECRETS) | st.none(),
    daraja=st.sampled_from(["invalid_authentication", "internal_error", "reset"]),
)  # fmt: skip
async def test_credentials_that_are_not_ones_or_that_safaricom_refuses_change_nothing(
    plot: Plot,
    pushes: Pushes,
    simulator: Safaricom,
    before: State,
    enabled: bool,
    environment: Environment,
    field: str,
    bad: str | None,
    daraja: str,
) -> None:
    """`bad` None: well-formed, and Safaricom says no, or nothing."""
    await plot.plant(before)
    untouched = await plot.snapshot()
    wish = wanted(enabled, environment, news=True)
    if bad is None:
        simulator.simulator.faults.add(Fault("oauth", daraja))
    else:
        changes: dict[str, Any] = {field: Secret(bad)}
        wish = replace(wish, **changes)
    with pytest.raises(KauntaError) as refused:
        await save_settings(plot.rt, pushes.daraja, plot.bar_id, wish, by="owner")
    simulator.simulator.faults.clear()
    expected = {"invalid_authentication": 422}.get(daraja, 502) if bad is None else 400
    assert refused.value.status == expected
    if bad is not None:
        assert refused.value.fields["field"] == field
        assert bad not in refused.value.detail or len(bad) < 3
    assert await plot.snapshot() == untouched


@pytest.mark.req("PAY-P17", "PAY-8.3", "PAY-8.5")
@given(
    before=states(consistent=True), enabled=st.booleans(), typed=st.sampled_from([None, "", "174379", "60000", "yes"])
)
async def test_nothing_reaches_production_without_its_shortcode_typed(
    plot: Plot, pushes: Pushes, before: State, enabled: bool, typed: str | None
) -> None:
    before = State("sandbox", State("sandbox", None, before.rows).rightful, before.rows)
    await plot.plant(before)
    untouched = await plot.snapshot()
    wish = Wanted(enabled=enabled, environment="production", confirm_production=typed)
    with pytest.raises(KauntaError) as refused:
        await save_settings(plot.rt, pushes.daraja, plot.bar_id, wish, by="owner")
    expected = "production_confirmation_required" if "production" in before.rows else "no_credentials"
    assert (refused.value.status, refused.value.code) == (409, expected)
    assert await plot.snapshot() == untouched


@pytest.fixture
def pauses() -> Iterator[list[float]]:
    """How long the retries waited, in seconds of policy."""
    waited: list[float] = []

    def note(details: RetryDetails) -> None:
        waited.append(details.wait_for * 1_000)

    before = get_on_retry_hooks()
    set_on_retry_hooks([note])
    yield waited
    set_on_retry_hooks(before)
    assert stamina.is_active()


@pytest.mark.req("SYNC-P8", "SYNC-5.1", "SYNC-5.2", "SYNC-5.3")
@given(
    before=states(consistent=True).filter(lambda state: state.environment in state.rows),
    failures=st.integers(0, RETRIES + 2),
    statement=st.sampled_from(
        ["update bars set mpesa_enabled", "update mpesa_credentials set is_active", "select id, environment", "COMMIT"]
    ),
    error=st.sampled_from(
        [asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError, asyncpg.ConnectionDoesNotExistError]
    ),
)
async def test_a_failure_is_tried_three_times_more_on_the_record_then_put_before_a_person(
    plot: Plot, pauses: list[float], before: State, failures: int, statement: str, error: type[Exception]
) -> None:
    rt, environment = plot.rt, before.environment
    await plot.plant(before)
    pauses.clear()
    noted = await rt.db.fetchval("select count(*) from audit_events where action = 'mpesa.switch_failed'")
    left, written = failures, False

    def fails(_number: int, text: str) -> bool:
        nonlocal left, written
        # A failure's record is a transaction of its own: only the COMMIT after the flag is meant.
        meant = text.startswith(statement) and (written or statement != "COMMIT")
        written = text.startswith("update bars set mpesa_enabled") or (written and not text.startswith("COMMIT"))
        left -= meant
        return meant and left >= 0

    async def turn(db: Connection) -> None:
        await sync_mpesa_status(db, rt.clock, plot.bar_id, not before.rightful, environment=environment, by="owner")

    with trouble(fails, error=error):
        if failures > RETRIES:
            with pytest.raises(DatabaseAway):
                await persistently(rt, plot.bar_id, turn)
        else:
            await persistently(rt, plot.bar_id, turn)
    tries = min(failures, RETRIES + 1)
    assert pauses == pytest.approx([0.2, 0.4, 0.8][: min(failures, RETRIES)])
    now = await rt.db.fetchval("select count(*) from audit_events where action = 'mpesa.switch_failed'")
    assert now - noted == tries
    if failures > RETRIES:
        assert await plot.state() == before
        assert await plot.problems() == [PROBLEM]
        await persistently(rt, plot.bar_id, turn)
    assert await plot.problems() == []
    assert (await plot.state()).flag is not before.rightful


@pytest.mark.req("SYNC-P8", "SYNC-5.1", "SYNC-5.2")
@pytest.mark.failure(4)
async def test_what_no_further_try_can_help_is_put_before_a_person_at_once_and_changes_nothing(plot: Plot) -> None:
    await plot.plant(State("sandbox", True, {"sandbox": True}))
    await plot.rt.db.execute(
        "create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;"
        "create trigger aaa_swallow before update on bars for each row execute function swallow()"
    )

    async def turn(db: Connection) -> None:
        await sync_mpesa_status(db, plot.rt.clock, plot.bar_id, False, environment="sandbox", by="owner")

    with pytest.raises(SwitchFailed) as failed:
        await persistently(plot.rt, plot.bar_id, turn)
    assert failed.value.status == 500
    assert await plot.problems() == [PROBLEM]
    assert await plot.state() == State("sandbox", True, {"sandbox": True})


@pytest.mark.req("SYNC-P8", "SYNC-5.4")
async def test_a_bar_that_cannot_be_repaired_does_not_keep_the_others_waiting(
    unguarded: Plot, other_bar: SeededBar
) -> None:
    other = Plot(unguarded.rt, other_bar.id)
    for plot in (unguarded, other):
        await plot.plant(State("sandbox", False, {"sandbox": True}))
    stuck = min(unguarded.bar_id, other.bar_id)
    await unguarded.rt.db.execute(
        f"""
        create function refuse() returns trigger language plpgsql as
            $$ begin if new.id = '{stuck}' then raise 'no'; end if; return new; end $$;
        create trigger refuse before update on bars for each row execute function refuse()
        """
    )
    assert await reconcile_switches(unguarded.rt) == 1
    for plot in (unguarded, other):
        assert (await plot.state()).right is (plot.bar_id != stuck)
        assert await plot.problems() == ([PROBLEM] if plot.bar_id == stuck else [])
    await unguarded.rt.db.execute("drop trigger refuse on bars")
    assert await reconcile_switches(unguarded.rt) == 1
    assert (await unguarded.problems(), await other.problems()) == ([], [])
