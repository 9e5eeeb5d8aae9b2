"""The SQL role a process works under: no more rights than its work needs.

`kaunta db roles` makes the roles. From then on `serve` and `worker` take theirs with each connection, where their
login may: a slip in a query, or somebody who got into the process, finds a role that owns nothing and can change no
history. Before that, or with a login that has a role's rights by itself, nothing is taken on.
"""

from enum import StrEnum
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import SecretStr

from kaunta.core.db import connect
from kaunta.settings import Settings


class Role(StrEnum):
    """The roles, by what works under them."""

    #: Answers guests, the counter and Safaricom.
    APP = "kaunta_app"
    #: Does what nobody waits for.
    WORKER = "kaunta_worker"
    #: Both in one process, as `kaunta serve` does by itself.
    SERVE = "kaunta_serve"
    #: Reads, and not everything: for people with `psql`, and for reports.
    READER = "kaunta_reader"
    #: Owns every table and migrates.
    MIGRATOR = "kaunta_migrator"


MAY_TAKE = """
select exists (
    select from pg_catalog.pg_roles where rolname = $1
      and pg_has_role(session_user, oid,
                      case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
) and exists (select from pg_catalog.pg_roles where rolname = $2)
"""


async def role_for(url: str, wanted: Role) -> Role | None:
    """The role this login is to take on; None where `kaunta db roles` was not run, or the login may not."""
    async with connect(url) as db:
        # The migrations know the first three roles too: only the command makes the last one.
        may: bool = await db.fetchval(MAY_TAKE, wanted.value, Role.MIGRATOR.value)
    return wanted if may else None


def as_role(url: str, role: Role) -> str:
    """The address, whose connections begin in a role; PostgreSQL's own programs read it the same way."""
    parts = urlsplit(url)
    option = f"options={quote(f'-c role={role.value}')}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{option}" if parts.query else option))


async def narrowed(settings: Settings, wanted: Role) -> Settings:
    """The settings of a process that works under its role, if it may. Behind a pooler a role is its login's matter: a
    pooler refuses a connection that asks for one, or forgets it."""
    url = settings.database_url
    if url is None or settings.is_pooled or await role_for(url.get_secret_value(), wanted) is None:
        return settings
    narrow = SecretStr(as_role(url.get_secret_value(), wanted))
    return settings.model_copy(
        update={"database_url": narrow, "database_direct_url": narrow if settings.database_direct_url else None}
    )
