"""The registry of sealed columns is complete: what is not in it would be lost with the key that is given up."""

import re

import pytest

from kaunta.core.db import Pool
from kaunta.core.runtime import Runtime
from kaunta.keys import sealed_rows
from kaunta.keys.sealed import PERSONAL, REGISTRY
from tests.support.bars import SeededBar

#: Bytes that are neither sealed nor in need of a key: hashes, digests and the audit chain's.
NOT_SEALED = re.compile(r"(.*_)?(hash|digest|mac|check|head)")


async def columns_of_bytes(db: Pool) -> set[tuple[str, str]]:
    rows = await db.fetch(
        """
        select c.relname::text as name, a.attname::text as column, format_type(a.atttypid, null) as type
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        """
    )
    return {
        (row["name"], row["column"])
        for row in rows
        if row["type"] == "bytea" or re.search(r"_enc$|encrypted|wrapped", row["column"])
    }


@pytest.mark.req("FIX-3.4", "FIX-4.5")
async def test_every_sealed_column_of_the_schema_is_in_the_registry(db: Pool) -> None:
    known = {(table.name, column) for table in REGISTRY for column in table.columns} | PERSONAL
    found = {each for each in await columns_of_bytes(db) if not NOT_SEALED.fullmatch(each[1])}
    assert found == known


async def test_the_registry_says_each_tables_primary_key(db: Pool) -> None:
    for table in REGISTRY:
        key = await db.fetch(
            """
            select a.attname::text as name from pg_index i
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
            where i.indrelid = $1::text::regclass and i.indisprimary order by array_position(i.indkey, a.attnum)
            """,
            table.name,
        )
        assert tuple(row["name"] for row in key) == table.key


@pytest.mark.req("FIX-3.3", "FIX-4.5")
async def test_every_sealed_value_opens_at_the_place_the_registry_names(rt: Runtime, full_bar: SeededBar) -> None:
    seen = set()
    async with rt.db.acquire() as db:
        for table in REGISTRY:
            for row in await sealed_rows.page(db, table, None, 100):
                for column, blob, place in row.sealed():
                    assert rt.keyring.open(blob, place)
                    seen.add((table.name, column))
    reserved = {("mpesa_credentials", "security_credential_enc")}
    assert seen == {(table.name, column) for table in REGISTRY for column in table.columns} - reserved
