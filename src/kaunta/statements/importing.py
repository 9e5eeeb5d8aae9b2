"""A file becomes lines: read and staged piece by piece, then counted by one switch, or nothing of it.

The rows of a file lie apart until it was read to its end; a damaged file leaves nothing behind. The switch is one
transaction over whole sets, so that a hundred thousand rows take seconds and a crash leaves either all or none.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import NotFound
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Key
from kaunta.payments.history import begins, business_day
from kaunta.statements import parties
from kaunta.statements.queries import comparison, imports, lines
from kaunta.statements.queries.imports import Import, Shortcode
from kaunta.statements.reading import Statement, read
from kaunta.statements.values import Kind, Line, StatementRefused

#: Rows in memory at a time.
PIECE = 2_000
#: A file that was read and not imported is forgotten after this.
STAGED_SECONDS = 86_400.0
#: Kinds of which a receipt has more than one row, told apart by Safaricom's words.
LABELLED = (Kind.FEE, Kind.OTHER, Kind.FAILED)


class ImportNotFound(NotFound):
    """This statement does not exist here, or was read too long ago. Upload it again."""

    code = "statement_not_found"


async def read_in(
    rt: Runtime, bar_id: UUID, file: BinaryIO, name: str, by: str, *, shortcode: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> UUID:  # fmt: skip
    """Read a seekable file to its end and stage it; the import's id. Nothing counts yet.

    `shortcode`: whose statement it is, where the file does not say. Raises `StatementRefused`.
    """
    async with rt.db.acquire() as db:
        known = await imports.shortcodes(db, bar_id)
    shown = file_name(name)
    digest = await asyncio.to_thread(digest_of, file)
    statement = await asyncio.to_thread(read, file, shown)
    whose = owner(known, statement, shortcode)
    key = await rt.keys.current(bar_id)
    import_id = rt.entropy.uuid()
    async with rt.db.acquire() as db:
        await imports.insert_import(
            db,
            imports.NewImport(
                import_id, bar_id, whose.environment, whose.business_shortcode, statement.head.layout.value,
                statement.format, shown, digest, by, rt.clock.now(),
            ),
        )  # fmt: skip
    try:
        rows = 0
        while piece := await asyncio.to_thread(next_piece, rt, key, import_id, statement.lines):
            async with rt.db.acquire() as db:
                await imports.stage(db, piece)
            rows += len(piece)
            if progress is not None:
                progress(rows)
        async with transaction(rt.db) as db:
            await imports.staged_whole(db, import_id, rows, statement.head.since, statement.head.until)
            await refuse_conflicts(db, import_id)
    except BaseException:
        # Whatever it was, and be it that the reader went away: nothing of it stays.
        async with transaction(rt.db) as db:
            await imports.forget(db, import_id)
        raise
    return import_id


def digest_of(file: BinaryIO) -> bytes:
    found = hashlib.sha256()
    while piece := file.read(1024 * 1024):
        found.update(piece)
    file.seek(0)
    return found.digest()


def file_name(name: str) -> str:
    """A file's name without folders and without what no name needs."""
    plain = PurePath(name.replace("\\", "/")).name
    return re.sub(r"[^\w .,()+-]", "_", plain)[:120]


def owner(known: list[Shortcode], statement: Statement, said: str | None) -> Shortcode:
    """Which of the bar's shortcodes a statement is of. Raises `StatementRefused`."""
    named = statement.head.shortcode
    if not known:
        raise StatementRefused("This bar has no M-Pesa credentials, so no statement can be its own.")
    if named is None and said is None:
        raise StatementRefused("The file does not say whose statement it is. Say which shortcode it belongs to.")
    if named is not None and said is not None and named != said:
        ours = {code.business_shortcode for code in known if code.number in (named, said)}
        if len(ours) != 1 or not {named, said} <= {code.number for code in known}:
            raise StatementRefused(f"The file is a statement of {named}, not of {said}.")
    number = named or said
    found = next((code for code in known if code.number == number), None)
    if found is None:
        raise StatementRefused(f"The file is a statement of {number}, which is not a shortcode or till of this bar.")
    return found


