"""The settings' pictures in docs/screens, drawn again by `make screens`; without a folder for them, only looked at."""

import pytest

from kaunta.tabs import menus
from kaunta.tabs.menus import Wanted
from tests.browser.conftest import Opener
from tests.browser.test_looking_back import show
from tests.browser.test_paying import sign_in
from tests.support.bars import SeededBar
from tests.support.door import Served

PAGES = {
    "": "settings",
    "/menu": "settings-menu",
    "/tables": "settings-tables",
    "/bar": "settings-bar",
    "/mpesa": "settings-mpesa",
    "/mpesa/credentials/sandbox": "settings-mpesa-keys",
    "/mpesa/connection": "settings-mpesa-connection",
    "/mpesa/payment": "settings-mpesa-payment",
    "/mpesa/environment": "settings-mpesa-environment",
    "/mpesa/readiness": "settings-mpesa-readiness",
    "/mpesa/till": "settings-mpesa-till",
}
DISHES = (
    ("Beer", "Tusker lager 500 ml", 300), ("Beer", "White Cap 500 ml", 320), ("Beer", "Guinness 500 ml", 350),
    ("Soft drinks", "Stoney 300 ml", 100), ("Soft drinks", "Water 500 ml", 80), ("Kitchen", "Nyama choma ½ kg", 650),
    ("Kitchen", "Chips masala", 250), ("Kitchen", "Kachumbari", 80),
)  # fmt: skip


@pytest.mark.prove
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (820, "light"), (1440, "dark")])
async def test_the_settings_as_pictures(
    opened: Opener, application: Served, bar: SeededBar, width: int, scheme: str
) -> None:
    rows = [Wanted(category, name, price, name != "Kachumbari") for category, name, price in DISHES]
    await menus.import_menu(application.rt, bar.id, rows, "staff:test", retire_others=True)
    page = await opened("/staff/login", width=width, scheme=scheme)
    await sign_in(page, bar, owner=True)
    for path, name in PAGES.items():
        await page.goto(f"/staff/settings{path}")
        await show(page, f"staff-{name}")
