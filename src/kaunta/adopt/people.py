"""What becomes of the people and of the menus.

The old roles are taken over as they stand, and told one by one: anybody could once make themselves the owner of any bar
there. Nobody's password comes along; each person is given a new one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.access.accounts import USERNAME, Role
from kaunta.adopt.amounts import counts, nearest, up
from kaunta.adopt.decisions import Asked, Topic
from kaunta.adopt.old import OldDish, OldMember

#: No hash of any password: nobody signs in with it until one is set.
NO_PASSWORD = "!"  # noqa: S105 - on purpose
DEAREST = 1_000_000


@dataclass(frozen=True, slots=True)
class NewPerson:
    id: UUID
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class NewMember:
    account_id: UUID
    bar_id: UUID
    role: Role


@dataclass(frozen=True, slots=True)
class NewDish:
    id: UUID
    category: str
    name: str
    price: int
    available: bool
    position: int
    created_at: datetime


def adopted_people(old: Iterable[OldMember], asked: Asked) -> tuple[list[NewPerson], list[NewMember]]:
    """One account a person, one role a person and bar."""
    people: dict[UUID, NewPerson] = {}
    taken: set[str] = set()
    members = []
    for member in old:
        if member.user_id not in people:
            username = member.email or ""
            if not USERNAME.fullmatch(username) or username.casefold() in taken:
                username = f"user-{member.user_id.hex[:12]}"
            taken.add(username.casefold())
            name = (member.name or "").strip()[:100] or username.partition("@")[0]
            people[member.user_id] = NewPerson(member.user_id, username, name)
        members.append(NewMember(member.user_id, member.bar_id, role_of(member, asked)))
    return list(people.values()), members


def role_of(member: OldMember, asked: Asked) -> Role:
    match member.role:
        case "owner":
            return "owner"
        case "manager":
            return "manager"
        case _:
            answer = asked.ask(Topic.STAFF, member.bar_id, member.user_id)
            return "cashier" if answer == "cashier" else "waiter"


def adopted_menu(old: Iterable[OldDish], bar_id: UUID, asked: Asked, now: datetime) -> tuple[list[NewDish], int]:
    """A menu in whole shillings, and how many dishes had no price that could be one."""
    found: list[NewDish] = []
    left = 0
    for dish in old:
        price = 0
        if dish.price is not None and counts(dish.price):
            price = nearest(dish.price)
            if dish.price != price and asked.ask(Topic.CENTS, bar_id, dish.id) == "guest":
                price = int(dish.price) or up(dish.price)
        if not 1 <= price <= DEAREST or not (dish.name or "").strip():
            left += 1
            continue
        found.append(
            NewDish(
                id=dish.id,
                category=(dish.category or "").strip()[:60] or "Menu",
                name=(dish.name or "").strip()[:80],
                price=price,
                available=dish.available is not False,
                position=len(found),
                created_at=dish.created_at or now,
            )
        )
    return found, left
