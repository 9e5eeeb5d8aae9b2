"""One line of the audit log, in the transaction of what it tells. A payment's changes are their own audit rows."""

from typing import Any
from uuid import UUID

from kaunta.core import queries
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.origin import with_origin
from kaunta.core.redaction import typed, without_secrets


async def audit(
    db: Connection,
    clock: Clock,
    actor: str,
    action: str,
    object_kind: str,
    object_id: UUID | str,
    *,
    bar_id: UUID | None = None,
    outcome: str = "ok",
    reason: str | None = None,
    **detail: Any,
) -> None:
    """Write who did what to which object; `detail` holds no secret and no phone. What people typed is made so."""
    await queries.append_audit(
        db, clock.now(), bar_id, actor, action, object_kind, str(object_id), outcome,
        None if reason is None else without_secrets(reason), with_origin(actor, typed(detail)),
    )  # fmt: skip
