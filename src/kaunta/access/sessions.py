"""Signing in and out. A session is a row under the hash of its token; the token is new at each sign-in."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from kaunta.access import queries
from kaunta.access.accounts import USERNAME
from kaunta.access.passwords import NOBODY, matches
from kaunta.access.queries import MembershipRow as Membership
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import KauntaError, NotFound
from kaunta.core.runtime import Runtime

#: A shift and its close.
SESSION_SECONDS = 14 * 3600
#: Wrong passwords for one name from one address before it has to wait. By address too, so that nobody can lock
#: somebody else out from afar.
FAILURES, WINDOW_SECONDS = 8, 900


class TooManySignIns(KauntaError):
    """Too many wrong passwords. Wait a quarter of an hour, or ask the owner for a new one."""

    status = 429
    code = "too_many_sign_ins"


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """The cookie's value and the token that every form carries."""

    token: str
    csrf: str


@dataclass(frozen=True, slots=True, repr=False)
class StaffSession:
    account_id: UUID
    name: str
    csrf: str
    is_administrator: bool
    bars: tuple[Membership, ...]
    current: Membership | None

    def at(self, bar_id: UUID) -> Membership | None:
        """The membership at a bar; None to a stranger."""
        return next((membership for membership in self.bars if membership.bar_id == bar_id), None)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def sign_in(rt: Runtime, user: str, password: str, source: str | None) -> SignedIn | None:
    """A new session, or None where name and password do not match. Raises `TooManySignIns`."""
    possible = USERNAME.fullmatch(user) is not None
    name_hash = rt.keys.index("username", user.lower() if possible else "nobody's name")
    async with transaction(rt.db) as db:
        await queries.lock_sign_ins(db, name_hash)
        failures = await queries.failed_sign_ins(db, name_hash, source, rt.clock.before(WINDOW_SECONDS))
        if failures >= FAILURES:
            raise TooManySignIns(retryAfter=WINDOW_SECONDS)
        attempt = await queries.insert_sign_in(db, name_hash, source, rt.clock.now())
        account = await queries.account_by_username(db, user) if possible else None
    right = await matches(account.password_hash if account else NOBODY, password[:500])
    if account is None or not right:
        return None
    token, csrf = rt.entropy.token(), rt.entropy.token()
    async with transaction(rt.db) as db:
        await queries.set_sign_in_succeeded(db, attempt)
        bars = await queries.memberships(db, account.id)
        await queries.insert_session(
            db,
            token_hash(token),
            account.id,
            bars[0].bar_id if bars else None,
            csrf,
            rt.clock.now(),
            rt.clock.after(SESSION_SECONDS),
        )
        await audit(db, rt.clock, f"staff:{account.id}", "signed_in", "account", account.id)
    return SignedIn(token, csrf)


async def session_of(rt: Runtime, token: str | None) -> StaffSession | None:
    """The session a cookie's token opens."""
    if not token:
        return None
    async with rt.db.acquire() as db:
        row = await queries.session(db, token_hash(token), rt.clock.now())
        if row is None:
            return None
        bars = tuple(await queries.memberships(db, row.account_id))
    current = next((bar for bar in bars if bar.bar_id == row.bar_id), bars[0] if bars else None)
    return StaffSession(row.account_id, row.name, row.csrf, row.is_administrator, bars, current)


async def choose_bar(rt: Runtime, token: str, session: StaffSession, bar_id: UUID) -> None:
    """Look at another of one's bars. Raises `NotFound` for a stranger's."""
    if session.at(bar_id) is None:
        raise NotFound
    async with transaction(rt.db) as db:
        await queries.choose_bar(db, token_hash(token), bar_id)


async def sign_out(rt: Runtime, token: str) -> None:
    """End a session."""
    async with transaction(rt.db) as db:
        await queries.delete_session(db, token_hash(token))
