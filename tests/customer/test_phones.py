"""PAY-P9, PAY-P10: whatever is typed or named, it is taken for what it is or refused; it never comes back raw.

Hostile texts go into every field a guest can fill and into every name a page shows. What comes back is read as a
browser reads it: no element and no attribute may have come from a text.
"""

from collections.abc import Awaitable, Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core import log
from kaunta.core.phone import PhoneRefused, masked, parse_msisdn
from tests.customer.conftest import Read, Reader
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Paying = Callable[..., Awaitable[Read]]
#: Each would show: as an element, an attribute, a template's arithmetic, a statement, a turned text, another script.
FRAGMENTS = (
    "<evil>", "</title><evil>", '"><evil onevil=1>', "' onevil='1", "<!--", "]]>", "javascript:evil", "{{ 7*7 }}",
    "{% evil %}", "'; drop table tabs; --", "$1", "%s", "\\", "\u202e", "\u2066", "\u200b", "\u0000", "\u0007",
    "\x1b[31m",
    "\r\nSet-Cookie: evil=1", "０７１２３４５６７８", "٠٧١٢", "0712", "345 678", "+254", "evil" * 20, "é", "🍺",
)  # fmt: skip
hostile = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5).map("".join)
#: As the former, but what a name in the database can be: PostgreSQL keeps no NUL.
names = hostile.map(lambda text: text.replace("\u0000", "")[:60].strip() or "<evil>")
#: Where a guest can type, and what.
fields = st.sampled_from(
    [("", "phone"), ("", "amount"), ("", "key"), ("", "part"), ("/till", "code"), ("/till", "sms"), ("/till", "p"),
     ("/split", "people")]
)  # fmt: skip


class Markup(HTMLParser):
    """What a page is made of: its elements, the names of their attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("href", "action", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def clean(self) -> bool:
        ours = all(
            address.startswith(("/", "#", "?", "data:,", "https://wa.me/")) or not address for address in self.addresses
        )
        return "evil" not in self.tags and not any("evil" in name for name in self.attributes) and ours


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What the application logged since it was last asked, with everything a log may hold."""
    log.configure("json")

    def since() -> str:
        captured = capsys.readouterr()
        return captured.err + captured.out

    return since


@pytest.mark.req("PAY-P9", "PAY-P10", "PAY-5.3", "PAY-3.3")
@given(text=hostile, where=fields)
async def test_nothing_typed_comes_back_raw_or_reaches_a_log(
    read: Reader, bar: SeededBar, simulator: Safaricom, logged: Callable[[], str], text: str, where: tuple[str, str]
) -> None:
    logged()
    before = set(simulator.simulator.pushes)
    path, field = where
    form = {"phone": "0708 374 149", "amount": "100", "key": "k", field: text}
    page = await read(f"/pay/{bar.tab.ref}{path}", data=form)
    assert page.status < 500
    assert Markup(page.text).clean
    assert "evil" not in page.text
    assert "evil=1" not in str(page.headers)
    said = logged()
    assert "evil" not in said
    assert "374149" not in said.replace(" ", "")
    pushes = simulator.simulator.pushes
    for push in [push for checkout_id, push in pushes.items() if checkout_id not in before]:
        assert push.wanted.phone == "254708374149" or field == "phone"


@pytest.mark.req("PAY-P9", "PAY-3.3", "PAY-5.3")
@given(text=st.text("0123456789 +-()./O", max_size=20) | hostile)
async def test_a_number_is_taken_as_one_and_masked_or_explained_and_never_shown_whole(
    read: Reader, bar: SeededBar, text: str
) -> None:
    page = await read(f"/pay/{bar.tab.ref}", data={"phone": text, "amount": "5000", "key": "k"})
    try:
        number = parse_msisdn(text)
    except PhoneRefused:
        assert page.status == 400
        assert 'id="phone-e"' in page.text
    else:
        # The amount is more than the tab: a number that is good is not what is complained about.
        assert page.status == 422
        assert 'id="phone-e"' not in page.text
        assert masked(number)[:4] == f"0{number[3:6]}"


@pytest.mark.req("PAY-P10", "PAY-5.3")
@given(bar_name=names, item=names, label=names, business=names, which=st.integers(0, 4))
async def test_no_name_becomes_a_part_of_a_page(
    read: Reader,
    paying: Paying,
    application: Served,
    bar: SeededBar,
    bar_name: str,
    item: str,
    label: str,
    business: str,
    which: int,
) -> None:
    async with application.rt.db.acquire() as db:
        await db.execute(
            "update bars set name = $2, mpesa_business_name = $3 where id = $1", bar.id, bar_name, business
        )
        await db.execute("update menu_items set name = $2 where bar_id = $1 and price = 350", bar.id, item)
        await db.execute("update table_codes set label = $2 where id = $1", bar.table_id, label)
        status = await db.fetchval("select id from mpesa_transactions limit 1")
        receipt = await db.fetchval("select receipt_ref from mpesa_transactions limit 1")
    if status is None:
        await paying(400)
        return
    shown = {
        f"/b/{bar.slug}/t/{bar.table_code}": (bar_name, item, label),
        f"/pay/{bar.tab.ref}": (bar_name, label),
        f"/pay/{bar.tab.ref}/till": (bar_name,),
        f"/p/{status}": (bar_name, business),
        f"/r/{receipt}": (),
    }
    path, expected = list(shown.items())[which]
    markup = Markup((await read(path)).text)
    assert markup.clean
    for name in expected:
        assert squeezed(name) in squeezed(markup.text)


def squeezed(text: str) -> str:
    """A text as a browser shows it: runs of blanks are one."""
    return " ".join(text.split())
