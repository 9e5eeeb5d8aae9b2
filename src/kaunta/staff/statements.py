"""Statements at the counter: a file is uploaded, shown beside the books before it counts, and then imported.

Reading takes as long as the file is; placing a few hundred lines is done while somebody waits, the rest by a worker.
"""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.datastructures import UploadFile

from kaunta.access.roles import May
from kaunta.core.errors import KauntaError
from kaunta.core.web import runtime
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat, form_of
from kaunta.staff.words import uuid_of
from kaunta.statements import importing, placing, result
from kaunta.statements.importing import ImportNotFound
from kaunta.statements.queries import imports
from kaunta.statements.queries.imports import Import
from kaunta.statements.result import BUCKETS, OTHERS, Result
from kaunta.statements.values import StatementRefused

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: The one address that takes a long body, and how long: a statement of half a million rows, bytes.
UPLOAD, LARGEST = "/staff/statements", 96 * 1024 * 1024
#: Lines placed while somebody waits.
PLACED_AT_ONCE = 300


async def list_page(request: Request, seat: Seat, error: KauntaError | None = None, said: str = "") -> Response:
    async with runtime(request).db.acquire() as db:
        found = await imports.imports_of_bar(db, seat.bar_id)
        codes = await imports.shortcodes(db, seat.bar_id)
    return counter_page(
        request,
        "statements.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        imports=found,
        # Each number once, whatever it was of.
        codes=list(dict.fromkeys(code.number for code in codes)),
        said=said,
    )


@router.get(UPLOAD)
async def show_statements(request: Request, seat: AtCounter) -> Response:
    """What was imported, and the form for another file."""
    seat.require(May.CLOSE_DAY)
    return await list_page(request, seat)


@router.post(UPLOAD)
async def upload(request: Request, seat: AtCounter) -> Response:
    """A file is read; nothing of it counts before somebody has seen what it would say."""
    seat.require(May.CLOSE_DAY)
    form = await form_of(request, seat.session, files=1)
    file, said = form.get("file"), str(form.get("shortcode") or "").strip()
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise StatementRefused("Choose the file that you exported from the M-Pesa portal.")
        import_id = await importing.read_in(
            runtime(request),
            seat.bar_id,
            file.file,
            file.filename,
            f"staff:{seat.account_id}",
            shortcode=said or None,
        )
    except StatementRefused as error:
        return await list_page(request, seat, error, said)
    finally:
        await form.close()
    return RedirectResponse(f"{UPLOAD}/{import_id}", 303)


async def import_at(request: Request, seat: Seat, import_id: str) -> Import:
    """The bar's file. Raises `ImportNotFound`, for another bar's too."""
    id_ = uuid_of(import_id)
    if id_ is None:
        raise ImportNotFound
    return await result.find(runtime(request), seat.bar_id, id_)


@router.get(UPLOAD + "/{import_id}")
async def show_statement(request: Request, import_id: str, seat: AtCounter) -> Response:
    """What a file says beside the books: before it is imported what it would say, afterwards what it says now."""
    seat.require(May.CLOSE_DAY)
    found = await import_at(request, seat, import_id)
    rt = runtime(request)
    told = await (result.result if found.state == "imported" else result.preview)(rt, seat.bar_id, found.id)
    return statement_page(request, seat, found, told)


def statement_page(request: Request, seat: Seat, found: Import, told: Result) -> Response:
    return counter_page(
        request,
        "statement.html",
        seat,
        version=(found, told),
        live=found.state == "imported",
        environment=found.environment,
        found=found,
        told=told,
        buckets=BUCKETS,
        others=OTHERS,
        named=result.NAMED,
    )


@router.post(UPLOAD + "/{import_id}/import")
async def accept(request: Request, import_id: str, post: Posted) -> Response:
    """From here on it counts."""
    post.seat.require(May.CLOSE_DAY)
    rt, found = runtime(request), await import_at(request, post.seat, import_id)
    try:
        await importing.accept(rt, post.seat.bar_id, found.id, f"staff:{post.seat.account_id}")
    except StatementRefused as error:
        return await list_page(request, post.seat, error)
    await placing.place_of_import(rt, found.id, PLACED_AT_ONCE)
    return RedirectResponse(f"{UPLOAD}/{found.id}", 303)


@router.post(UPLOAD + "/{import_id}/discard")
async def discard(request: Request, import_id: str, post: Posted) -> Response:
    """It was the wrong file."""
    post.seat.require(May.CLOSE_DAY)
    found = await import_at(request, post.seat, import_id)
    await importing.discard(runtime(request), post.seat.bar_id, found.id)
    return RedirectResponse(UPLOAD, 303)


@router.get(UPLOAD + "/{import_id}/table.csv")
async def download(request: Request, import_id: str, seat: AtCounter) -> Response:
    """Every line of the comparison, to keep."""
    seat.require(May.CLOSE_DAY)
    found = await import_at(request, seat, import_id)
    if found.state != "imported":
        raise ImportNotFound("Import the statement first.")

    async def pieces() -> object:
        async for piece in result.as_rows(runtime(request), found):
            yield "".join(piece).encode()

    name = quote(f"statement-{found.shortcode}-{found.read_at:%Y%m%d}.csv")
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(pieces(), media_type="text/csv; charset=utf-8", headers=headers)  # type: ignore[arg-type]
