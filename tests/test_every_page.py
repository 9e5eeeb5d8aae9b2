"""Every answer of every door bears the security headers, no page runs what its policy does not name, and no form of the
counter is taken that is not of one's own session.

The doors are those of the program itself: a new one is walked here without being named, and fails where nobody said
how its address is filled in (tests/doors.py for the counter, `OPEN` below for the rest).
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from kaunta.access.people import invite
from kaunta.core.web import TEMPLATES
from tests.callers import CALLERS, Open
from tests.doors import TRIES, Try, doors
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.test_every_door import ids  # noqa: F401 - a fixture

ALWAYS = (
    "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
    "Permissions-Policy",
)  # fmt: skip
FOR_PROGRAMS = ("/api/", "/cb/", "/c2b/", "/result/")
NONCE = re.compile(r"'nonce-([A-Za-z0-9_-]{16,})'")
STALE = "This form is from an earlier sign-in"
#: Doors whose answers never end: only how they begin is looked at.
ENDLESS = "text/event-stream"
#: A form of the counter's, in a template's source.
FORM = re.compile(r"<form\b[^>]*>.*?</form>", re.DOTALL)
#: Who has no session yet has no token of it: a name and a password, or an invitation's secret, stand in for it.
BEFORE_A_SESSION = {"login.html", "invitation.html"}
#: Forms that the owner of a bar like the tests' sees, at least.
MANY_FORMS = 30
#: What changes by no form: when a session was seen last, and what the process says of itself and of the house once it
#: has run for a while.
BY_THEMSELVES = {"staff_sessions", "keyring_holders", "worker_heartbeats", "alerts", "alert_messages"}


@dataclass
class Page(HTMLParser):
    """What a page would run, load and post, and what of it no policy of ours allows."""

    nonce: str
    wrong: list[str] = field(default_factory=list)
    #: Of each form that is posted, its address and the token in it.
    posted: list[tuple[str, str | None]] = field(default_factory=list)
    open_form: tuple[str, str | None] | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.wrong += [f"<{tag} {name}>" for name in has if name.startswith("on") or name == "style"]
        of_ours = tag == "script" and has.get("src", "").startswith("/static/")
        if tag in ("script", "style") and has.get("nonce") != self.nonce and not of_ours:
            self.wrong.append(f"<{tag}> without the nonce")
        for name in ("src", "href", "action", "formaction"):
            leads = has.get(name, "").strip().lower()
            if leads.startswith("javascript:") or (tag != "a" and re.match(r"(https?:)?//", leads)):
                self.wrong.append(f"<{tag} {name}={leads}>")
        if tag == "form" and has.get("method", "").lower() == "post":
            self.open_form = (has.get("action", ""), None)
        elif tag == "input" and self.open_form is not None and has.get("name") == "csrf":
            self.open_form = (self.open_form[0], has.get("value"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.open_form is not None:
            self.posted.append(self.open_form)
            self.open_form = None


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody with a browser who goes through every door."""

    http: aiohttp.ClientSession
    app: Any
    of: dict[str, str]
    csrf: str

    def ways(self) -> list[Try]:
        """Each door there is, as it is tried; a `KeyError` for one that nobody said how to try."""
        known: dict[str, list[Try]] = {}
        for tried in TRIES:
            known.setdefault(tried.door, []).append(tried)
        return [
            tried
            for door in sorted(doors(self.app))
            for tried in known.get(door) or [Try(door, door.split()[1].format(**self.of))]
        ]

    async def goes(self, tried: Try, **sent: Any) -> tuple[int, str, Page]:
        """The status, the text, and what the page is made of; raises for an answer without its headers."""
        at = tried.path.format(**self.of)
        async with self.http.request(tried.method, at, allow_redirects=False, **sent) as answer:
            where = (tried.door, at, answer.status)
            if answer.status == 204:
                # Nothing is shown that these could guard.
                return 204, "", Page("")
            for name in ALWAYS:
                assert len(answer.headers.getall(name, [])) == 1, (where, name)
            policy = answer.headers["Content-Security-Policy"]
            nonces = set(NONCE.findall(policy))
            # What only programs read runs nothing, and so has nothing to name.
            assert len(nonces) == (not at.startswith(FOR_PROGRAMS)), where
            assert "default-src 'none'" in policy, where
            assert "unsafe" not in policy, where
            page = Page(nonces.pop() if nonces else "")
            if answer.content_type == ENDLESS:
                return answer.status, "", page
            text = await answer.text(errors="replace")
        if answer.content_type == "text/html":
            page.feed(text)
            page.close()
        assert page.wrong == [], where
        return answer.status, text, page


