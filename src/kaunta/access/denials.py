"""Who tried to reach credentials and may not is on the record: one try is a mistake, many are a pattern that
`alerts.access_watch` looks for."""

from uuid import UUID

from kaunta.access.roles import May, RoleRefused
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime


async def note_denied(rt: Runtime, account_id: UUID, bar_id: UUID, error: RoleRefused) -> None:
    """Write a refusal down, where it was about credentials."""
    if error.what is not May.CREDENTIALS:
        return
    async with transaction(rt.db) as db:
        await audit(
            db, rt.clock, f"staff:{account_id}", "credentials.denied", "bar", bar_id, bar_id=bar_id, outcome="refused",
            reason="not this role",
        )  # fmt: skip
