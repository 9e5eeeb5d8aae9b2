"""Accounts and roles."""

import re
from typing import Literal, get_args
from uuid import UUID

from kaunta.access import queries
from kaunta.access.passwords import hashed
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.errors import BadRequest, Conflict

Role = Literal["waiter", "cashier", "manager", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
USERNAME = re.compile(r"[A-Za-z0-9._@+-]{2,100}")


class UsernameTaken(Conflict):
    """Somebody has this user name already."""

    code = "username_taken"


async def add_account(
    db: Connection,
    clock: Clock,
    username: str,
    name: str,
    password: str,
    *,
    administrator: bool = False,
    by: str,
) -> UUID:
    """A new account in the caller's transaction. Raises `BadRequest`, `PasswordRefused`, `UsernameTaken`."""
    return await add_account_with_hash(
        db, clock, username, name, await hashed(password), administrator=administrator, by=by
    )


async def add_account_with_hash(
    db: Connection, clock: Clock, username: str, name: str, hash_: str, *, administrator: bool = False, by: str
) -> UUID:
    """The same, where the slow hashing was done before the transaction. Raises `BadRequest`, `UsernameTaken`."""
    if not USERNAME.fullmatch(username):
        raise BadRequest("A user name has 2 to 100 letters, digits or . _ @ + -")
    account_id = await queries.insert_account(db, username, name or username, hash_, administrator)
    if account_id is None:
        raise UsernameTaken
    await audit(db, clock, by, "account.added", "account", account_id, administrator=administrator)
    return account_id


async def set_role(db: Connection, clock: Clock, account_id: UUID, bar_id: UUID, role: Role, *, by: str) -> None:
    """Give an account a role at a bar, in the caller's transaction."""
    await queries.set_member(db, account_id, bar_id, role)
    await audit(db, clock, by, "role.set", "account", account_id, bar_id=bar_id, role=role)
