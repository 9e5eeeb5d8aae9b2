"""More callbacks at once than one process may hold: each is stored and accepted, and what does not fit waits in the
database and not in memory."""

import aiohttp

from kaunta.payments import inbox, inbox_work
from kaunta.payments.under_way import UNDERSTOOD_AT_ONCE
from tests.support.door import Served
from tests.support.safaricom import Safaricom

ROOM, CROWD = 3, 9


async def test_what_does_not_fit_is_left_to_the_worker_and_nothing_is_lost(
    application: Served, http: aiohttp.ClientSession, simulator: Safaricom
) -> None:
    pushes, rt = application.pushes, application.rt
    pushes.most_waiting = ROOM
    for _ in range(UNDERSTOOD_AT_ONCE):
        await pushes.understanding.acquire()
    for number in range(CROWD):
        async with http.post(f"/cb/{number:064x}", data=b'{"Body": {}}') as answer:
            assert answer.status == 200
    assert (pushes.waiting, len(pushes.tasks)) == (ROOM, ROOM)
    for _ in range(UNDERSTOOD_AT_ONCE):
        pushes.understanding.release()
    await pushes.drain()
    assert pushes.waiting == 0

    open_ones = "select count(*) from mpesa_callbacks where processed_at is null"
    assert await rt.db.fetchval(open_ones) == CROWD - ROOM
    await simulator.advance(inbox.LEASE_SECONDS + 1)
    assert await inbox_work.work_off(rt) == CROWD - ROOM
    assert await rt.db.fetchval(open_ones) == 0

    async with http.post(f"/cb/{CROWD:064x}", data=b'{"Body": {}}') as answer:
        assert answer.status == 200
    await pushes.drain()
    assert await rt.db.fetchval(open_ones) == 0
