"""The SQL roles of an installation: made, given exactly the rights that the migrations name, and handed the tables.

One transaction brings any database to the same picture: what a role has beyond it is taken away. What changed is read
back from PostgreSQL's own catalogue, so that a second run says that nothing did, and a dry run is the same work taken
back at the end.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from kaunta.core.database_roles import Role
from kaunta.core.db import Connection
from kaunta.core.entropy import Entropy
from kaunta.core.errors import Conflict
from kaunta.core.secret import Secret
from kaunta.diagnostics.rights import EVERY_TABLE, TABLE, scripts, words

#: As PostgreSQL itself does it.
SCRAM_ROUNDS = 4_096
#: The roles that the migrations give rights to.
GRANTED = (Role.APP, Role.WORKER, Role.READER)
STATEMENT = re.compile(
    r"\b(?P<verb>grant|revoke)\s+(?P<rights>[^;]+?)\s+on\s+(?P<on>[^;]+?)\s+(?:to|from)\s+(?P<roles>[^;]+?);",
    re.IGNORECASE,
)
VIEW = re.compile(r"^create (?:or replace )?view (\w+)\b", re.MULTILINE)
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class RolesRefused(Conflict):
    """The roles cannot be laid out like this."""

    code = "roles_refused"


@dataclass(frozen=True, slots=True)
class NewLogin:
    """A login that is to work under a role. Without a password it comes in as `pg_hba.conf` lets it: over the socket,
    say."""

    name: str
    role: Role
    password: Secret | None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name in {role.value for role in Role}:
            raise RolesRefused(
                "A login's name has small letters, digits and underscores, and is not one of the roles' names."
            )


STATE = """
with ours as (
    select c.oid, c.relname, c.relkind, c.relacl, c.relowner from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
      and c.oid not in (select objid from pg_catalog.pg_depend where deptype = 'e')
), logins as (
    select oid, rolname from pg_catalog.pg_roles where rolname = any($1::text[])
), functions as (
    select p.oid, p.proname, p.proacl, p.proowner, p.oid::regprocedure::text as named from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and p.oid not in (select objid from pg_catalog.pg_depend where deptype = 'e')
)
select 'role ' || rolname as line from logins
union all
select 'role ' || m.rolname || ' in ' || g.rolname from pg_catalog.pg_auth_members a
join pg_catalog.pg_roles g on g.oid = a.roleid join pg_catalog.pg_roles m on m.oid = a.member
where g.rolname = any($1::text[])
union all
select 'login ' || rolname from pg_catalog.pg_roles where rolname = $2 and rolcanlogin
union all
select l.rolname || ': ' || lower(a.privilege_type) || ' on ' || o.relname
from ours o, aclexplode(o.relacl) a, logins l where l.oid = a.grantee and a.grantee <> o.relowner
union all
select l.rolname || ': ' || lower(a.privilege_type) || ' (' || t.attname || ') on ' || o.relname
from ours o join pg_catalog.pg_attribute t on t.attrelid = o.oid, aclexplode(t.attacl) a, logins l
where l.oid = a.grantee
union all
select l.rolname || ': execute on ' || f.named from functions f, aclexplode(f.proacl) a, logins l
where l.oid = a.grantee and a.grantee <> f.proowner
union all
select l.rolname || ': ' || lower(a.privilege_type) || ' on the schema'
from pg_catalog.pg_namespace n, aclexplode(n.nspacl) a, logins l where n.nspname = 'public' and l.oid = a.grantee
union all
select 'everybody: create on the schema' from pg_catalog.pg_namespace n, aclexplode(n.nspacl) a
where n.nspname = 'public' and a.grantee = 0 and a.privilege_type = 'CREATE'
union all
select 'owner of ' || o.relname || ': ' || pg_get_userbyid(o.relowner) from ours o
union all
select 'owner of ' || f.named || ': ' || pg_get_userbyid(f.proowner) from functions f
union all
select 'owner of ' || t.typname || ': ' || pg_get_userbyid(t.typowner) from pg_catalog.pg_type t
where t.typnamespace = 'public'::regnamespace and t.typtype = 'e'
"""

#: What is not the migrator's yet. A partition, an index and a table's own sequence go with their table, or by name.
NOT_OWNED = """
select case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end as kind,
       format('%I', c.relname) as name
from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
  and c.relowner <> to_regrole($1)
  and not exists (
      select from pg_catalog.pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass
        and (d.deptype = 'e' or d.deptype in ('a', 'i') and d.refclassid = 'pg_class'::regclass and c.relkind = 'S'))
union all
select 'function', p.oid::regprocedure::text from pg_catalog.pg_proc p
where p.pronamespace = 'public'::regnamespace and p.proowner <> to_regrole($1)
  and p.oid not in (select objid from pg_catalog.pg_depend where deptype = 'e')
union all
select 'type', format('%I', t.typname) from pg_catalog.pg_type t
where t.typnamespace = 'public'::regnamespace and t.typtype = 'e' and t.typowner <> to_regrole($1)
order by 1, 2
"""

#: Whose they are so far, as far as they need a right to anything.
OWNERS = """
select distinct quote_ident(r.rolname) as name from pg_catalog.pg_class c
join pg_catalog.pg_roles r on r.oid = c.relowner
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not r.rolsuper
  and r.rolname <> $1 and r.rolname <> session_user