def next_piece(rt: Runtime, key: Key, import_id: UUID, found: Iterator[Line]) -> list[tuple[Any, ...]]:
    """The next rows as they are staged. Runs in a thread: parsing takes the time, not the database."""
    return [
        (
            import_id,
            line.row,
            line.receipt,
            line.at,
            line.kind.value,
            line.label if line.kind in LABELLED else "",
            line.direction,
            line.cents,
            line.linked,
            parties.sealed(rt, key, line.party) if line.kind is Kind.PAYMENT else None,
        )
        for line in islice(found, PIECE)
    ]


async def refuse_conflicts(db: Connection, import_id: UUID) -> None:
    """Raises `StatementRefused` where a row contradicts another, or what was imported before."""
    if found := await imports.conflict(db, import_id):
        than = "what was imported before" if found.earlier else "another row of this file"
        raise StatementRefused(f"it says something else about {found.receipt} than {than}", found.row)


async def accept(rt: Runtime, bar_id: UUID, import_id: UUID, by: str) -> Import:
    """The switch: a staged file's lines count from here on. Twice is once.

    Raises `ImportNotFound`, `StatementRefused`.
    """
    async with transaction(rt.db) as db:
        held = await imports.hold(db, import_id)
        if held is None or held.bar_id != bar_id or held.state == "reading":
            raise ImportNotFound
        if held.state == "staged":
            await count(db, rt, held, by)
            await imports.forget_staged(db, import_id)
        done = await imports.statement_import(db, import_id)
    rt.live.hint(f"bar:{bar_id}")
    if done is None:
        raise ImportNotFound
    return done


async def count(db: Connection, rt: Runtime, held: Import, by: str) -> None:
    """Make a held, staged import count, in the caller's transaction."""
    if await imports.staged_count(db, held.id) != held.rows:
        raise RuntimeError(f"import {held.id} is not whole")
    await refuse_conflicts(db, held.id)
    now = rt.clock.now()
    fresh = await imports.switch(db, held.id, now)
    first = await lines.first_tab_at(db, held.bar_id)
    await lines.settle_at_sight(db, held.id, begins(business_day(first)) if first else None)
    await lines.settle_reversals_at_sight(db, held.id)
    await lines.sight_known(db, held.id, now)
    await imports.imported(db, held.id, fresh, by, now)
    await audit(
        db, rt.clock, by, "statement.imported", "statement", held.id, bar_id=held.bar_id, shortcode=held.shortcode,
        rows=held.rows, fresh=fresh,
    )  # fmt: skip
    await tell_of_ours_only(db, rt, held)


async def tell_of_ours_only(db: Connection, rt: Runtime, held: Import) -> None:
    """Receipts that we were told of and that a statement of their time does not have: each before a person."""
    await comparison.close_found(db, held.bar_id, held.environment, rt.clock.now())
    if held.since is None or held.until is None:
        return
    for ours in await comparison.ours_only(db, comparison.window_of(held), 200):
        if ours.receipt_id is not None:
            await open_problem(
                db, rt.clock, "not_on_statement", ours.receipt_id, bar_id=held.bar_id, severity=Severity.ERROR,
                receipt=ours.receipt, amount=ours.amount,
            )  # fmt: skip


async def discard(rt: Runtime, bar_id: UUID, import_id: UUID) -> bool:
    """Forget a file that was read and is not imported; False where there is none."""
    async with transaction(rt.db) as db:
        held = await imports.hold(db, import_id)
        return held is not None and held.bar_id == bar_id and await imports.forget(db, import_id)


async def forget_old(rt: Runtime) -> int:
    """A worker's turn: files that nobody imported."""
    async with transaction(rt.db) as db:
        return await imports.forget_old(db, rt.clock.before(STAGED_SECONDS))
