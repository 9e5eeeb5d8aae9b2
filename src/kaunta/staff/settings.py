"""Settings: where each part of them is, for those who may change it."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from kaunta.access.roles import May
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Section:
    """One page of the settings; `may`: who sees the way there."""

    title: str
    path: str
    may: May
    words: str


SECTIONS = (
    Section("Menu", "/staff/settings/menu", May.MENU, "Items, prices, what is sold out, and the whole menu as a file."),
    Section("Tables", "/staff/settings/tables", May.MENU, "Add, rename and retire tables; print their cards."),
    Section("Bar and limits", "/staff/settings/bar", May.BAR, "The bar’s name, ways to pay, who decides up to what."),
    Section("M-Pesa", "/staff/settings/mpesa", May.SWITCH, "On and off, keys, tests, going live, the checklist."),
    Section(
        "Diagnosis",
        "/staff/settings/diagnosis",
        May.CREDENTIALS,
        "What is wrong with this installation, the cause first, and what mends it.",
    ),
    Section("Webhooks", "/staff/settings/webhooks", May.CREDENTIALS, "Programs that are told of payments."),
    Section("People", "/staff/people", May.PEOPLE, "Who works here, and in which role."),
)


@router.get("/staff/settings")
async def show_settings(request: Request, seat: AtCounter) -> Response:
    """The parts that this role may change."""
    seat.require(May.BAR)
    return counter_page(request, "settings.html", seat, sections=[part for part in SECTIONS if seat.may(part.may)])