"""


async def lay_out(db: Connection, login: NewLogin | None, entropy: Entropy, *, dry_run: bool) -> list[str]:
    """Make it so, and say what changed: a line each, `+` for what is new and `-` for what is gone.

    Needs a login that owns the tables and may create roles, or a superuser.
    """
    transaction = db.transaction()
    await transaction.start()
    try:
        before = await state(db, login)
        for role in Role:
            if not await db.fetchval("select to_regrole($1) is not null", role.value):
                await db.execute(f"create role {role.value} nologin")
        await memberships(db)
        await rights(db)
        await ownership(db)
        if login is not None:
            await give(db, login, entropy)
        after = await state(db, login)
        password_set = login is not None and login.password is not None
    except BaseException:
        await transaction.rollback()
        raise
    if dry_run or (before == after and not password_set):
        # Nothing that every process would have to read again for nothing.
        await transaction.rollback()
    else:
        await transaction.commit()
    return [f"+ {line}" for line in sorted(after - before)] + [f"- {line}" for line in sorted(before - after)]


async def state(db: Connection, login: NewLogin | None) -> set[str]:
    rows = await db.fetch(STATE, [role.value for role in Role], login.name if login else None)
    return {row["line"] for row in rows}


async def memberships(db: Connection) -> None:
    """`kaunta serve` does both kinds of work; whoever lays this out may take on each role."""
    await db.execute(f"grant {Role.APP}, {Role.WORKER} to {Role.SERVE}")
    for role in Role:
        may = await db.fetchval("select pg_has_role(session_user, $1::text, 'MEMBER')", role.value)
        direct = await db.fetchval(
            """
            select exists (select from pg_catalog.pg_auth_members a join pg_catalog.pg_roles m on m.oid = a.member
                           where a.roleid = to_regrole($1) and m.rolname = session_user
                             and coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)
                             and coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, true))
            """,
            role.value,
        )
        if not direct and not (may and await is_superuser(db)):
            await db.execute(f"grant {role.value} to session_user")


async def is_superuser(db: Connection) -> bool:
    return bool(await db.fetchval("select rolsuper from pg_catalog.pg_roles where rolname = session_user"))


async def rights(db: Connection) -> None:
    """What the migrations grant, and nothing else, on every table, sequence and function of ours."""
    everyone = ", ".join(role.value for role in (*GRANTED, Role.SERVE))
    for kind in ("tables", "sequences", "functions"):
        await db.execute(f"revoke all on all {kind} in schema public from {everyone}")
    await db.execute("revoke create on schema public from public")
    await db.execute(f"grant usage on schema public to {everyone}, {Role.MIGRATOR}")
    await db.execute(f"grant create on schema public to {Role.MIGRATOR}")
    there: list[str] = ["alembic_version"]
    for script in scripts():
        there += TABLE.findall(script) + [name for name in VIEW.findall(script) if name not in there]
        for one in STATEMENT.finditer(script):
            on = " ".join(one["on"].split())
            if on == EVERY_TABLE:
                # Every table that there was when the migration ran.
                on = ", ".join(there)
            if "%" in on:
                continue
            preposition = "to" if one["verb"].lower() == "grant" else "from"
            roles = ", ".join(words(one["roles"]))
            await db.execute(f"{one['verb']} {one['rights']} on {on} {preposition} {roles}")
    # pg_dump reads a month by its own name, and where a sequence stands.
    for partition in await db.fetch(
        "select inhrelid::regclass::text as name from pg_catalog.pg_inherits i join pg_catalog.pg_class c "
        "on c.oid = i.inhrelid where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
    ):
        await db.execute(f"grant select on {partition['name']} to {Role.WORKER}")
    await db.execute(f"grant select on all sequences in schema public to {Role.WORKER}")


async def ownership(db: Connection) -> None:
    """Tables, sequences, views, functions and types belong to the migrator; the login that owned them is in it."""
    for owner in await db.fetch(OWNERS, Role.MIGRATOR.value):
        # Else whoever ran everything until now would be shut out of what was theirs.
        await db.execute(f"grant {', '.join(role.value for role in Role)} to {owner['name']}")
    for one in await db.fetch(NOT_OWNED, Role.MIGRATOR.value):
        await db.execute(f"alter {one['kind']} {one['name']} owner to {Role.MIGRATOR}")


async def give(db: Connection, login: NewLogin, entropy: Entropy) -> None:
    """The login, made where it is missing; its password goes to the server as a verifier, as no log could be told."""
    if not await db.fetchval("select to_regrole($1) is not null", login.name):
        await db.execute(f"create role {login.name} login noinherit")
    kind = await db.fetchrow("select rolcanlogin, rolsuper from pg_catalog.pg_roles where rolname = $1", login.name)
    if kind is None or not kind["rolcanlogin"] or kind["rolsuper"]:
        raise RolesRefused("There is a role of this name that is a superuser, or that nobody can log in as.")
    others = [role.value for role in Role if role is not login.role]
    await db.execute(f"revoke {', '.join(others)} from {login.name}")
    await db.execute(f"grant {login.role.value} to {login.name}")
    # Its connections begin in the role, whatever program makes them.
    await db.execute(f"alter role {login.name} in database {await here(db)} set role to {login.role.value}")
    if login.password is not None:
        verifier = scram(login.password, entropy)
        await db.execute(f"alter role {login.name} password '{verifier}'")


async def here(db: Connection) -> str:
    name: str = await db.fetchval("select quote_ident(current_database())")
    return name


def scram(password: Secret, entropy: Entropy) -> str:
    """The SCRAM-SHA-256 verifier of a password (RFC 5803), as PostgreSQL keeps it."""
    salt = entropy.bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.reveal().encode(), salt, SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{parts[0]}${parts[1]}:{parts[2]}"
