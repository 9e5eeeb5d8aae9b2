"""What must be true before a bar takes real money: each gate is looked at, none is a tick in a box.

They are asked of one version of the production credentials, whatever the bar's environment is; a new version begins
anew. They hold wherever real money could move. A stand-in for Safaricom on this machine takes none: there they are
shown and do not stand in the way, and the shortcode is typed all the same.
"""

from dataclasses import dataclass

from kaunta.bars import queries
from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime
from kaunta.credentials import store
from kaunta.credentials.queries import StoredRow
from kaunta.daraja.requests import CallbackUrlRefused, check_callback_url

#: How old a connection test may be.
FRESH_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Gate:
    """One thing that must be true. `detail`: what was found; `fix`: what to do where it is not."""

    name: str
    ok: bool
    detail: str
    fix: str


def enforced(rt: Runtime) -> bool:
    """Whether production's host is Safaricom itself."""
    return not rt.settings.speaks_to_simulator("production")


async def gates(db: Connection, rt: Runtime, row: StoredRow | None) -> tuple[Gate, ...]:
    """How things stand for going live with a bar's production credentials."""
    return (stored_gate(rt, row), connection_gate(rt, row), await payment_gate(db, row), callback_gate(rt))


def stored_gate(rt: Runtime, row: StoredRow | None) -> Gate:
    fix = "Enter shortcode, consumer key, consumer secret and passkey of the live app, and save them for later."
    if row is None:
        return Gate("credentials", False, "No production credentials are stored.", fix)
    fault = store.fault(rt, row.sealed)
    if fault is not None:
        return Gate("credentials", False, fault.detail, fix)
    return Gate("credentials", True, f"Version {row.sealed.version} is stored and opens.", fix)


def connection_gate(rt: Runtime, row: StoredRow | None) -> Gate:
    fix = "Test the connection with the stored production credentials."
    if row is None or not row.tested_well or row.tested_at is None:
        return Gate("connection_test", False, "This version has passed no connection test.", fix)
    if rt.clock.elapsed(row.tested_at) > FRESH_SECONDS:
        return Gate("connection_test", False, "The last connection test is more than 24 hours old.", fix)
    return Gate("connection_test", True, f"Passed at {row.tested_at.isoformat(timespec='seconds')}.", fix)


async def payment_gate(db: Connection, row: StoredRow | None) -> Gate:
    fix = "Make a test payment of 1 shilling with the stored production credentials, and pay it."
    at = None
    if row is not None:
        at = await queries.was_paid_and_called_back(db, row.sealed.credential_id, row.sealed.version)
    if at is None:
        return Gate("test_payment", False, "No payment with this version was paid and called back.", fix)
    return Gate(
        "test_payment", True, f"Paid, and Safaricom's callback came at {at.isoformat(timespec='seconds')}.", fix
    )


def callback_gate(rt: Runtime) -> Gate:
    fix = "Set KAUNTA_PUBLIC_URL to a public https address without a word that Safaricom forbids."
    try:
        # Which host it is, is all that matters: the path is ours.
        check_callback_url(f"{rt.settings.public_url}/cb/", "production")
    except CallbackUrlRefused as refused:
        return Gate("callback_url", False, f"Safaricom would not call back: {refused.reason}.", fix)
    return Gate("callback_url", True, f"{rt.settings.public_url} is fit for production.", fix)
