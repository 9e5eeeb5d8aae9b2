"""The till's registration, its rule and the list of payments, set at the counter."""

from kaunta.core.runtime import Runtime
from kaunta.payments import c2b_addresses, pull
from tests.staff.mpesa_settings.conftest import Desk, alert
from tests.support.bars import SeededBar

HERE = {"environment": "sandbox"}


async def test_a_registration_is_made_shown_and_holds_no_address(owner: Desk, rt: Runtime, bar: SeededBar) -> None:
    assert "Not registered." in (await owner.see("till")).text
    page = await owner.send("till/register", **HERE, unheard="Cancelled")
    assert "Registered: Safaricom tells of payments by hand from now on." in page.text
    (status,) = await c2b_addresses.status(rt, bar.id)
    assert (status.state, status.response_type, status.rule) == ("registered", "Cancelled", "all")
    assert status.confirmation_url is not None
    assert status.confirmation_url.split("/")[-2] not in page.text
    saved = await owner.send("till/rule", **HERE, shortcode=status.shortcode, rule="open_references")
    assert '<option value="open_references" selected>' in saved.text
    assert (await c2b_addresses.status(rt, bar.id))[0].rule == "open_references"


async def test_a_list_is_subscribed_to_and_given_up(owner: Desk, rt: Runtime, bar: SeededBar) -> None:
    page = await owner.send("till/list", **HERE, number="0700 000 001")
    assert "asked for every few minutes" in page.text
    assert (await pull.shown(rt, bar.id))[0].next_pull_at is not None
    page = await owner.send("till/list", **HERE, stop="yes")
    assert "The list is asked for no more." in page.text
    assert (await pull.shown(rt, bar.id))[0].next_pull_at is None


async def test_what_is_not_an_answer_is_refused_and_changes_nothing(owner: Desk, rt: Runtime, bar: SeededBar) -> None:
    for page, form in (
        ("till/register", {"unheard": "perhaps"}),
        ("till/rule", {"rule": "none"}),
        ("till/list", {"number": ""}),
        ("till/list", {"number": "not a phone"}),
        ("till/register", {"environment": "production", "unheard": "perhaps"}),
    ):
        refused = await owner.send(page, **HERE | form)
        assert (refused.status in (400, 409, 422), bool(alert(refused))) == (True, True), (page, form)
    assert (await owner.send("till/register", environment="live", unheard="Completed")).status == 404
    assert (await c2b_addresses.status(rt, bar.id), await pull.shown(rt, bar.id)) == ([], [])
