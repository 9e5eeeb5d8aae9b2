"""`kaunta receipts …` and `kaunta bar day`: statements, money on no tab, codes, and the day's close."""

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from kaunta.cli.output import Exit, answer, notes, refuse
from kaunta.cli.payment import Desk, at_desk, bar_id_of

if TYPE_CHECKING:
    from kaunta.closing.day import Close
    from kaunta.payments.balance import Balance
    from kaunta.payments.matching import Unmatched
    from kaunta.statements.result import Result

app = typer.Typer(help="M-Pesa receipts: statements, money on no tab, codes.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Bar = Annotated[str, typer.Option(help="The bar's short name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
By = Annotated[str, typer.Option(help="Your name, for the audit log.")]


@app.command("import")
def import_statement(
    file: Annotated[Path, typer.Argument(help="The export of the M-Pesa portal, CSV or XLSX.")],
    bar: Bar,
    shortcode: Annotated[str | None, typer.Option(help="Whose statement it is, where the file does not say.")] = None,
    by: By = "operator",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Lay a statement beside the books. Exit 3 where something needs a person, 9 where the file is refused."""
    if not file.is_file():
        refuse(Exit.NOT_FOUND, f"There is no file {file.name}.", as_json=json)

    async def work(at: Desk) -> "Result":
        from kaunta.core.errors import Conflict
        from kaunta.statements import importing, placing, result
        from kaunta.statements.values import StatementRefused

        bar_id, who = await bar_id_of(at, bar), f"operator:{by}"
        try:
            with file.open("rb") as opened:
                import_id = await importing.read_in(
                    at.rt, bar_id, opened, file.name, who, shortcode=shortcode, progress=told
                )
            if dry_run:
                try:
                    return await result.preview(at.rt, bar_id, import_id)
                finally:
                    await importing.discard(at.rt, bar_id, import_id)
            await importing.accept(at.rt, bar_id, import_id, who)
        except StatementRefused as error:
            raise Conflict(error.detail) from None
        while await placing.place_due(at.rt, import_id):
            pass
        return await result.result(at.rt, bar_id, import_id)

    found = at_desk(work, as_json=json)
    answer(result_data(found, dry_run), as_json=json, ok=found.clean, lines=result_lines(found, dry_run))
    raise typer.Exit(Exit.OK if found.clean else Exit.FOUND_PROBLEMS)


def told(rows: int) -> None:
    """Progress, to a person only."""
    if sys.stderr.isatty() and rows % 20_000 == 0:
        notes.print(f"{rows:,} rows read")


def result_data(found: "Result", dry_run: bool) -> dict[str, Any]:
    """An import's result for programs; `sum` is in shillings, with two decimals where there are cents."""
    kept = found.statement

    def sums(of: dict[str, Any]) -> dict[str, Any]:
        return {name: {"count": each.count, "sum": each.cents / 100} for name, each in of.items()}

    return {
        "import": str(kept.id), "shortcode": kept.shortcode, "environment": kept.environment, "rows": kept.rows,
        "new": kept.fresh, "since": kept.since and kept.since.isoformat(), "dry_run": dry_run,
        "until": kept.until and kept.until.isoformat(), "waiting": found.waiting, "clean": found.clean,
        "payments": sums(found.payments), "others": sums(found.others),
        "theirs_only": [{"receipt": each.receipt, "amount": each.cents / 100} for each in found.theirs_only],
        "ours_only": [{"receipt": each.receipt, "amount": each.amount, "tab": each.tab_number}
                      for each in found.ours_only],
        "differs": [{"receipt": each.receipt, "statement": each.cents / 100, "here": each.amount}
                    for each in found.differs],
        "reversed": [{"code": each.receipt, "receipt": each.linked, "amount": -each.cents / 100, "as": each.placed_as}
                     for each in found.reversed],
    }  # fmt: skip


def result_lines(found: "Result", dry_run: bool) -> list[str]:
    from kaunta.statements.result import BUCKETS, OTHERS

    kept = found.statement
    lines = [f"{'would import' if dry_run else 'imported'} {kept.rows:,} rows of {kept.shortcode}, {kept.fresh:,} new"]
    for names, sums in ((BUCKETS, found.payments), (OTHERS, found.others)):
        lines += [
            f"{name.replace('_', ' '):<14}{sums[name].count:>8,}{sums[name].cents / 100:>16,.2f}  {words}"
            for name, words in names.items()
            if name in sums
        ]
    lines += [f"theirs only: {each.receipt}  KES {each.cents / 100:,.2f}" for each in found.theirs_only]
    lines += [f"ours only: {each.receipt or 'no code'}  KES {each.amount:,}" for each in found.ours_only]
    lines += [
        f"reversed: {each.linked or 'not said which'}  KES {-each.cents / 100:,.2f}  {each.placed_as or 'waiting'}"
        for each in found.reversed
    ]
    return lines


@app.command("list")
def list_unmatched(bar: Bar, json: Json = False) -> None:
    """Money that is on no tab yet, oldest first."""

    async def work(at: Desk) -> "list[Unmatched]":
        from kaunta.payments import matching

        return await matching.unmatched(at.rt, await bar_id_of(at, bar))

    found = at_desk(work, as_json=json)
    answer([receipt_data(each) for each in found], as_json=json, lines=[receipt_line(each) for each in found])


def receipt_data(each: "Unmatched") -> dict[str, Any]:
    return {
        "id": str(each.receipt_id), "receipt": each.receipt, "amount": each.amount, "channel": each.channel,
        "at": (each.at or each.seen_at).isoformat(), "phone": each.phone, "reference": each.reference,
    }  # fmt: skip


def receipt_line(each: "Unmatched") -> str:
    from kaunta.core.clock import EAT
    from kaunta.core.money import kes

    at = (each.at or each.seen_at).astimezone(EAT).strftime("%d %b %H:%M")
    return f"{at}  {each.receipt:<12}{kes(each.amount):>12}  {each.channel:<10}{each.phone}  {each.reference}"


@app.command()
def match(
    code: Annotated[str, typer.Argument(help="The M-Pesa code.")],
    bar: Bar,
    tab: Annotated[int, typer.Option(help="The tab's number.")],
    reason: Annotated[str, typer.Option(help="What you saw, or who told you.")],
    by: By = "operator",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Put money that is on no tab on one. Safaricom's later word about another payment stands above yours."""

    async def work(at: Desk) -> dict[str, Any]:
        from kaunta.bars.queries import bar_by_id
        from kaunta.core.errors import NotFound
        from kaunta.payments import matching
        from kaunta.payments.queries import sightings

        bar_id = await bar_id_of(at, bar)
        async with at.rt.db.acquire() as db:
            its = await bar_by_id(db, bar_id)
            found = await sightings.seen_by_code(db, its.environment, code.strip().upper()) if its else None
            tab_id = await sightings.tab_by_number(db, bar_id, tab)
        if found is None or found.bar_id != bar_id:
            raise matching.ReceiptNotFound
        if tab_id is None:
            raise NotFound(f"There is no open tab {tab} at this bar.")
        if found.ledger_id is not None:
            raise matching.ReceiptBooked
        if not dry_run:
            await matching.match_to_tab(at.rt, bar_id, found.id, tab_id, by=f"operator:{by}", reason=reason)
        return {"receipt": found.receipt, "tab": tab, "amount": found.amount, "dry_run": dry_run}

    done = at_desk(work, as_json=json)
    verb = "would put" if dry_run else "put"
    answer(done, as_json=json, lines=[f"{verb} {done['receipt']}, KES {done['amount']:,}, on tab {tab}"])


@app.command()
def check(
    code: Annotated[str, typer.Argument(help="The M-Pesa code.")],
    bar: Bar,
    by: By = "operator",
    json: Json = False,
) -> None:
    """Is this code real? From what Safaricom told us, else by asking it. Exit 3 unless it is proven here."""

    async def work(at: Desk) -> Any:
        from kaunta.payments.checking import check_code

        return await check_code(at.rt, at.daraja, await bar_id_of(at, bar), code, by=f"operator:{by}")

    found = at_desk(work, as_json=json)
    real = found.receipt_id is not None
    answer(
        {
            "code": found.code, "source": found.source.value, "standing": found.standing.value,
            "amount": found.amount, "channel": found.channel, "at": found.at and found.at.isoformat(),
        },
        as_json=json,
        ok=real,
        lines=[f"{found.code}  {found.standing.value.replace('_', ' ')}, says {found.source.value}"
               + (f"  KES {found.amount:,}" if found.amount is not None else "")],
    )  # fmt: skip
    raise typer.Exit(Exit.OK if real else Exit.FOUND_PROBLEMS)


@app.command()
def balance(bar: Bar, by: By = "operator", json: Json = False) -> None:
    """What the bar's accounts at Safaricom hold. Asks, and shows the newest figures; run again for the answer.

    Exit 3 while there are none of today.
    """

    async def work(at: Desk) -> "Balance":
        from kaunta.payments import balance as accounts
        from kaunta.payments.history import begins, business_day

        bar_id, now = await bar_id_of(at, bar), at.rt.clock.now()
        await accounts.ask(at.rt, at.daraja, bar_id, by=f"operator:{by}")
        return await accounts.of_bar(at.rt, bar_id, begins(business_day(now)), now)

    found = at_desk(work, as_json=json)
    answer(balance_data(found), as_json=json, ok=bool(found.accounts), lines=balance_lines(found))
    raise typer.Exit(Exit.OK if found.accounts else Exit.FOUND_PROBLEMS)


def balance_data(found: "Balance") -> dict[str, Any]:
    return {
        "environment": found.environment, "standing": found.standing.value, "at": found.at and found.at.isoformat(),
        "accounts": {name: cents / 100 for name, cents in found.accounts.items()},
        "asked_at": found.asked_at and found.asked_at.isoformat(), "code": found.code,
    }  # fmt: skip


def balance_lines(found: "Balance") -> list[str]:
    from kaunta.core.clock import EAT

    lines = [f"{name:<34}{cents / 100:>14,.2f}" for name, cents in found.accounts.items()]
    told = f"as Safaricom said at {found.at.astimezone(EAT):%H:%M}" if found.at else "no figures of today yet"
    return [*lines, f"{told}; the newest question: {found.standing.value.replace('_', ' ')}"]


def day(
    bar: Bar,
    date: Annotated[str | None, typer.Option(help="The day, like 2026-11-20; today's without.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table to keep.")] = False,
    json: Json = False,
) -> None:
    """The close of a day: what came in, what tabs were credited with, every difference. Exit 3 while some is open."""
    try:
        wanted = datetime.date.fromisoformat(date) if date else None
    except ValueError:
        refuse(Exit.USAGE, "--date: a day is written like 2026-11-20.", as_json=json)

    async def work(at: Desk) -> "tuple[Close, Balance]":
        from kaunta.closing.day import close
        from kaunta.payments import balance
        from kaunta.payments.history import business_day

        bar_id: UUID = await bar_id_of(at, bar)
        found = await close(at.rt, bar_id, wanted or business_day(at.rt.clock.now()))
        return found, await balance.of_bar(at.rt, bar_id, found.day.since, found.day.until)

    found, held = at_desk(work, as_json=json)
    answer(close_data(found), as_json=json, ok=found.clean, lines=close_lines(found, held if csv else None))
    raise typer.Exit(Exit.OK if found.clean else Exit.FOUND_PROBLEMS)


def close_data(found: "Close") -> dict[str, Any]:
    """A close for programs; shillings, but `statement` and the differences may have cents."""
    return {
        "date": found.date.isoformat(), "environment": found.day.environment, "clean": found.clean,
        "took": found.took, "received": {each.channel: each.amount for each in found.received},
        "on_tabs": {"mpesa": found.credited, "cash": found.of("cash"), "card": found.of("card"),
                    "written_off": found.of(None), "all": found.on_tabs},
        "owed": {"before": found.opening, "ordered": found.ordered, "after": found.closing},
        "given_back": found.given_back, "refunds_open": len(found.refunds_open),
        "statement": {name: each.cents / 100 for name, each in found.stated.items()},
        "covered_until": found.covered_until and found.covered_until.isoformat(),
        "differences": [
            {"between": name, "reason": each.reason, "receipt": each.receipt, "amount": each.cents / 100,
             "tab": each.tab_number, "at": each.at.isoformat()}
            for name, differences in (("tabs", found.to_tabs), ("statement", found.to_statement))
            for each in differences
        ],
    }  # fmt: skip


def close_lines(found: "Close", held: "Balance | None") -> list[str]:
    """`held`: for the table to keep."""
    from kaunta.closing import keeping
    from kaunta.closing.day import REASONS

    if held is not None:
        return [line.rstrip("\r\n") for line in keeping.as_lines(found, held)]
    lines = [f"{what:<11}{which:<34}{cents / 100:>14,.2f}" for what, which, cents in keeping.figures(found)]
    lines += [
        f"{each.receipt or '-':<12}{each.cents / 100:>14,.2f}  {REASONS[each.reason]}"
        for each in (*found.to_tabs, *found.to_statement)
    ]
    return lines
