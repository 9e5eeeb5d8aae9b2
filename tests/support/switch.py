"""The switch as tests put it: any state of a bar's flag and credentials, planted past every guard, and looked at.

`rightful` is the rule (rulings 15) said once more, in Python, to judge what the SQL makes of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from kaunta.bars.values import Environment
from kaunta.core.db import Connection, Pool
from kaunta.core.migrate import MIGRATIONS
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials.store import place
from kaunta.daraja.client import Credential

ENVIRONMENTS: tuple[Environment, ...] = ("sandbox", "production")
SHORTCODES: Mapping[Environment, str] = {"sandbox": "174379", "production": "600000"}
SECRETS = ("consumer_key", "consumer_secret", "passkey")
environments = st.sampled_from(ENVIRONMENTS)
GUARD = MIGRATIONS / "sql" / "guard"


@dataclass(frozen=True, slots=True)
class State:
    """A bar's flag, its environment, and its credentials rows: active or not, by environment."""

    environment: Environment = "sandbox"
    flag: bool | None = False
    rows: Mapping[Environment, bool | None] = field(default_factory=dict)

    @property
    def rightful(self) -> bool:
        """What the flag must be: one row counts whatever its environment, of two that of the bar's."""
        if len(self.rows) == 1:
            return next(iter(self.rows.values())) is True
        return self.rows.get(self.environment) is True

    @property
    def right(self) -> bool:
        return self.flag is self.rightful


def states(*, consistent: bool = False, nulls: bool = False) -> st.SearchStrategy[State]:
    """None, one or two credentials rows; the flag as it should be, or anything."""
    boolean: st.SearchStrategy[bool | None] = st.sampled_from([True, False, None]) if nulls else st.booleans()
    any_state = st.builds(State, environments, boolean, st.dictionaries(environments, boolean, max_size=2))
    return (
        any_state.map(lambda state: State(state.environment, state.rightful, state.rows)) if consistent else any_state
    )


def secret_of(environment: Environment, name: str) -> str:
    """What the planted credentials hold, sealed."""
    return f"{environment}-{name.replace('_', '-')}-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Plot:
    """A bar whose switch is planted and looked at."""

    rt: Runtime
    bar_id: UUID

    def sealed(self, environment: Environment) -> list[bytes]:
        return [
            self.rt.keyring.seal(
                secret_of(environment, name).encode(), place(self.bar_id, environment, name, 1), self.rt.entropy
            )
            for name in SECRETS
        ]

    async def plant(self, state: State, *, tested: bool = False) -> None:
        """Make the bar so, whatever a guard says; open problems are forgotten, and a suspension ends."""
        async with self.rt.db.acquire() as db, db.transaction():
            await db.execute("set local session_replication_role = replica")
            await db.execute("delete from mpesa_credential_versions where bar_id = $1", self.bar_id)
            await db.execute("delete from mpesa_credentials where tenant_id = $1", self.bar_id)
            await db.execute("delete from problems where bar_id = $1", self.bar_id)
            await db.execute(
                "update bars set mpesa_environment = $2, mpesa_enabled = $3, mpesa_suspended_reason = null,"
                " mpesa_suspended_until = null where id = $1",
                self.bar_id, state.environment, state.flag,
            )  # fmt: skip
            for environment, active in state.rows.items():
                await self.insert(db, environment, active, tested=tested)

    async def insert(self, db: Connection, environment: Environment, active: bool | None, *, tested: bool) -> None:
        credential_id, sealed = uuid4(), self.sealed(environment)
        await db.execute(
            """
            insert into mpesa_credentials (id, tenant_id, environment, business_shortcode, consumer_key_enc,
                                           consumer_secret_enc, passkey_enc, is_active, test_status, tested_version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            credential_id, self.bar_id, environment, SHORTCODES[environment], *sealed, active,
            "success" if tested else "pending", 1 if tested else None,
        )  # fmt: skip
        await db.execute(
            """
            insert into mpesa_credential_versions (credential_id, version, bar_id, environment, business_shortcode,
                                                   consumer_key_enc, consumer_secret_enc, passkey_enc)
            values ($1, 1, $2, $3, $4, $5, $6, $7)
            """,
            credential_id, self.bar_id, environment, SHORTCODES[environment], *sealed,
        )  # fmt: skip

    async def state(self) -> State:
        """What is committed."""
        bar = await self.rt.db.fetchrow("select mpesa_environment, mpesa_enabled from bars where id = $1", self.bar_id)
        assert bar is not None
        rows = await self.rt.db.fetch(
            "select environment, is_active from mpesa_credentials where tenant_id = $1", self.bar_id
        )
        return State(
            bar["mpesa_environment"], bar["mpesa_enabled"], {row["environment"]: row["is_active"] for row in rows}
        )

    async def snapshot(self) -> dict[str, Any]:
        """Everything of the switch that is committed: nothing of it may be half done."""
        state = await self.state()
        rows = await self.rt.db.fetch(
            """
            select c.environment, c.is_active, c.version, c.business_shortcode, c.till_number, c.test_status,
                   c.tested_version, v.business_shortcode as of_version, c.passkey_enc = v.passkey_enc as same,
                   (select count(*) from mpesa_credential_versions w where w.credential_id = c.id) as versions
            from mpesa_credentials c
            left join mpesa_credential_versions v on v.credential_id = c.id and v.version = c.version
            where c.tenant_id = $1 order by 1
            """,
            self.bar_id,
        )
        return {"bar": (state.environment, state.flag), "rows": [dict(row) for row in rows]}

    async def problems(self) -> list[str]:
        """The kinds of the bar's open problems."""
        rows = await self.rt.db.fetch(
            "select kind from problems where bar_id = $1 and closed_at is null order by kind", self.bar_id
        )
        return [row["kind"] for row in rows]


def planted(environment: Environment, credential: Credential | None) -> bool:
    """Are these the credentials that were planted?"""
    return credential is not None and all(
        getattr(credential, name) == Secret(secret_of(environment, name)) for name in SECRETS
    )


async def guard(db: Connection | Pool, script: str) -> None:
    """`install` or `remove` the guard, by the script that operators use."""
    await db.execute((GUARD / f"{script}.sql").read_text(encoding="utf-8"))
