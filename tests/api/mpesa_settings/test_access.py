"""Who may what with a bar's settings."""

from uuid import uuid4

import pytest

from kaunta.access.accounts import Role, set_role
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from tests.api.mpesa_settings.conftest import PATH, Enter, Office
from tests.support.bars import SeededBar, add_staff
from tests.support.switch import Plot


@pytest.mark.parametrize(("role", "expected"), [("waiter", 403), ("cashier", 403), ("manager", 200), ("owner", 200)])
@pytest.mark.failure(88)
async def test_each_role_may_what_it_may(
    enter: Enter, rt: Runtime, bar: SeededBar, plot: Plot, password_hash: str, role: Role, expected: int
) -> None:
    async with transaction(rt.db) as db:
        await add_staff(db, rt, bar.id, role, f"some-{role}", password_hash)
    office = await enter(f"some-{role}")
    status, _ = await office.ask("GET", f"{PATH}?barId={bar.id}")
    assert status == expected
    for sent in (
        {"mpesa_enabled": False},
        {"mpesa_enabled": True},
        {"mpesa_business_shortcode": "174379", "mpesa_till_number": ""},
    ):
        assert (await office.save(**sent))[0] == expected
    only_owners = 200 if role == "owner" else 403
    before = await plot.snapshot()
    assert (await office.save(mpesa_passkey="a-passkey-0123"))[0] == only_owners
    assert (await office.save(mpesa_passkey="a-passkey-0123", store_only=True))[0] == only_owners
    assert (await office.save(mpesa_environment="production", confirm_production="600000"))[0] == only_owners
    assert (await office.save(path=f"{PATH}/test"))[0] == only_owners
    assert (await plot.snapshot() == before) is (role != "owner")


@pytest.mark.failure(87, 88)
async def test_strangers_learn_nothing(
    enter: Enter, bar: SeededBar, other_bar: SeededBar, plot: Plot, rt: Runtime
) -> None:
    before = await plot.snapshot()
    nobody, neighbour = await enter(None), await enter(other_bar.owner.username)
    for office, status, code in ((nobody, 401, "sign_in_needed"), (neighbour, 404, "not_found")):
        for bar_id in (bar.id, uuid4()):
            assert (await office.ask("GET", f"{PATH}?barId={bar_id}"))[0] == status
            for path in (PATH, f"{PATH}/test"):
                answered, answer = await office.save(path=path, barId=str(bar_id), mpesa_enabled=False)
                assert (answered, answer["code"]) == (status, code)
    async with transaction(rt.db) as db:
        await set_role(db, rt.clock, other_bar.owner.account_id, bar.id, "waiter", by="test")
    assert (await neighbour.save(mpesa_enabled=False))[0] == 403
    assert await plot.snapshot() == before


async def test_a_bar_that_was_closed_has_no_settings(owner: Office, rt: Runtime, bar: SeededBar) -> None:
    await rt.db.execute("update bars set active = false")
    assert (await owner.ask("GET", f"{PATH}?barId={bar.id}"))[0] == 404
    assert (await owner.save(mpesa_enabled=False))[0] == 404


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.invalid"}])
async def test_another_site_cannot_post_with_an_owners_cookie(
    owner: Office, plot: Plot, headers: dict[str, str]
) -> None:
    before = await plot.snapshot()
    status, answer = await owner.save(mpesa_enabled=False, headers=headers)
    assert (status, answer["code"]) == (403, "cross_site")
    assert await plot.snapshot() == before