@pytest_asyncio.fixture
async def walker(
    application: Served,
    http: aiohttp.ClientSession,
    ids: dict[str, str],  # noqa: F811
    bar: SeededBar,
) -> Walker:
    """The owner, signed in, who knows everything of their bar."""
    rt = application.rt
    invited = await invite(rt, bar.id, "waiter", "Otieno", by=bar.owner.account_id)
    opened = {
        "slug": bar.slug, "code": bar.table_code, "ref": bar.tab.ref, "payment_id": ids["payment"],
        "bar_id": ids["bar"], "token": invited.token,
        "receipt_ref": await rt.db.fetchval("select receipt_ref from mpesa_transactions limit 1"),
    }  # fmt: skip
    who = {"user": bar.owner.username, "password": bar.owner.password}
    async with http.post("/staff/login", json=who) as answer:
        return Walker(http, application.app, ids | opened, (await answer.json())["csrf"])


TABLES = """
    select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and not c.relispartition order by 1
"""


async def everything(application: Served) -> dict[str, str]:
    """Every row of every table, but those of no bar where bars have theirs: these are the house's own."""
    found: dict[str, str] = {}
    for table in await application.rt.db.fetch(TABLES):
        if table["name"] not in BY_THEMSELVES:
            found[table["name"]] = await application.rt.db.fetchval(
                f"""
                select coalesce(md5(string_agg(x::text, '|' order by x::text)), '') from {table["name"]} x
                where to_jsonb(x) -> 'bar_id' is distinct from 'null'::jsonb
                """
            )
    return found


def counters_form(tried: Try) -> bool:
    """Whether it is a form that asks for a session's token."""
    return tried.method == "POST" and tried.path.startswith("/staff/") and not isinstance(CALLERS[tried.door], Open)


def form_of(tried: Try, csrf: str) -> dict[str, Any]:
    return {"json": {}} if tried.json else {"data": {"csrf": csrf}}


def ends_the_session(tried: Try) -> bool:
    return tried.path in ("/staff/logout", "/staff/bar")


@pytest.mark.failure(87)
async def test_every_answer_has_its_headers_and_runs_only_what_its_policy_names(walker: Walker) -> None:
    """Every page as the owner sees it, every form as it is answered, and what whoever has not signed in is told."""
    posted: list[tuple[str, str | None]] = []
    ways = walker.ways()
    for tried in ways:
        if tried.method == "GET":
            status, _, page = await walker.goes(tried)
            assert status < 500 or tried.path == "/readyz", tried.door
            posted += [form for form in page.posted if form[0].startswith("/staff/")]
    for tried in ways:
        if tried.method != "GET" and not ends_the_session(tried):
            sent = form_of(tried, walker.csrf)
            assert (await walker.goes(tried, **sent))[0] < 500, tried.door
    assert len({address for address, _ in posted}) >= MANY_FORMS
    # The invitation's secret stands in for a session that its guest has not yet.
    kept = [form for form in posted if not form[0].startswith("/staff/invitations/")]
    assert [form for form in kept if form[1] != walker.csrf] == []
    walker.http.cookie_jar.clear()
    for tried in ways:
        if isinstance(CALLERS[tried.door], Open) or tried.path == "/staff":
            await walker.goes(tried)


@pytest.mark.failure(87, 88)
async def test_no_form_of_the_counter_is_taken_without_the_token_of_its_own_session(
    walker: Walker, application: Served, other_bar: SeededBar
) -> None:
    async with aiohttp.ClientSession(application.url) as elsewhere:
        who = {"user": other_bar.owner.username, "password": other_bar.owner.password}
        async with elsewhere.post("/staff/login", json=who) as answer:
            of_somebody_else = (await answer.json())["csrf"]
    before = await everything(application)
    forms = [tried for tried in walker.ways() if counters_form(tried)]
    assert len(forms) > MANY_FORMS
    # By turns, so that each form's neighbours were tried with the other.
    tokens = cycle([{}, {"csrf": of_somebody_else}])
    for tried in forms:
        filled = {name: value.format(**walker.of) for name, value in tried.form.items()}
        status, text, _ = await walker.goes(tried, data=filled | next(tokens))
        assert (status, STALE in text) == (403, True), tried.door
    assert await everything(application) == before


@pytest.mark.failure(87)
async def test_nothing_that_changes_anything_is_taken_from_another_site(walker: Walker, application: Served) -> None:
    """Guests' forms and the calls by cookie have no token: the browser says where they come from."""
    before = await everything(application)
    unsafe = [t for t in walker.ways() if t.method != "GET" and CALLERS[t.door] is not Open.SAFARICOM]
    said = cycle([{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
    for tried in unsafe:
        status, text, _ = await walker.goes(tried, headers=next(said), **form_of(tried, walker.csrf))
        assert (status, "cross_site" in text) == (403, True), tried.door
    assert await everything(application) == before


@pytest.mark.parametrize("template", sorted((TEMPLATES / "staff").glob("*.html")), ids=lambda path: path.name)
def test_every_posted_form_of_a_counter_template_holds_the_token(template: Path) -> None:
    """Those too that only a rare state shows."""
    for form in FORM.findall(template.read_text(encoding="utf-8")):
        posted = 'method="post"' in form.partition(">")[0]
        assert not posted or "csrf" in form or template.name in BEFORE_A_SESSION, form.partition(">")[0]
