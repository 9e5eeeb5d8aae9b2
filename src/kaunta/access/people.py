"""The people of a bar: invited by a link, given a role, taken out again. A bar always keeps an owner."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.access import queries
from kaunta.access.accounts import Role, add_account_with_hash, set_role
from kaunta.access.passwords import hashed
from kaunta.access.queries import Invitation, Person
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, Conflict, NotFound
from kaunta.core.runtime import Runtime

INVITATION_SECONDS = 3 * 24 * 3600


class InvitationGone(NotFound):
    """This invitation is not good any more. Ask for a new one."""

    code = "invitation_gone"


class LastOwner(Conflict):
    """A bar keeps at least one owner. Make somebody else an owner first."""

    code = "last_owner"


class NoSuchPerson(NotFound):
    """Nobody of that name works at this bar."""

    code = "no_such_person"


@dataclass(frozen=True, slots=True, repr=False)
class Invited:
    """The link's token, which is never shown again."""

    token: str
    expires_at: datetime


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def invite(rt: Runtime, bar_id: UUID, role: Role, name: str, *, by: UUID) -> Invited:
    """An invitation to work at a bar, good for three days and one person. Raises `BadRequest`."""
    if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
        raise BadRequest("Write the person's name, at most 100 characters.")
    token, until = rt.entropy.token(), rt.clock.after(INVITATION_SECONDS)
    async with transaction(rt.db) as db:
        await queries.insert_invitation(db, token_hash(token), bar_id, role, name.strip(), by, rt.clock.now(), until)
        await audit(db, rt.clock, f"staff:{by}", "person.invited", "bar", bar_id, bar_id=bar_id, role=role)
    return Invited(token, until)


async def look_at(rt: Runtime, token: str) -> Invitation:
    """What a link invites to. Raises `InvitationGone`."""
    async with transaction(rt.db) as db:
        found = await queries.invitation(db, token_hash(token), rt.clock.now())
    if found is None:
        raise InvitationGone
    return found


async def accept_with_new_account(rt: Runtime, token: str, username: str, password: str) -> None:
    """Somebody new comes to the bar.

    Raises `InvitationGone`, `BadRequest`, `PasswordRefused`, `UsernameTaken`; then the link is good as before.
    """
    hash_ = await hashed(password)
    async with transaction(rt.db) as db:
        found = await queries.invitation(db, token_hash(token), rt.clock.now())
        if found is None:
            raise InvitationGone
        account_id = await add_account_with_hash(db, rt.clock, username, found.name, hash_, by="invitation")
        await set_role(db, rt.clock, account_id, found.bar_id, as_role(found.role), by="invitation")
        await queries.set_accepted(db, token_hash(token), account_id, rt.clock.now())


async def accept_with_account(rt: Runtime, token: str, account_id: UUID) -> None:
    """Somebody who has an account comes to one more bar. Raises `Conflict`, `InvitationGone`."""
    async with transaction(rt.db) as db:
        found = await queries.invitation(db, token_hash(token), rt.clock.now())
        if found is None:
            raise InvitationGone
        if account_id in await queries.lock_people(db, found.bar_id):
            raise Conflict("You work at this bar already.")
        await set_role(db, rt.clock, account_id, found.bar_id, as_role(found.role), by="invitation")
        await queries.set_accepted(db, token_hash(token), account_id, rt.clock.now())


def as_role(text: str) -> Role:
    """A role as typed or stored. Raises `BadRequest`."""
    match text:
        case "waiter" | "cashier" | "manager" | "owner":
            return text
        case _:
            raise BadRequest("A role is waiter, cashier, manager or owner.")


async def change_role(rt: Runtime, bar_id: UUID, account_id: UUID, role: Role, *, by: str) -> None:
    """Another role at this bar. Raises `LastOwner`, `NoSuchPerson`."""
    async with transaction(rt.db) as db:
        keep_an_owner(await queries.lock_people(db, bar_id), account_id, role)
        await set_role(db, rt.clock, account_id, bar_id, role, by=by)


async def remove(rt: Runtime, bar_id: UUID, account_id: UUID, *, by: str) -> None:
    """They work here no more, from their next click on. Raises `LastOwner`, `NoSuchPerson`."""
    async with transaction(rt.db) as db:
        keep_an_owner(await queries.lock_people(db, bar_id), account_id, None)
        await queries.remove_member(db, bar_id, account_id)
        await audit(db, rt.clock, by, "person.removed", "account", account_id, bar_id=bar_id)


def keep_an_owner(roles: dict[UUID, str], account_id: UUID, role: Role | None) -> None:
    """Raises `LastOwner`, `NoSuchPerson`. The caller holds the rows."""
    if account_id not in roles:
        raise NoSuchPerson
    owners = {who for who, held in roles.items() if held == "owner"}
    if role != "owner" and owners == {account_id}:
        raise LastOwner


async def people_of(rt: Runtime, bar_id: UUID) -> tuple[list[Person], list[Invitation]]:
    """Who works at a bar, and who is invited."""
    async with rt.db.acquire() as db:
        return await queries.people(db, bar_id), await queries.open_invitations(db, bar_id, rt.clock.now())


async def withdraw(rt: Runtime, bar_id: UUID, created_at: datetime, *, by: str) -> None:
    """Take an invitation back. Raises `InvitationGone`."""
    async with transaction(rt.db) as db:
        if not await queries.withdraw_invitations(db, bar_id, created_at):
            raise InvitationGone
        await audit(db, rt.clock, by, "invitation.withdrawn", "bar", bar_id, bar_id=bar_id)
