"""An installation whose audit is sealed, and the hands of somebody who owns its database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from kaunta.audit import anchors
from kaunta.audit.chain import keys_from
from kaunta.audit.sealing import seal
from kaunta.audit.verifying import Report, verify
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.payments.queries import events
from tests.support.cluster import earlier_transactions_ended

BAR = UUID(int=7)
PAYMENT = UUID(int=8)
PATIENCE = 60.0
SEALS = ("audit_digests", "audit_seals")


@dataclass(frozen=True, slots=True)
class SealedAudit:
    """Writes lines, seals them, follows the chain; `owner` is a superuser whom no trigger stops."""

    rt: Runtime

    async def write(self, *actions: str) -> None:
        """A line for each action, in a transaction of its own."""
        for action in actions:
            async with transaction(self.rt.db) as db:
                await audit(db, self.rt.clock, "staff:somebody", action, "bar", BAR, bar_id=BAR, note=action)

    async def happen(self, *kinds: str) -> None:
        """An event of a payment for each kind."""
        for kind in kinds:
            async with transaction(self.rt.db) as db:
                await events.append(db, self.rt.clock.now(), BAR, PAYMENT, kind, "safaricom", {"code": "0"})

    async def seal(self) -> None:
        """Seal all that is written, as one batch: none before the whole cluster's older transactions have ended."""
        await earlier_transactions_ended(self.rt.db)
        async with asyncio.timeout(PATIENCE):
            while True:
                while await seal(self.rt):
                    pass
                unsealed = await self.rt.db.fetchval(
                    """
                    select count(*) from audit_log l where not exists (
                        select from audit_digests d where d.kind = l.source and d.id = l.id and d.at = l.at)
                    """
                )
                if not unsealed:
                    return
                await asyncio.sleep(0.02)

    async def verify(self, *, heads: bool = True) -> Report:
        key = self.rt.settings.seal_key
        assert key is not None
        told = anchors.read(anchors.file_of(self.rt.settings.seal_folder)) if heads else []
        return await verify(self.rt.db, keys_from(key.get_secret_value()).keys, told)

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Connection]:
        async with transaction(self.rt.db) as db:
            await db.execute("set local session_replication_role = 'replica'")
            yield db

    async def ids(self, table: str = "audit_events") -> list[int]:
        return [row["id"] for row in await self.rt.db.fetch(f"select id from {table} order by xact, id")]

    async def forget_everything(self) -> None:
        """Begin anew, for the next example of a property."""
        async with self.owner() as db:
            for table in (*SEALS, "payment_events", "refund_events", "audit_events", "audit_forgettings"):
                await db.execute(f"truncate {table} cascade")
            await db.execute(
                "update audit_marks set xact = '0', id = 0, elsewhere_xact = '0', elsewhere_id = 0;"
                "update audit_watch set next_at = '-infinity', checked_at = null, findings = null"
            )
        anchors.file_of(self.rt.settings.seal_folder).unlink(missing_ok=True)


@pytest.fixture
def sealed_rt(rt: Runtime, tmp_path: Path) -> Runtime:
    """The test's runtime with a key for the audit's seal."""
    key = SecretStr(generate_entry(Entropy(), "s1"))
    return replace(
        rt, settings=rt.settings.model_copy(update={"seal_key": key, "seal_folder": str(tmp_path / "seals")})
    )


@pytest.fixture
def sealed(sealed_rt: Runtime) -> SealedAudit:
    return SealedAudit(sealed_rt)
