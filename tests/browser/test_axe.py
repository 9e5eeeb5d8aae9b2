"""Every screen of the guest's, in every language and scheme, on the narrowest phone: axe (WCAG 2.2 AA) finds nothing.

One payment is led through all it can come to by writing its row, so that one browser can look at everything.
"""

from collections.abc import Awaitable, Callable

import pytest

from tests.browser.conftest import Opener
from tests.browser.test_look import look
from tests.plugins.prove import Proof
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

UNPAID = "amount_received = null, receipt = null"
SETTLED = f"settled_at = now(), next_check_at = null, failure_reason = 'result', {UNPAID}"
#: Screen → what makes the payment's row that.
STATES = {
    "S3 sending": "status = 'pending', sent_at = null",
    "S4 check your phone": f"status = 'sent', sent_at = push_started_at, settled_at = null, {UNPAID}",
    "S6 paid": "status = 'completed', settled_at = now(), amount_received = amount, receipt = 'TKX1AB2C3D'",
    "S6 paid, code to come": "status = 'completed', settled_at = now(), amount_received = amount, receipt = null",
    "S6b part paid": """status = 'completed', settled_at = now(), amount_received = amount - 50,
                        irregularities = '{underpaid}'""",
    "S7 not known": f"status = 'timeout', settled_at = null, irregularities = '{{}}', {UNPAID}",
    **{
        f"S8 {code}": f"status = 'failed', result_code = '{code}', {SETTLED}"
        for code in ("1", "3", "17", "26", "1001", "1019", "1032", "1037", "2001", "2028", "8006")
    },
}
PAIRS = [(lang, scheme) for lang in ("en", "sw") for scheme in ("dark", "light")]
Becoming = Callable[[str], Awaitable[None]]


@pytest.fixture
def becoming(application: Served) -> Becoming:
    """`await becoming("status = …")`: the one payment is that now."""

    async def write(change: str) -> None:
        async with application.rt.db.acquire() as db:
            await db.execute("set session_replication_role = replica")
            await db.execute(f"update mpesa_transactions set {change}")
            await db.execute("set session_replication_role = origin")

    return write


@pytest.mark.prove
@pytest.mark.parametrize(("lang", "scheme"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
async def test_axe_finds_nothing_on_any_screen(
    paying: Opener,
    becoming: Becoming,
    application: Served,
    simulator: Safaricom,
    bar: SeededBar,
    proof: Proof,
    lang: str,
    scheme: str,
) -> None:
    simulator.simulator.queue_scenario("person")
    page = await paying(400, width=320, scheme=scheme)
    payment = page.url
    async with application.rt.db.acquire() as db:
        receipt = await db.fetchval("select receipt_ref from mpesa_transactions")
    screens = 0
    for path in (
        "/b/nowhere",
        f"/b/{bar.slug}/t/{bar.table_code}",
        f"/b/{bar.slug}/t/{bar.table_code}?q=nothing",
        f"/b/{bar.slug}",
        f"/pay/{bar.tab.ref}",
        f"/pay/{bar.tab.ref}?part=half",
        f"/pay/{bar.tab.ref}/join",
        f"/pay/{bar.tab.ref}?amount=9999",
        f"/pay/{bar.tab.ref}/till",
        f"/pay/{bar.tab.ref}/till?p={payment.rpartition('/')[2]}",
    ):
        await page.goto(f"{path}{'&' if '?' in path else '?'}lang={lang}")
        await look(page)
        screens += 1
    for code in ("hello", "TKX1AB2C3D"):
        await page.fill("#code", code)
        await page.press("#code", "Enter")
        await page.wait_for_selector("[role=alert]:not(#off), #codes")
        await look(page)
        screens += 1
    for change in STATES.values():
        await becoming(change)
        await page.goto(f"{payment}?lang={lang}")
        await open_all(page.evaluate)
        await look(page)
        screens += 1
    await becoming(STATES["S6 paid"])
    await page.goto(f"/r/{receipt}?lang={lang}")
    await look(page)
    await becoming(STATES["S4 check your phone"])
    await simulator.advance(61)
    await page.goto(f"{payment}?lang={lang}")
    await look(page)
    proof(f"screens without an axe finding, {lang}, {scheme}, 320 px", screens + 2)


async def open_all(evaluate: Callable[[str], Awaitable[object]]) -> None:
    await evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
