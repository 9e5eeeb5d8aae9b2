"""Signing in and out. A session is a row under the hash of its token; the token is new whenever more is proved.

Who has a second factor is asked for it after the password: until then the session opens nothing but that question.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.access import queries
from kaunta.access.accounts import USERNAME
from kaunta.access.known_devices import KNOWN_SECONDS, device_hash, known_device
from kaunta.access.passwords import NOBODY, crowded, hashed, matches
from kaunta.access.queries import MembershipRow as Membership
from kaunta.access.second_factor import WrongCode, accept_code
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import Forbidden, KauntaError, NotFound
from kaunta.core.runtime import Runtime
from kaunta.core.source import counted

#: A shift and its close.
SESSION_SECONDS = 14 * 3600
#: How long ago password and code may have been entered for what asks for a recent proof.
PROVED_SECONDS = 600
#: Wrong passwords for one name from one address before it has to wait. By address too, so that nobody can lock
#: somebody else out from afar; and a browser known to the name counts for itself, so that nobody can do it from the
#: next table, behind the same Wi-Fi.
FAILURES, WINDOW_SECONDS = 8, 900
#: Wrong codes of one account in the same time, from all unknown browsers together: there are only a million codes, and
#: whoever has the password may have a thousand addresses. Nobody without it comes so far.
WRONG_CODES = 30


class TooManySignIns(KauntaError):
    """Too many wrong passwords or codes. Wait a quarter of an hour, or ask the owner for a new one."""

    status = 429
    code = "too_many_sign_ins"


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """The cookie's value and the token that every form carries. `second_factor_due`: a code must follow. `device`: by
    what the browser is known from now on, once all is proved."""

    token: str
    csrf: str
    second_factor_due: bool = False
    device: str | None = None


class ProofNeeded(Forbidden):
    """Enter your password again: this needs a recent one."""

    code = "proof_needed"


class WrongPassword(Forbidden):
    """The password is not right."""

    code = "wrong_password"


@dataclass(frozen=True, slots=True, repr=False)
class StaffSession:
    account_id: UUID
    username: str
    name: str
    csrf: str
    is_administrator: bool
    second_factor_due: bool
    has_second_factor: bool
    proved_at: datetime
    bars: tuple[Membership, ...]
    current: Membership | None

    @property
    def owns(self) -> bool:
        """Whether they own any bar."""
        return any(membership.role == "owner" for membership in self.bars)

    def at(self, bar_id: UUID) -> Membership | None:
        """The membership at a bar; None to a stranger."""
        return next((membership for membership in self.bars if membership.bar_id == bar_id), None)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def sign_in(
    rt: Runtime, user: str, password: str, source: str | None, device: str | None = None
) -> SignedIn | None:
    """A new session, or None where name and password do not match. Raises `TooManySignIns`.

    `device`: the cookie of a browser that was signed in before.
    """
    possible = USERNAME.fullmatch(user) is not None
    known = device_hash(rt, user, device) if possible else None
    if known is None and crowded():
        raise TooManySignIns(retryAfter=60)
    attempt = await counted_attempt(rt, user if possible else "nobody's name", source, known)
    async with rt.db.acquire() as db:
        account = await queries.account_by_username(db, user) if possible else None
    right = await matches(account.password_hash if account else NOBODY, password[:500], known=known is not None)
    if account is None or not right:
        return None
    token, csrf = rt.entropy.token(), rt.entropy.token()
    async with transaction(rt.db) as db:
        # Who changes a password ends every session; one that begins by the old one at that moment would outlive it.
        if not await queries.hold_password(db, account.id, account.password_hash):
            return None
        await queries.set_sign_in_succeeded(db, attempt)
        bars = await queries.memberships(db, account.id)
        await queries.insert_session(
            db,
            token_hash(token),
            account.id,
            bars[0].bar_id if bars else None,
            csrf,
            second_factor_due=account.has_second_factor,
            at=rt.clock.now(),
            until=rt.clock.after(SESSION_SECONDS),
        )
        kind = "password_entered" if account.has_second_factor else "signed_in"
        await audit(db, rt.clock, f"staff:{account.id}", kind, "account", account.id)
    # Who knows the password alone is not known yet: each sign-in would give them codes to guess anew.
    whole = not account.has_second_factor
    return SignedIn(token, csrf, account.has_second_factor, kept_device(rt, user, device) if whole else None)


def kept_device(rt: Runtime, user: str, device: str | None) -> str:
    """The browser's own cookie where it is good, else a new one."""
    if device and device_hash(rt, user, device) is not None:
        return device
    return known_device(rt, user, rt.clock.after(KNOWN_SECONDS))


