"""Messages arrive at least once under one id: tried again, taken over from the dead, given up loudly, sent again when
asked; and whoever does not take them harms nobody else."""

import asyncio
import os
import sys
from dataclasses import replace
from ipaddress import ip_address

import pytest

from kaunta.core.runtime import Runtime
from kaunta.settings import Mode, Settings
from kaunta.webhooks import delivering, endpoints
from kaunta.webhooks.delivering import LEASE_SECONDS, LOUD_AFTER, MOST_ATTEMPTS, Failed, redeliver, try_endpoint
from tests.crash.forks import environment
from tests.support.bars import SeededBar

from .conftest import Evening, Listens, Receiver, tell

#: A courier that dies between the receiver's yes and its own commit.
DIES = """
import asyncio, os
from datetime import datetime
from kaunta.core.clock import ManualClock
from kaunta.core.runtime import running
from kaunta.settings import load
from kaunta.webhooks import delivering

async def main():
    async with running(load(), listen=False, clock=ManualClock(datetime.fromisoformat("{now}"))) as rt:
        honest = delivering.send
        async def send(*given):
            await honest(*given)
            os._exit(9)
        delivering.send = send
        await delivering.Couriers(rt).turn()
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_is_not_taken_is_tried_again_at_growing_intervals_under_the_same_id(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    added = await listens("/pos")
    receiver.answers["/pos"] = 503
    await evening.pays(bar.tab)
    tries = [await evening.turn(minutes) for minutes in (0, 0.4, 0.2, 0.9, 0.2, 1.9, 0.2)]
    assert tries == [1, 0, 1, 0, 1, 0, 1]
    assert await rt.db.fetchval("select last_error from webhook_messages") == "http_503"
    receiver.answers["/pos"] = 200
    assert await evening.turn(4.1) == 1
    assert await evening.waiting() == 0
    posts = receiver.at("/pos")
    assert len(posts) == 5
    assert len({post.id for post in posts}) == 1
    assert len({post.body for post in posts}) == 1
    # Each try is signed for its own time, so that none can be played again later.
    assert len({post.headers["webhook-timestamp"] for post in posts}) == 5
    assert all(post.verifies(added.secret.reveal()) for post in posts)


async def test_a_courier_that_dies_after_sending_leaves_the_message_to_another(
    evening: Evening, rt: Runtime, settings: Settings, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    await listens("/pos")
    await evening.pays(bar.tab)
    await tell(rt)
    program = DIES.format(now=rt.clock.now().isoformat())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={**os.environ, **environment(settings)}
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 9
    assert len(receiver.at("/pos")) == 1
    assert await evening.waiting() == 1
    # Within its lease nobody else sends it; after that somebody does, with the same id.
    assert await evening.sends() == 0
    evening.clock.advance(LEASE_SECONDS + 1)
    assert await evening.sends() == 1
    assert await evening.waiting() == 0
    first, second = receiver.at("/pos")
    assert first.id == second.id
    assert first.body == second.body


async def test_a_receiver_that_hangs_delays_nobody_but_itself(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    await listens("/hangs")
    receiver.hangs.add("/hangs")
    await listens("/pos")
    for amount in (100, 150, 200):
        await evening.pays(bar.tab, amount)
    await tell(rt)
    async with asyncio.timeout(60):
        while len(receiver.at("/pos")) < 3:
            assert await evening.couriers.turn() > 0
    # One message at a time to each: the other two wait behind the one that hangs.
    assert len(receiver.at("/hangs")) == 1
    async with asyncio.timeout(60):
        await evening.pays(bar.tab, 50)
        receiver.hangs.clear()
        receiver.released.set()
        while await evening.turn(minutes=1) or await evening.waiting():
            pass
    assert len({post.id for post in receiver.at("/hangs")}) == 4


async def test_a_worker_that_ends_in_the_middle_leaves_the_message_to_another(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    await listens("/hangs")
    receiver.hangs.add("/hangs")
    await evening.pays(bar.tab)
    await tell(rt)
    assert await evening.couriers.turn() == 1
    await evening.couriers.stop()
    assert evening.couriers.busy == {}
    receiver.hangs.clear()
    evening.clock.advance(LEASE_SECONDS + 1)
    assert await evening.sends() == 1
    assert len({post.id for post in receiver.at("/hangs")}) == 1


async def test_one_that_fails_is_put_before_people_and_its_messages_are_given_up_and_sent_again(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    added = await listens("/pos")
    receiver.answers["/pos"] = 410
    await evening.pays(bar.tab)
    for _ in range(LOUD_AFTER - 1):
        await evening.turn(60 * 7)
    opened = "select bar_id from problems where kind = 'webhook_undeliverable' and closed_at is null and subject = $1"
    assert await rt.db.fetchval(opened, str(added.id)) is None
    await evening.turn(60 * 7)
    assert await rt.db.fetchval(opened, str(added.id)) == bar.id
    for _ in range(MOST_ATTEMPTS - LOUD_AFTER):
        assert await evening.turn(60 * 7) == 1
    assert await rt.db.fetchval("select given_up_at is not null from webhook_messages")
    assert await rt.db.fetchval("select count(*) from audit_events where action = 'webhook.given_up'") == 1
    assert await evening.turn(60 * 7) == 0
    receiver.answers["/pos"] = 204
    assert await redeliver(rt, added.id, None, by="operator") == 1
    assert await evening.turn() == 1
    assert await rt.db.fetchval(opened, str(added.id)) is None
    assert len({post.id for post in receiver.at("/pos")}) == 1
    assert await redeliver(rt, added.id, None, by="operator") == 0


async def test_a_message_that_was_taken_can_be_asked_for_again(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar, other_bar: SeededBar
) -> None:
    added = await listens("/pos")
    await evening.pays(bar.tab)
    await evening.turn()
    message = await rt.db.fetchval("select id from webhook_messages")
    with pytest.raises(endpoints.EndpointNotFound):
        await redeliver(rt, added.id, message, by="operator", bar_id=other_bar.id)
    with pytest.raises(delivering.MessageNotFound):
        await redeliver(rt, added.id, added.id, by="operator")
    assert await redeliver(rt, added.id, message, by="operator", bar_id=bar.id) == 1
    assert await evening.turn() == 1
    assert len({post.id for post in receiver.at("/pos")}) == 1
    assert len(receiver.at("/pos")) == 2


async def test_a_removed_one_hears_nothing_more(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    added = await listens("/pos")
    await evening.pays(bar.tab, 100)
    await tell(rt)
    await endpoints.remove(rt, added.id, by="operator")
    await evening.pays(bar.tab, 200)
    assert await evening.turn() == 0
    assert receiver.posts == []
    with pytest.raises(endpoints.EndpointNotFound):
        await endpoints.remove(rt, added.id, by="operator")


async def test_a_redirect_is_not_followed(rt: Runtime, receiver: Receiver, listens: Listens) -> None:
    added = await listens("/pos")
    receiver.answers["/pos"] = 307
    assert await try_endpoint(rt, added.id, by="operator") == Failed("http_307")
    assert receiver.at("/elsewhere") == []


@pytest.mark.parametrize(
    ("url", "development", "production"),
    [
        ("https://pos.bar.example/kaunta?token=1", True, True),
        ("https://pos.bar.example:8443/kaunta", True, True),
        ("http://pos.bar.example/kaunta", False, False),
        ("http://127.0.0.1:9000/kaunta", True, False),
        ("https://127.0.0.1/kaunta", True, False),
        ("https://[::1]/kaunta", True, False),
        ("https://10.0.0.7/kaunta", False, False),
        ("https://169.254.169.254/latest/meta-data", False, False),
        ("https://[::ffff:10.0.0.7]/", False, False),
        ("https://[64:ff9b::10.0.0.7]/", False, False),
        ("https://0.0.0.0/", False, False),
        ("https://user:secret@pos.bar.example/", False, False),
        ("https://pos.bar.example/#part", False, False),
        ("https://pos.bar.example:0/", False, False),
        ("https://pos.bar.example:x/", False, False),
        ("https://pos.bar.example/ä", False, False),
        ("https://pos.bar.example/a b", False, False),
        ("https://[", False, False),
        ("file:///etc/passwd", False, False),
        ("https:///kaunta", False, False),
        ("https://pos.bar.example/" + "x" * 500, False, False),
        ("", False, False),
    ],
)
def test_only_public_addresses_by_https_are_taken(
    settings: Settings, url: str, development: bool, production: bool
) -> None:
    for mode, right in ((Mode.DEVELOPMENT, development), (Mode.PRODUCTION, production)):
        given = settings.model_copy(update={"mode": mode})
        if right:
            assert endpoints.checked(url, given) == url
        else:
            with pytest.raises(endpoints.WebhookUrlRefused):
                endpoints.checked(url, given)


async def test_a_name_that_leads_into_our_network_is_not_asked(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    """What a name resolves to is judged when a message leaves, not only when it is added."""
    added = await listens("/pos")
    production = rt.settings.model_copy(update={"mode": Mode.PRODUCTION})
    assert not endpoints.allowed(production)(ip_address("127.0.0.1"))
    # A zone of one's own may lead anywhere: here to this machine.
    name = receiver.url.replace("127.0.0.1", "localhost")
    await rt.db.execute("update webhook_endpoints set url = $1 || '/pos'", name)
    assert await try_endpoint(replace(rt, settings=production), added.id, by="operator") == Failed("forbidden")
    assert receiver.posts == []


async def test_a_bar_has_only_so_many_and_no_address_twice(rt: Runtime, listens: Listens) -> None:
    await listens("/pos")
    with pytest.raises(endpoints.WebhookThere):
        await listens("/pos")
    for number in range(endpoints.MOST_A_BAR - 1):
        await listens(f"/{number}")
    with pytest.raises(endpoints.TooManyWebhooks):
        await listens("/one-too-many")


async def test_the_secret_and_the_address_are_in_no_log_repr_or_audit(
    rt: Runtime, receiver: Receiver, listens: Listens
) -> None:
    added = await listens("/pos?token=a-token-of-the-receivers")
    secret = added.secret.reveal()
    rows = await rt.db.fetch("select detail::text from audit_events where action like 'webhook.%'")
    stored = await rt.db.fetchval("select secret_enc from webhook_endpoints")
    async with rt.db.acquire() as db:
        found = await endpoints.held(db, added.id)
    for said in (repr(added), repr(found), *(row["detail"] for row in rows), stored.decode("latin-1")):
        assert secret not in said
        assert "a-token-of-the-receivers" not in said
