"""`kaunta sync`: find the bars where guests see another M-Pesa switch than the credentials say, and repair them.

For our own database and for the old product's: it needs the two tables, no key, and adds nothing.
"""

from contextlib import aclosing, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, assert_never

import typer

from kaunta.cli import guard
from kaunta.cli.db import direct_url
from kaunta.cli.output import Exit, answer, refuse, run
from kaunta.cli.streams import Report, Rows, answer_rows, progress

if TYPE_CHECKING:
    from kaunta.bars.bulk_repair import MigrationResult
    from kaunta.bars.migration_queries import Judged

app = typer.Typer(help="The M-Pesa switch: guests' flag against the credentials.", no_args_is_help=True)
app.add_typer(guard.app, name="guard")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
One = Annotated[str | None, typer.Option("--bar", metavar="ID", help="Only this bar.")]
All = Annotated[bool, typer.Option("--all", help="Every bar; this is the default.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE.ndjson", help="Also write one JSON object a record to a file.")
]

AMBIGUOUS = "two rows of credentials, and neither is known to be that of the bar's environment"
#: What `was` and `now` say in a line for people.
ON_OFF: dict[bool | None, str] = {True: "on", False: "off", None: "unset"}
NAMED_IN_A_WARNING = 5


def one_or_all(bar: str | None, every: bool, as_json: bool) -> None:
    if bar is not None and every:
        refuse(Exit.USAGE, "Either --bar or --all.", as_json=as_json)


class Findings:
    """Sorts what `examine` streams: counts it, prints or keeps it, writes it to the report."""

    def __init__(self, as_json: bool, report: Report) -> None:
        self.as_json, self.report = as_json, report
        self.records, self.ambiguous = Rows(), Rows()
        self.mismatched = 0
        self.named: list[str] = []

    def close(self) -> None:
        self.records.close()
        self.ambiguous.close()

    def add(self, found: "Judged") -> None:
        row: dict[str, Any] = {
            "bar_id": str(found.bar_id),
            "credentials_active": found.authority,
            "bar_payment_enabled": found.flag,
            "last_updated": found.last_updated.isoformat() if found.last_updated else None,
        }
        if found.mismatched:
            self.mismatched += 1
            if len(self.named) < NAMED_IN_A_WARNING:
                self.named.append(str(found.bar_id))
        if found.authority is None:
            self.keep(self.ambiguous, row | {"reason": AMBIGUOUS}, f"ambiguous: {AMBIGUOUS}")
        elif found.differs:
            self.keep(self.records, row, f"should be {ON_OFF[found.authority]}")

    def keep(self, rows: Rows, row: dict[str, Any], says: str) -> None:
        if self.as_json:
            rows.add(row)
        else:
            rows.count += 1
            print(f"{row['bar_id']}  guests see: {ON_OFF[row['bar_payment_enabled']]:<5}  {says}")
        self.report.add(row)

    def warnings(self, orphaned: int) -> list[str]:
        told = []
        if self.ambiguous.count:
            told.append(f"{self.ambiguous.count:,} left alone: {AMBIGUOUS}. Set the bar's mpesa_environment.")
        if self.mismatched:
            more = " …" if self.mismatched > len(self.named) else ""
            told.append(
                f"{self.mismatched:,} with credentials of another environment than the bar's; they count all the same: "
                f"{', '.join(self.named)}{more}"
            )
        if orphaned:
            told.append(f"{orphaned:,} rows of credentials belong to no bar.")
        return told


@app.command()
def check(
    bar: One = None, every: All = False, dry_run: DryRun = False, json: Json = False, report: ReportFile = None
) -> None:
    """List every bar whose flag differs from its credentials; exit 3 where there are some. Reads only."""
    one_or_all(bar, every, json)
    url = direct_url(json)

    with Report(report, json) as written, closing(Findings(json, written)) as findings:
        code = run(lambda: look(url, bar, findings), as_json=json)
    raise typer.Exit(code)


async def look(url: str, bar: str | None, findings: Findings) -> Exit:
    from kaunta.bars import migration
    from kaunta.core.db import connect

    async with connect(url, jit="off") as db:
        shape = await migration.read_shape(db)
        bar_id = await migration.named_bar(db, bar) if bar is not None else None
        async with aclosing(migration.examine(db, shape, bar_id)) as stream:
            async for found in stream:
                findings.add(found)
        extent = await migration.extent(db, shape, bar_id)
    differ, ambiguous = findings.records.count, findings.ambiguous.count
    code = Exit.FOUND_PROBLEMS if differ or ambiguous else Exit.OK
    warnings = findings.warnings(extent.orphaned)
    if findings.as_json:
        data = {
            "inconsistent": differ, "bars": extent.bars, "records": findings.records, "ambiguous": findings.ambiguous,
        }  # fmt: skip
        answer_rows(data, ok=code is Exit.OK, warnings=warnings)
    else:
        says = f"{differ:,} of {extent.bars:,} bars differ, {ambiguous:,} ambiguous"
        answer(None, as_json=False, lines=[says], warnings=warnings)
    return code


