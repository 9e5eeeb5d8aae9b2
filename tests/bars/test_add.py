"""A new bar and the name in its URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.bars import queries
from kaunta.bars.add import SLUG, SlugTaken, add_bar, slug_of
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest
from kaunta.core.runtime import Runtime


@pytest.mark.parametrize(
    ("name", "slug"), [("Mama Njeri's Bar", "mama-njeris-bar"), ("  K1 — Klub  ", "k1-klub"), ("Café 254", "caf-254")]
)
def test_a_short_name_is_made_of_the_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text(max_size=120))
def test_whatever_the_name_the_short_name_is_one_or_empty(name: str) -> None:
    slug = slug_of(name)
    assert slug == "" or (SLUG.fullmatch(slug) and len(slug) <= 60)


async def test_a_bar_begins_with_mpesa_off_and_without_credentials(rt: Runtime) -> None:
    async with transaction(rt.db) as db:
        bar_id = await add_bar(db, rt.clock, "Kwa Otieno", business_name="OTIENO LTD", by="test")
        bar = await queries.bar_by_slug(db, "kwa-otieno")
        switch = await queries.switch(db, bar_id)
    assert bar is not None
    assert switch is not None
    assert (bar.id, bar.name, bar.business_name, bar.environment) == (bar_id, "Kwa Otieno", "OTIENO LTD", "sandbox")
    assert (switch.mpesa_enabled, switch.credential_id) == (False, None)


async def test_two_bars_do_not_share_a_short_name(rt: Runtime) -> None:
    async with transaction(rt.db) as db:
        await add_bar(db, rt.clock, "Kwa Otieno", by="test")
        with pytest.raises(SlugTaken):
            await add_bar(db, rt.clock, "KWA OTIENO", by="test")
        await add_bar(db, rt.clock, "KWA OTIENO", slug="otieno-2", by="test")


@pytest.mark.parametrize(("name", "slug"), [("***", None), ("", "x"), ("x" * 121, "x"), ("x", "A"), ("x", "a--b")])
async def test_names_that_cannot_stand_in_a_url_are_refused(rt: Runtime, name: str, slug: str | None) -> None:
    async with transaction(rt.db) as db:
        with pytest.raises(BadRequest):
            await add_bar(db, rt.clock, name, slug=slug, by="test")
