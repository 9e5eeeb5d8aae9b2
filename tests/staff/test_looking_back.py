"""Shift, alerts, health and audit: each says what the tables hold, to whom it may, and nothing of another bar's."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest
from pydantic import SecretStr

from kaunta.audit.reading import NEWEST, Place, Wanted, page, stream
from kaunta.audit.watching import watch
from kaunta.core.audit import audit
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.entropy import Entropy
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.payments.health import health
from kaunta.payments.history import business_day
from kaunta.staff.alerts import spell
from kaunta.staff.charts import HEIGHT, climbing, nice, stacked
from kaunta.staff.history import cell
from tests.audit.conftest import SealedAudit
from tests.staff.conftest import Reader
from tests.staff.counters import Colleagues, Counter, Enter, at_counter, colleagues
from tests.support.bars import SeededBar
from tests.support.door import Served

__all__ = ["at_counter", "colleagues"]

#: What somebody may have typed, or be called: formulas, quotes, wildcards, SQL, markup, text that turns direction.
HOSTILE = (
    "=HYPERLINK(\"http://x\",\"y\")", "+1+1", "-2+3", "@SUM(A1)", " =1+1", "＝1+1", "\u202e=1+1\u202c", "a,\"b\"\n=c",
    "100%", "_____", "'; drop table tabs; --", "' or '1'='1", "<script>alert(1)</script>", "\\", "$1", "{{ 7 * 7 }}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Till:
    """Cash and card, as a person takes it."""

    rt: Runtime
    read: Reader
    bar: SeededBar

    async def take(self, csrf: str, method: str, amount: int, key: str) -> None:
        data = {"csrf": csrf, "method": method, "amount": str(amount), "key": key}
        page = await self.read(f"/staff/tabs/{self.bar.tab.id}/payments", data=data)
        assert page.status == 200, page.text


@pytest.fixture
def till(application: Served, read: Reader, bar: SeededBar) -> Till:
    return Till(application.rt, read, bar)


def at(path: str, **wish: str) -> str:
    """The address that a form with these wishes leads to."""
    return f"{path}?{urlencode(wish)}"


def table_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


async def test_a_shift_adds_up_by_person_and_method(
    till: Till, at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    csrf = await signed_in(bar.waiter)
    await till.take(csrf, "cash", 150, "a")
    csrf = await signed_in(colleagues["cashier"])
    await till.take(csrf, "card", 250, "b")
    await at_counter(csrf).payment("paid", 0)
    own = await till.read("/staff/shift")
    assert "KES 250" in own.text
    assert "KES 150" not in own.text
    assert (await till.read("/staff/shift.csv")).status == 403
    await signed_in(bar.owner)
    whole = await till.read("/staff/shift")
    assert "Guests by themselves" in whole.text
    assert "KES 600" in whole.text
    rows = table_of((await till.read("/staff/shift.csv")).text)
    assert sorted((int(row["cash"]), int(row["card"]), int(row["mpesa"])) for row in rows) == [
        (0, 0, 200),
        (0, 250, 0),
        (150, 0, 0),
    ]
    ledger = await till.rt.db.fetchval("select sum(amount) from tab_payments where bar_id = $1", bar.id)
    assert sum(int(row["total"]) for row in rows) == ledger
    day = business_day(till.rt.clock.now())
    nothing = await till.read(f"/staff/shift?date={day - timedelta(days=1)}")
    assert "Nothing was paid in these hours" in nothing.text
    for query in ("date=yesterday", "from=25:00", "from=20:00&to=18:00", "date=1700-01-01", "from=18:00%2B03:00"):
        assert (await till.read(f"/staff/shift?{query}")).status == 400


async def test_an_alert_is_taken_up_once_and_recovers_by_itself(
    read: Reader, application: Served, signed_in: Enter, bar: SeededBar, colleagues: Colleagues, other_bar: SeededBar
) -> None:
    rt = application.rt
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "push_refused", bar.id, bar_id=bar.id, severity=Severity.ERROR, reason="2001")
        await open_problem(db, rt.clock, "late", other_bar.id, bar_id=other_bar.id, reason="not of this bar")
    id_: UUID = await rt.db.fetchval("select id from problems where kind = 'push_refused'")
    for who in (bar.waiter, bar.owner):
        csrf = await signed_in(who)
        page = await read(f"/staff/alerts/{id_}/acknowledge", data={"csrf": csrf})
        assert page.path == "/staff/alerts"
        assert "Safaricom refuses our payment requests" in page.text
        assert "not of this bar" not in page.text
    kept = await rt.db.fetchrow("select acknowledged_by, closed_at from problems where id = $1", id_)
    assert kept is not None
    assert (kept["acknowledged_by"], kept["closed_at"]) == (f"staff:{bar.waiter.account_id}", None)
    assert bar.waiter.username.title() in page.text.replace("&#39;", "'")
    await rt.db.execute("update problems set opened_at = opened_at - interval '12 minutes' where id = $1", id_)
    async with transaction(rt.db) as db:
        await close_problem(db, rt.clock, "push_refused", bar.id, by="kaunta", reason="pushes are taken again")
    assert "recovered after 12 min" in (await read("/staff/alerts")).text
    for unknown in (str(bar.id), "x", await rt.db.fetchval("select id::text from problems where kind = 'late'")):
        assert (await read(f"/staff/alerts/{unknown}/acknowledge", data={"csrf": csrf})).status == 404


def test_how_long_it_lasted_is_said_in_one_word() -> None:
    since = datetime(2026, 11, 20, 18, tzinfo=UTC)
    said = [spell(since, since + timedelta(seconds=seconds)) for seconds in (-5, 8, 720, 7_200, 100_000, 400_000)]
    assert said == ["0 s", "8 s", "12 min", "2 h", "28 h", "5 days"]


async def test_closed_alerts_come_in_pages(read: Reader, application: Served, signed_in: Enter, bar: SeededBar) -> None:
    rt = application.rt
    await rt.db.execute(
        """
        insert into problems (bar_id, kind, subject, severity, opened_at, closed_at, closed_by, close_reason)
        select $1, 'late', n::text, 'info', $2::timestamptz, $2::timestamptz, 'kaunta', 'number ' || n || ' is over'
        from generate_series(1, 60) n
        """,
        bar.id, rt.clock.now(),
    )  # fmt: skip
    await signed_in(bar.waiter)
    first = await read("/staff/alerts")
    older = first.text.partition('href="?before=')[2].partition('"')[0]
    second = await read(f"/staff/alerts?before={older}")
    seen = [text.count(" is over") for text in (first.text, second.text)]
    assert seen == [50, 10]
    assert (await read("/staff/alerts?before=x")).status == 400


@pytest.mark.req("PAY-4.6")
async def test_health_is_counted_from_what_was_written(
    read: Reader, at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar, other_bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.waiter))
    for end in ("paid", "paid", "paid", "cancelled", "no_funds"):
        await counter.payment(end, 0)
    asked = len(counter.simulator.simulator.pushes)
    found = await health(counter.rt, bar.id, "sandbox", business_day(counter.rt.clock.now()))
    assert (found.sums.paid, found.sums.not_paid, found.sums.unknown, found.sums.taken) == (3, 2, 0, 600)
    assert found.sums.success == pytest.approx(0.6)
    assert sum(count for _, count in found.reasons) == 2
    assert len(found.hours) == len(found.before) == 24
    assert sum(row.paid for row in found.hours) == 3
    assert found.delays.paid_half is not None
    assert {row.kind for row in found.reach} >= {"stk_push"}
    page = await read("/staff/health")
    assert "60 %" in page.text
    assert "<svg" in page.text
    assert "As a table" in page.text
    assert "<script" not in page.text
    assert len(counter.simulator.simulator.pushes) == asked
    for path in ("health?date=2026-13-01", "payments?last_day=9999-12-31"):
        assert (await read(f"/staff/{path}")).status == 400, path
    elsewhere = await health(counter.rt, other_bar.id, "sandbox", found.day)
    assert (elsewhere.sums.started, elsewhere.reach, elsewhere.sums.success) == (0, [], None)
    await signed_in(other_bar.owner)
    assert "No payment has begun" in (await read("/staff/health")).text
    assert (await read("/staff/audit?last_day=9999-12-31")).status == 400


def test_charts_stay_on_their_canvas() -> None:
    columns = [{"paid": 3, "no": 1}, {"paid": 0, "no": 0}, {"paid": 0, "no": 5}]
    top = nice(5)
    boxes = stacked(columns, top)
    assert [(box.kind, box.y + box.height <= HEIGHT + 0.1, box.y >= 0) for box in boxes] == [
        ("paid", True, True),
        ("no", True, True),
        ("no", True, True),
    ]
    assert [nice(value) for value in (0, 1, 3, 7, 11, 480, 1_001)] == [1, 1, 5, 10, 20, 500, 2_000]
    assert climbing([1], 1, 2) == "0.0,180.0 360.0,0.0"
    assert climbing([1, 0, 1], 2, 3) == "0.0,180.0 240.0,90.0 480.0,90.0 720.0,0.0"


async def note(rt: Runtime, bar: SeededBar, text: str, action: str = "menu.changed") -> None:
    async with transaction(rt.db) as db:
        await audit(db, rt.clock, "staff:x", action, "menu", text[:60], bar_id=bar.id, reason=text, told=text)


async def test_the_audit_is_read_by_payment_person_object_and_access_to_secrets(
    read: Reader, at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar, other_bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    rt = counter.rt
    one, other = await counter.payment("paid", 0), await counter.payment("cancelled", 0)
    await counter.read(f"/staff/payments/{one}/note", data={"csrf": counter.csrf, "note": "the guest was in a hurry"})
    await note(rt, other_bar, "another bar’s business")
    page = await read(f"/staff/audit?payment={one}")
    assert "the guest was in a hurry" in page.text
    assert str(other) not in page.text
    mine = await read(f"/staff/audit?person=staff:{bar.owner.account_id}")
    assert "payment.noted" in mine.text
    assert "credentials.opened" not in mine.text
    secrets = await read("/staff/audit?action=credentials.")
    assert "credentials.opened" in secrets.text
    assert "payment.noted" not in secrets.text
    assert "payment.noted" in (await read(f"/staff/audit?kind=transaction&object={one}")).text
    whole = await read("/staff/audit")
    assert "another bar’s business" not in whole.text
    assert (await read(f"/staff/audit?payment={UUID(int=1)}")).status == 404
    for query in ("before=1.2", "before=a.b.c", "first_day=x", "person=" + "a" * 101, "first_day=2026-11-21&last_day=2026-11-20"):  # fmt: skip  # noqa: E501
        assert (await read(f"/staff/audit?{query}")).status == 400


AGENT = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
)


async def test_what_people_do_is_kept_with_address_browser_and_request(
    read: Reader, at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    one = await counter.payment("paid", 0)
    note = {"csrf": counter.csrf, "note": "a regular"}
    await read(f"/staff/payments/{one}/note", data=note, User_Agent=AGENT)
    page = (await read(f"/staff/audit?payment={one}&action=payment.noted")).text
    assert "Chrome 141, Android · 127.0.0.1" in page
    assert AGENT not in page
    [told] = [json.loads(line) for line in (await read(f"/staff/audit.ndjson?payment={one}&action=payment.")).text.splitlines()]  # fmt: skip  # noqa: E501
    assert (told["ip"], told["browser"], len(told["request_id"])) == ("127.0.0.1", "Chrome 141, Android", 10)
    assert "127.0.0.1" not in told["detail"]
    # The guest's own request, and Safaricom's, left no address behind.
    kept = await counter.rt.db.fetch("select actor, detail::text from payment_events where transaction_id = $1", one)
    assert kept
    assert not any("127.0.0.1" in row["detail"] for row in kept)
    # Whoever reads the payment sees which request it was, and not from where.
    timeline = (await read(f"/staff/payments/{one}?kind=person")).text
    assert told["request_id"] in timeline
    assert "127.0.0.1" not in timeline
    answer = await read("/staff/audit")
    assert len(answer.headers["X-Request-Id"]) == 10


async def test_the_audit_says_whether_its_seals_hold(
    read: Reader, application: Served, signed_in: Enter, bar: SeededBar, tmp_path: Path
) -> None:
    await signed_in(bar.owner)
    assert "no key to seal the audit with" in (await read("/staff/audit")).text
    settings = application.rt.settings
    key = SecretStr(generate_entry(Entropy(), "s1"))
    told = {"seal_key": key, "seal_folder": str(tmp_path / "seals")}
    application.app.state.runtime = replace(application.rt, settings=settings.model_copy(update=told))
    sealed = SealedAudit(application.app.state.runtime)
    assert "nothing sealed yet" in (await read("/staff/audit")).text
    await sealed.seal()
    assert "sealed</span> up to" in (await read("/staff/audit")).text
    assert await watch(sealed.rt) == 1
    assert "all as they were written" in (await read("/staff/audit")).text
    async with sealed.owner() as db:
        id_ = await db.fetchval(
            "update audit_events set actor = 'x' where id = (select min(id) from audit_events) returning id"
        )
        await db.execute("update audit_watch set next_at = '-infinity'")
    assert await watch(sealed.rt) == 1
    page = (await read("/staff/audit")).text
    assert "do not hold" in page
    assert f"audit row {id_} of " in page
    await sealed.rt.db.execute("update audit_watch set findings = null")
    await sealed.write("late")
    clock = sealed.rt.clock
    assert isinstance(clock, ManualClock)
    clock.advance(301)
    assert "seals are late" in (await read("/staff/audit")).text


async def test_no_entry_is_lost_or_told_twice_between_pages(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter("")
    rt = counter.rt
    for end in ("paid", "cancelled", "paid"):
        await counter.payment(end, 0)
        for number in range(5):
            await note(rt, bar, f"{end} {number}")
    seen, before = [], NEWEST
    while True:
        now = await page(rt, bar.id, Wanted(), before, limit=4)
        seen += [(entry.source, entry.id) for entry in now.entries]
        if now.after is None:
            break
        before = Place.parse(now.after.text())
    streamed = [(entry.source, entry.id) async for entries in stream(rt, bar.id, Wanted()) for entry in entries]
    there = await rt.db.fetch("select source, id from audit_log where bar_id = $1", bar.id)
    assert len(seen) == len(set(seen)) == len(there)
    assert set(seen) == set(streamed) == {(row["source"], row["id"]) for row in there}


@pytest.mark.failure(86)
async def test_what_people_typed_does_nothing_in_a_search_or_an_export(
    read: Reader, application: Served, signed_in: Enter, bar: SeededBar
) -> None:
    rt = application.rt
    for text in HOSTILE:
        await note(rt, bar, text)
    await signed_in(bar.owner)
    for text in HOSTILE:
        for path, name in (("/staff/audit", "object"), ("/staff/audit", "action"), ("/staff/payments", "text")):
            page = await read(at(path, **{name: text}))
            assert page.status == 200, (path, text)
            assert "<script>alert" not in page.text
    assert "No payment fits" in (await read(at("/staff/payments", text="%"))).text
    assert "Nothing fits" in (await read(at("/staff/audit", object="%"))).text
    rows = table_of((await read(at("/staff/audit.csv", kind="menu"))).text)
    assert len(rows) == len(HOSTILE)
    for row in rows:
        for value in row.values():
            assert not value.lstrip().startswith(("=", "+", "-", "@", "＝"))
            assert "\u202e" not in value
    lines = (await read(at("/staff/audit.ndjson", kind="menu"))).text.splitlines()
    assert sorted(json.loads(line)["reason"] for line in lines) == sorted(HOSTILE)
    forms = await rt.db.fetch("select detail ->> 'form' as form from audit_events where action = 'audit.exported'")
    assert sorted(row["form"] for row in forms) == ["csv", "ndjson"]


@pytest.mark.parametrize("text", ["=1", " =1", "\u202e=1", "＝1", "\u200f+1", "\n@x"])
def test_a_formula_in_disguise_is_text(text: str) -> None:
    assert cell(text).startswith("'")


async def test_who_sees_what(read: Reader, application: Served, signed_in: Enter, colleagues: Colleagues) -> None:
    seen: dict[str, list[int]] = {}
    paths = ("/staff/shift", "/staff/alerts", "/staff/health", "/staff/audit", "/staff/audit.csv", "/staff/shift.csv")
    for role, who in colleagues.items():
        await signed_in(who)
        seen[role] = [(await read(path)).status for path in paths]
    few, all_ = [200, 200, 200, 403, 403, 403], [200] * 6
    assert seen == {"waiter": few, "cashier": few, "manager": all_, "owner": all_}


async def test_without_a_session_nothing_is_shown(read: Reader, bar: SeededBar) -> None:
    for path in (
        "/staff/shift",
        "/staff/shift.csv",
        "/staff/alerts",
        "/staff/health",
        "/staff/audit",
        "/staff/audit.ndjson",
    ):
        assert (await read(path)).path == "/staff/login"