class Tally:
    """What a repair has done so far; everything counted here is committed."""

    def __init__(self, as_json: bool, report: Report) -> None:
        self.as_json, self.report = as_json, report
        self.repaired = self.disabled = self.unchanged = self.ambiguous = 0
        self.failures = Rows()

    def close(self) -> None:
        self.failures.close()

    def add(self, result: "MigrationResult") -> None:
        from kaunta.bars.bulk_repair import Outcome

        row = {
            "bar_id": str(result.bar_id), "outcome": result.outcome.value, "was": result.was, "now": result.now,
            "error": result.error,
        }  # fmt: skip
        self.report.add(row)
        match result.outcome:
            case Outcome.REPAIRED:
                self.repaired += 1
                self.disabled += result.disabled
            case Outcome.UNCHANGED:
                self.unchanged += 1
            case Outcome.AMBIGUOUS:
                self.ambiguous += 1
                if not self.as_json:
                    print(f"{result.bar_id}  left alone: {AMBIGUOUS}")
            case Outcome.FAILED if self.as_json:
                self.failures.add({"bar_id": str(result.bar_id), "error": result.error})
            case Outcome.FAILED:
                self.failures.count += 1
                print(f"{result.bar_id}  failed: {result.error}")
            case _:
                assert_never(result.outcome)

    def answer(self, remaining: int | None, warnings: list[str], *, interrupted: bool = False) -> Exit:
        """Print it all and return the exit code. `remaining`: bars that differ afterwards, None where nobody looked."""
        code = Exit.OK
        if self.ambiguous or remaining:
            code = Exit.FOUND_PROBLEMS
        if self.failures.count:
            code = Exit.PARTLY_DONE
        if interrupted:
            code = Exit.INTERRUPTED
        counts = {
            "repaired": self.repaired, "failed": self.failures.count, "skipped_ambiguous": self.ambiguous,
            "disabled": self.disabled, "unchanged": self.unchanged, "remaining": remaining, "dry_run": False,
        }  # fmt: skip
        if self.as_json:
            errors = ["Interrupted: what is counted here is done and stays."] if interrupted else []
            answer_rows(counts | {"failures": self.failures}, ok=code is Exit.OK, warnings=warnings, errors=errors)
            return code
        lines = [
            f"{'interrupted' if interrupted else 'done'}: {self.repaired:,} repaired ({self.disabled:,} turned off), "
            f"{self.failures.count:,} failed, {self.ambiguous:,} ambiguous, {self.unchanged:,} right meanwhile"
        ]
        if remaining is not None:
            lines.append(f"verified: {remaining:,} bars differ now")
        answer(None, as_json=False, lines=lines, warnings=warnings)
        return code


@app.command()
def repair(
    bar: One = None,
    every: All = False,
    allow_disable: Annotated[
        bool, typer.Option("--allow-disable", help="Also turn M-Pesa off where the credentials are off or missing.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
    report: ReportFile = None,
) -> None:
    """Set each bar's flag to what its credentials say. Safe to run twice, beside live writers, and to interrupt.

    Exit 4: some failed and are named. 9: it would turn M-Pesa off somewhere, and neither --allow-disable nor --bar was
    given. 3: a dry run with work to do, or bars are left that a person must decide.
    """
    one_or_all(bar, every, json)
    url = direct_url(json)
    with (
        Report(report, json) as written,
        closing(Findings(json, written)) as findings,
        closing(Tally(json, written)) as tally,
    ):
        if dry_run:
            code = run(lambda: plan(url, bar, findings), as_json=json)
        else:
            code = run(lambda: repair_now(url, bar, allow_disable or bar is not None, tally), as_json=json)
    raise typer.Exit(code)


async def plan(url: str, bar: str | None, findings: Findings) -> Exit:
    """A dry run: what a repair would do. Writes nothing."""
    from kaunta.bars import migration
    from kaunta.core.db import connect

    would_disable = 0
    async with connect(url, jit="off") as db:
        shape = await migration.read_shape(db)
        bar_id = await migration.named_bar(db, bar) if bar is not None else None
        async with aclosing(migration.examine(db, shape, bar_id)) as stream:
            async for found in stream:
                findings.add(found)
                would_disable += found.flag is True and found.authority is False
    warnings = findings.warnings(0)
    if would_disable and bar is None:
        warnings.append(f"{would_disable:,} would be turned off: that needs --allow-disable.")
    work, ambiguous = findings.records.count, findings.ambiguous.count
    code = Exit.FOUND_PROBLEMS if work or ambiguous else Exit.OK
    if findings.as_json:
        data = {
            "repaired": 0, "failed": 0, "skipped_ambiguous": ambiguous, "disabled": 0, "dry_run": True,
            "inconsistent": work, "would_repair": work, "would_disable": would_disable, "records": findings.records,
        }  # fmt: skip
        answer_rows(data, ok=code is Exit.OK, warnings=warnings)
    else:
        says = f"would repair {work:,} bars, turning off {would_disable:,}; {ambiguous:,} ambiguous"
        answer(None, as_json=False, lines=[says], warnings=warnings)
    return code


async def repair_now(url: str, bar: str | None, allow_disable: bool, tally: Tally) -> Exit:
    import asyncio

    from kaunta.bars import bulk_repair, migration
    from kaunta.core.db import connect

    async with connect(url, jit="off") as reading, connect(url, jit="off") as writing:
        shape = await migration.read_shape(reading)
        bar_id = await migration.named_bar(reading, bar) if bar is not None else None
        before = await migration.validate_migration(reading, shape, bar_id)
        migration.may_repair(shape, before, allow_disable=allow_disable)
        try:
            with progress("repairing", before.inconsistent) as shown:
                async with (
                    aclosing(migration.examine(reading, shape, bar_id)) as found,
                    aclosing(bulk_repair.repair(writing, shape, found, allow_disable=allow_disable)) as batches,
                ):
                    async for results in batches:
                        for result in results:
                            tally.add(result)
                        tally.report.flush()
                        shown.advance(sum(result.outcome is not bulk_repair.Outcome.AMBIGUOUS for result in results))
        except asyncio.CancelledError:
            tally.answer(None, [], interrupted=True)
            raise
        after = await migration.validate_migration(reading, shape, bar_id)
    warnings = [f"{after.orphaned:,} rows of credentials belong to no bar."] if after.orphaned else []
    return tally.answer(after.inconsistent, warnings)