async def counted_attempt(
    rt: Runtime, user: str, source: str | None, device: bytes | None, most: int = FAILURES
) -> int:
    """An attempt that counts as failed until it has succeeded: a known browser's apart. Raises `TooManySignIns`."""
    name_hash, source = rt.keys.index("username", user.lower()), counted(source)
    async with transaction(rt.db) as db:
        await queries.lock_sign_ins(db, name_hash)
        failures = await queries.failed_sign_ins(db, name_hash, source, device, rt.clock.before(WINDOW_SECONDS))
        if failures >= most:
            raise TooManySignIns(retryAfter=WINDOW_SECONDS)
        return await queries.insert_sign_in(db, name_hash, source, device, rt.clock.now())


async def prove(
    rt: Runtime,
    token: str,
    session: StaffSession,
    password: str | None,
    code: str,
    source: str | None,
    device: str | None = None,
) -> SignedIn:
    """Password, where given, and code are entered in a session that exists: after the sign-in (the code alone), or
    again before something that needs a recent proof. The session goes on under a new token.

    Raises `TooManySignIns`, `WrongPassword`, `WrongCode`.
    """
    known = device_hash(rt, session.username, device)
    attempts = [await counted_attempt(rt, session.username, source, known)]
    if session.has_second_factor:
        # No user's name has a blank in it: these are counted by themselves.
        attempts.append(await counted_attempt(rt, f"codes of {session.account_id}", None, known, WRONG_CODES))
    if password is not None:
        async with rt.db.acquire() as db:
            account = await queries.account(db, session.account_id)
        right = await matches(account.password_hash if account else NOBODY, password[:500], known=True)
        if not right or account is None:
            raise WrongPassword
    fresh, csrf = rt.entropy.token(), rt.entropy.token()
    async with transaction(rt.db) as db:
        if session.has_second_factor and not await accept_code(db, rt, session.account_id, code):
            raise WrongCode
        for attempt in attempts:
            await queries.set_sign_in_succeeded(db, attempt)
        await queries.replace_token(db, token_hash(token), token_hash(fresh), csrf, rt.clock.now())
        kind = "signed_in" if session.second_factor_due else "proved_again"
        await audit(db, rt.clock, f"staff:{session.account_id}", kind, "account", session.account_id)
    return SignedIn(fresh, csrf, device=kept_device(rt, session.username, device))


def require_proof(rt: Runtime, session: StaffSession) -> None:
    """Raises `ProofNeeded` where password and code were entered too long ago."""
    if rt.clock.elapsed(session.proved_at) > PROVED_SECONDS:
        raise ProofNeeded


async def session_of(rt: Runtime, token: str | None) -> StaffSession | None:
    """The session a cookie's token opens, once all that is asked for was proved."""
    session = await unfinished_session(rt, token)
    if session is None or session.second_factor_due or second_factor_missing(rt, session):
        return None
    return session


def second_factor_missing(rt: Runtime, session: StaffSession) -> bool:
    """An owner who takes real money in needs a second factor before anything else."""
    return rt.settings.mode == "production" and session.owns and not session.has_second_factor


async def unfinished_session(rt: Runtime, token: str | None) -> StaffSession | None:
    """The session a cookie's token opens, even where the second factor is still to come: it may be asked for that."""
    if not token:
        return None
    async with rt.db.acquire() as db:
        row = await queries.session(db, token_hash(token), rt.clock.now())
        if row is None:
            return None
        bars = tuple(await queries.memberships(db, row.account_id))
    current = next((bar for bar in bars if bar.bar_id == row.bar_id), bars[0] if bars else None)
    return StaffSession(
        row.account_id,
        row.username,
        row.name,
        row.csrf,
        row.is_administrator,
        row.second_factor_due,
        row.has_second_factor,
        row.proved_at,
        bars,
        current,
    )


async def sign_out_elsewhere(rt: Runtime, token: str, session: StaffSession) -> int:
    """End every other session of this account; how many there were."""
    async with transaction(rt.db) as db:
        gone = await queries.delete_sessions_of(db, session.account_id, token_hash(token))
        await audit(
            db,
            rt.clock,
            f"staff:{session.account_id}",
            "signed_out_elsewhere",
            "account",
            session.account_id,
            ended=gone,
        )
    return gone


async def change_password(rt: Runtime, token: str, session: StaffSession, password: str) -> None:
    """A new password; every other session ends. Raises `PasswordRefused`, `ProofNeeded`."""
    require_proof(rt, session)
    hash_ = await hashed(password)
    async with transaction(rt.db) as db:
        await queries.set_password_hash(db, session.account_id, hash_, rt.clock.now())
        await queries.delete_sessions_of(db, session.account_id, token_hash(token))
        await audit(db, rt.clock, f"staff:{session.account_id}", "password.changed", "account", session.account_id)


async def choose_bar(rt: Runtime, token: str, session: StaffSession, bar_id: UUID) -> None:
    """Look at another of one's bars. Raises `NotFound` for a stranger's."""
    if session.at(bar_id) is None:
        raise NotFound
    async with transaction(rt.db) as db:
        await queries.choose_bar(db, token_hash(token), bar_id, rt.entropy.token())


async def sign_out(rt: Runtime, token: str) -> None:
    """End a session."""
    async with transaction(rt.db) as db:
        await queries.delete_session(db, token_hash(token))
