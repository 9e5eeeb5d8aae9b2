"""From the scratch schema into the tables, in the caller's one transaction.

A readable value is never replaced by anything but a readable one, and no version of credentials is ever replaced at
all: a payment is asked about with the version it was pushed with. So what differs comes back as a *new* version; what
is missing or does not open is mended in its place; and a switch that an owner has turned stays as it is.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kaunta.backups import queries
from kaunta.backups.create import Tools
from kaunta.backups.staging import Staged, relation
from kaunta.core.db import Connection, one_row
from kaunta.core.vault import Keyring, VaultError
from kaunta.credentials import queries as credential_queries
from kaunta.credentials import reencrypt_queries
from kaunta.credentials.queries import SealedCredential
from kaunta.credentials.store import place
from kaunta.keys import sealed_rows
from kaunta.keys.rotate import NotProved, faults_of
from kaunta.keys.sealed import BY_NAME, SealedTable

BARS_AT_ONCE = 200
#: Derived by a trigger from what is brought back.
DERIVED = frozenset({"mpesa_enabled"})
CREDENTIALS, VERSIONS = BY_NAME["mpesa_credentials"], BY_NAME["mpesa_credential_versions"]
FIELDS = ("consumer_key", "consumer_secret", "passkey")
Row = Mapping[str, Any]


@dataclass(slots=True)
class Swapped:
    """What became of what: rows added, mended in their place, set back to the backup's value as a new version, left as
    they are though they differ (`kept`), the same already, and those without a place (`homeless`)."""

    added: int = 0
    mended: int = 0
    set_back: int = 0
    kept: int = 0
    same: int = 0
    homeless: int = 0
    new_credentials: list[UUID] = field(default_factory=list)

    @property
    def changes(self) -> int:
        return self.added + self.mended + self.set_back


@dataclass(slots=True)
class Swap:
    """One swap. `keep_newer`: credentials that open stay as they are, also where the backup's differ."""

    db: Connection
    tools: Tools
    staged: Staged
    keep_newer: bool
    done: Swapped = field(default_factory=Swapped)
    touched: dict[str, set[tuple[Any, ...]]] = field(default_factory=dict)

    async def run(self) -> Swapped:
        """Bars in the order of their ids, each with all that is theirs; then what is nobody's."""
        async with aclosing(self.bar_ids()) as pages:
            async for ids in pages:
                await self.bring_bars(ids)
                await self.credentials_of(ids)
                await self.mend_of(BY_NAME["mpesa_initiators"], ids, same_place)
                await self.mend_of(BY_NAME["c2b_addresses"], ids, same_address)
                await self.mend_of(BY_NAME["webhook_endpoints"], ids, same_place)
        await self.mend_all(BY_NAME["data_keys"])
        await self.mend_all(BY_NAME["staff_accounts"], add=False)
        await self.prove()
        return self.done

    async def bar_ids(self) -> AsyncGenerator[list[UUID], None]:
        after = UUID(int=0)
        sql = f"select id from {relation('bars')} where id > $1 order by id limit $2"
        while rows := await self.db.fetch(sql, after, BARS_AT_ONCE):
            ids = [row["id"] for row in rows]
            yield ids
            after = ids[-1]

    async def bring_bars(self, ids: list[UUID]) -> None:
        """Bars that are gone come back; one whose name in addresses is another's now does not."""
        live = await queries.live_bars(self.db, ids)
        if missing := [id_ for id_ in ids if id_ not in live]:
            names = ", ".join(name for name in self.staged.columns["bars"] if name not in DERIVED)
            sql = (
                f"insert into bars ({names}) select {names} from {relation('bars')} where id = any($1) "
                "on conflict do nothing"
            )
            await self.db.execute(sql, missing)
            back = await queries.live_bars(self.db, missing)
            self.done.added += len(back)
            self.done.homeless += len(missing) - len(back)

    async def rows(self, name: str, column: str, ids: list[UUID], *, live: bool) -> list[Row]:
        where, held = (name, "for no key update of t") if live else (relation(name), "")
        sql = f"select * from {where} t where t.{column} = any($1) order by 1 {held}"
        return [dict(row) for row in await self.db.fetch(sql, ids)]

    def touch(self, table: SealedTable, row: Row) -> None:
        self.touched.setdefault(table.name, set()).add(tuple(row[name] for name in table.key))

    async def insert(self, table: SealedTable, row: Row) -> bool:
        """A row that is missing, as it was; False where another stands in its place."""
        names = ", ".join(self.staged.columns[table.name])
        named = " and ".join(f"{name} = ${number}" for number, name in enumerate(table.key, start=1))
        sql = (
            f"insert into {table.name} ({names}) select {names} from {relation(table.name)} where {named} "
            "on conflict do nothing returning 1"
        )
        if await self.db.fetchval(sql, *(row[name] for name in table.key)) is None:
            return False
        self.touch(table, row)
        return True

    async def overwrite(self, table: SealedTable, live: Row, plain: Mapping[str, bytes]) -> None:
        """Values that did not open, sealed for the very place they are in."""
        named = sealed_rows.row_of(table, live)
        blobs = {
            column: self.tools.keyring.seal(value, named.place(column), self.tools.entropy)
            for column, value in plain.items()
        }
        one_row(await sealed_rows.replace(self.db, named, blobs), "mending")
        self.touch(table, live)
        self.done.mended += 1

    async def credentials_of(self, bars: list[UUID]) -> None:
        live = {(row["tenant_id"], row["environment"]): row for row in await self.rows_of_live(bars)}
        versions: dict[UUID, list[Row]] = {}
        for version in await self.rows(VERSIONS.name, "bar_id", bars, live=False):
            versions.setdefault(version["credential_id"], []).append(version)
        there = await queries.live_bars(self.db, bars)
        for wanted in await self.rows(CREDENTIALS.name, "tenant_id", bars, live=False):
            present = live.get((wanted["tenant_id"], wanted["environment"]))
            of_it = versions.get(wanted["id"], [])
            if wanted["tenant_id"] not in there:
                self.done.homeless += 1
            elif present is None:
                await self.add(wanted, of_it)
            else:
                await self.bring_back(wanted, of_it, present)

    async def rows_of_live(self, bars: list[UUID]) -> list[Row]:
        last = {each.id: each.last_version for each in await queries.live_credentials(self.db, bars)}
        found = await self.rows(CREDENTIALS.name, "tenant_id", bars, live=True)
        return [{**row, "last_version": last[row["id"]]} for row in found]

    async def add(self, wanted: Row, versions: list[Row]) -> None:
        """Credentials that are gone, with every version of them, switched as they were."""
        if not await self.insert(CREDENTIALS, wanted):
            self.done.homeless += 1
            return
        for version in versions:
            await self.insert(VERSIONS, version)
        await reencrypt_queries.keep_version(self.db, wanted["id"])
        self.touch(VERSIONS, {"credential_id": wanted["id"], "version": wanted["version"]})
        self.done.added += 1
        self.done.new_credentials.append(wanted["id"])

    async def bring_back(self, wanted: Row, versions: list[Row], present: Row) -> None:
        """Credentials that are there: mended, set back, or right already."""
        keyring, mended = self.tools.keyring, self.done.mended
        live = {
            row["version"]: row for row in await self.rows(VERSIONS.name, "credential_id", [present["id"]], live=True)
        }
        for version in versions if wanted["id"] == present["id"] else []:
            there = live.get(version["version"])
            if there is None:
                self.done.mended += await self.insert(VERSIONS, version)
                live[version["version"]] = version
            elif opened(keyring, VERSIONS, there) is None and (plain := opened(keyring, VERSIONS, version)):
                await self.overwrite(VERSIONS, there, plain)
                live[version["version"]] = version
        current, plain = live.get(present["version"]), opened(keyring, CREDENTIALS, wanted) or {}
        now = opened(keyring, VERSIONS, current) if current is not None else None
        if current is None or now is None:
            return await self.set_back(wanted, plain, present)
        same = same_credential(wanted, plain, current, now)
        if not same and not self.keep_newer:
            return await self.set_back(wanted, plain, present)
        if opened(keyring, CREDENTIALS, present) is None:
            await self.overwrite(CREDENTIALS, present, plain | now)
        self.done.kept += not same
        self.done.same += same and self.done.mended == mended
        return None

    async def set_back(self, wanted: Row, plain: Mapping[str, bytes], present: Row) -> None:
        """The backup's secrets as a version of their own, in front of all there were."""
        tools, number = self.tools, present["last_version"] + 1
        bar_id, environment = present["tenant_id"], present["environment"]

        def sealed(name: str) -> bytes:
            return tools.keyring.seal(plain[f"{name}_enc"], place(bar_id, environment, name, number), tools.entropy)

        row = SealedCredential(
            credential_id=present["id"],
            version=number,
            bar_id=bar_id,
            environment=environment,
            business_shortcode=wanted["business_shortcode"],
            till_number=wanted["till_number"],
            consumer_key_enc=sealed("consumer_key"),
            consumer_secret_enc=sealed("consumer_secret"),
            passkey_enc=sealed("passkey"),
        )
        one_row(await credential_queries.replace_credential(self.db, row), "setting credentials back")
        await credential_queries.insert_version(self.db, row)
        self.touch(CREDENTIALS, present)
        self.touch(VERSIONS, {"credential_id": present["id"], "version": number})
        self.done.set_back += 1

    async def mend_of(self, table: SealedTable, bars: list[UUID], fits: Callable[[Row, Row], bool]) -> None:
        """A bar's other secrets: added where they are missing, mended where they do not open, else left alone."""
        column = table.bar or table.key[0]
        live = {
            tuple(row[name] for name in table.key): row for row in await self.rows(table.name, column, bars, live=True)
        }
        parents = {each.id for each in await queries.live_credentials(self.db, bars)}
        there = await queries.live_bars(self.db, bars)
        for wanted in await self.rows(table.name, column, bars, live=False):
            if wanted[column] not in there or wanted.get("credential_id", None) not in {None, *parents}:
                self.done.homeless += 1
            else:
                await self.mend(table, wanted, live.get(tuple(wanted[name] for name in table.key)), fits)

    async def mend(
        self, table: SealedTable, wanted: Row, live: Row | None, fits: Callable[[Row, Row], bool], *, add: bool = True
    ) -> None:
        keyring = self.tools.keyring
        if live is None:
            added = add and await self.insert(table, wanted)
            self.done.added += added
            self.done.homeless += not added
        elif any(live[column] is None for column in table.columns) or opened(keyring, table, live) is not None:
            # Taken away on purpose since (a data key that was destroyed, a second factor), or good as it is.
            self.done.same += 1
        elif (plain := opened(keyring, table, wanted)) and fits(wanted, live):
            await self.overwrite(table, live, plain)
        else:
            self.done.homeless += 1

    async def mend_all(self, table: SealedTable, *, add: bool = True) -> None:
        """What belongs to no bar's page, a page at a time."""
        after: tuple[Any, ...] | None = None
        while rows := await sealed_rows.page(self.db, table, after, BARS_AT_ONCE, relation=relation(table.name)):
            ids = [row.id for row in rows]
            live = {row["id"]: row for row in await self.rows(table.name, "id", ids, live=True)}
            for wanted in await self.rows(table.name, "id", ids, live=False):
                await self.mend(table, wanted, live.get(wanted["id"]), same_place, add=add)
            after = rows[-1].key

    async def prove(self) -> None:
        """Every row that was written opens where it is now. Raises `NotProved`: then nothing of it happens."""
        for name, keys in self.touched.items():
            found = await sealed_rows.held(self.db, BY_NAME[name], keys)
            if len(found) != len(keys) or any(faults_of(row, self.tools.keyring) for row in found):
                raise NotProved(f"{name}: what was brought back does not open")


def opened(keyring: Keyring, table: SealedTable, row: Row) -> dict[str, bytes] | None:
    """A row's sealed values; None where one does not open."""
    try:
        return {column: keyring.open(blob, where) for column, blob, where in sealed_rows.row_of(table, row).sealed()}
    except VaultError:
        return None


def same_credential(wanted: Row, plain: Mapping[str, bytes], current: Row, now: Mapping[str, bytes]) -> bool:
    """Whether two versions ask Safaricom alike."""
    return all(wanted[name] == current[name] for name in ("business_shortcode", "till_number")) and all(
        plain[f"{name}_enc"] == now[f"{name}_enc"] for name in FIELDS
    )


def same_place(wanted: Row, live: Row) -> bool:
    return True


def same_address(wanted: Row, live: Row) -> bool:
    """Safaricom posts to the address whose hash is kept: another secret would not be it."""
    return bool(wanted["secret_hash"] == live["secret_hash"])
