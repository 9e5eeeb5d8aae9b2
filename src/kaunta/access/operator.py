"""What the operator does to accounts from the command line: everybody at every bar, and the ways out of a lost phone
or password. Each is in the caller's transaction and in the audit, and ends the account's sessions."""

from dataclasses import dataclass
from uuid import UUID

from kaunta.access import queries
from kaunta.access.accounts import Role, set_role
from kaunta.access.passwords import hashed
from kaunta.access.people import NoSuchPerson, keep_an_owner
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection

BY = "operator"


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """An account and where it works, as "slug: role"."""

    username: str
    name: str
    active: bool
    administrator: bool
    second_factor: bool
    bars: tuple[str, ...]


async def accounts(db: Connection) -> list[AccountSummary]:
    """Every account, by user name."""
    return [
        AccountSummary(row.username, row.name, row.active, row.administrator, row.second_factor, tuple(row.bars))
        for row in await queries.all_accounts(db)
    ]


async def named(db: Connection, username: str) -> UUID:
    """The account of a user name, disabled or not. Raises `NoSuchPerson`."""
    id_ = await queries.account_id_named(db, username)
    if id_ is None:
        raise NoSuchPerson(f"There is no account {username}. `kaunta user list` shows them.")
    return id_


async def give_role(db: Connection, clock: Clock, username: str, bar_id: UUID, role: Role) -> None:
    """A role at a bar, new or another one. Raises `LastOwner`, `NoSuchPerson`."""
    account_id = await named(db, username)
    roles = await queries.lock_people(db, bar_id)
    if account_id in roles:
        keep_an_owner(roles, account_id, role)
    await set_role(db, clock, account_id, bar_id, role, by=BY)


async def reset_password(db: Connection, clock: Clock, username: str, password: str) -> None:
    """Another password. Raises `NoSuchPerson`, `PasswordRefused`."""
    account_id = await named(db, username)
    await queries.set_password_hash(db, account_id, await hashed(password), clock.now())
    await queries.delete_sessions_of(db, account_id, None)
    await audit(db, clock, BY, "password.reset", "account", account_id)


async def reset_second_factor(db: Connection, clock: Clock, username: str) -> None:
    """Without a second factor: its phone and its paper are lost. Raises `NoSuchPerson`."""
    account_id = await named(db, username)
    await queries.remove_second_factor(db, account_id)
    await queries.delete_sessions_of(db, account_id, None)
    await audit(db, clock, BY, "second_factor.reset", "account", account_id)


async def set_active(db: Connection, clock: Clock, username: str, *, active: bool) -> None:
    """Whether the account may sign in at all. Raises `NoSuchPerson`."""
    account_id = await named(db, username)
    await queries.set_active(db, account_id, active)
    await queries.delete_sessions_of(db, account_id, None)
    await audit(db, clock, BY, "account.enabled" if active else "account.disabled", "account", account_id)
