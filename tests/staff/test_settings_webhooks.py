"""The owner has a program told of payments, tries it, and takes it away; its secret is seen once."""

import re
from collections.abc import Awaitable, Callable

import pytest

from kaunta.access.sessions import PROVED_SECONDS
from kaunta.core.clock import ManualClock
from tests.staff.conftest import AsRole, Reader
from tests.support.bars import SeededBar, Staff
from tests.support.door import Served

Enter = Callable[[Staff], Awaitable[str]]
PAGE = "/staff/settings/webhooks"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
#: Nobody listens there.
NOWHERE = "http://127.0.0.1:9/pos?token=of-the-receiver"


async def test_the_owner_adds_tries_and_removes_one(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served
) -> None:
    csrf = await signed_in(bar.owner)
    assert PAGE in (await read("/staff/settings")).text
    assert "No program is told" in (await read(PAGE)).text
    added = await read(PAGE, data={"csrf": csrf, "url": NOWHERE})
    assert len(SECRET.findall(added.text)) == 1
    page = (await read(PAGE)).text
    assert not SECRET.search(page)
    assert "http://127.0.0.1:9/pos?…" in page
    assert "of-the-receiver" not in page
    id_ = await application.rt.db.fetchval("select id from webhook_endpoints where bar_id = $1", bar.id)
    assert "The test was not taken: refused." in (await read(f"{PAGE}/{id_}/test", data={"csrf": csrf})).text
    assert "0 messages are sent again." in (await read(f"{PAGE}/{id_}/redeliver", data={"csrf": csrf})).text
    assert "has a webhook at this address already" in (await read(PAGE, data={"csrf": csrf, "url": NOWHERE})).text
    refused = await read(PAGE, data={"csrf": csrf, "url": "https://169.254.169.254/latest"})
    assert (refused.status, "must be a public one" in refused.text) == (400, True)
    assert "No program is told" in (await read(f"{PAGE}/{id_}/remove", data={"csrf": csrf})).text
    done = await application.rt.db.fetch(
        "select action, actor from audit_events where action like 'webhook.%' order by id"
    )  # fmt: skip
    assert [row["action"] for row in done] == [
        "webhook.added", "webhook.tested", "webhook.redelivered", "webhook.removed"
    ]  # fmt: skip
    assert {row["actor"] for row in done} == {f"staff:{bar.owner.account_id}"}


@pytest.mark.parametrize("role", ["waiter", "cashier", "manager"])
async def test_only_the_owner_sees_the_page(read: Reader, as_role: AsRole, role: str) -> None:
    csrf = await as_role(role)  # type: ignore[arg-type]
    assert (await read(PAGE)).status == 403
    assert (await read(PAGE, data={"csrf": csrf, "url": NOWHERE})).status == 403


async def test_adding_and_removing_want_a_recent_proof(
    read: Reader, signed_in: Enter, bar: SeededBar, clock: ManualClock, application: Served
) -> None:
    csrf = await signed_in(bar.owner)
    clock.advance(PROVED_SECONDS + 1)
    assert (await read(PAGE, data={"csrf": csrf, "url": NOWHERE})).path == "/staff/prove"
    assert await application.rt.db.fetchval("select count(*) from webhook_endpoints") == 0
