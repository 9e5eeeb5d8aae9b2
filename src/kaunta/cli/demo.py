"""`kaunta demo`: everything on this machine, to be tried; `--check`: one payment of every kind, without anybody."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, notes, refuse, run

if TYPE_CHECKING:
    from kaunta.demo.setup import Demo


def demo(
    check: Annotated[bool, typer.Option("--check", help="Run one payment of every kind, then end.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65534, help="Kaunta's port; 0 for any. The phones use the next.")
    ] = 8000,
    folder: Annotated[
        Path, typer.Option(envvar="KAUNTA_DATA_FOLDER", help="Where the demo's database is kept.")
    ] = Path(".kaunta"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Start PostgreSQL, a stand-in for Safaricom and Kaunta with one bar; print the addresses; serve until Ctrl-C."""
    from kaunta.core import log
    from kaunta.core.embedded_postgres import EmbeddedPostgresRuns

    log.configure()
    if check:
        from kaunta.demo.check import check_all

        scenarios = run(check_all, as_json=json)
        good = all(scenario.ok for scenario in scenarios)
        answer(
            {"scenarios": [scenario.as_json() for scenario in scenarios]},
            as_json=json,
            ok=good,
            lines=[
                f"{'ok  ' if s.ok else 'FAIL'}  {s.name:<20}{s.seconds:6.1f} s   {s.got}"
                + ("" if s.ok else f"   expected {s.expected}")
                for s in scenarios
            ],
        )
        raise typer.Exit(Exit.OK if good else Exit.FOUND_PROBLEMS)

    async def serve() -> None:
        from kaunta.demo.setup import running_demo
        from kaunta.server import until_told

        async with running_demo(folder, port=port) as running:
            with until_told() as told:
                await announce(running, as_json=json)
                await told.wait()

    try:
        run(serve, as_json=json)
    except EmbeddedPostgresRuns:
        refuse(Exit.ALREADY_RUNNING, "A demo is running on this folder already. Stop it, or choose another --folder.")


async def announce(running: "Demo", *, as_json: bool) -> None:
    """Say where everything is: one JSON line for programs; addresses and a QR code for people."""
    import json
    import sys

    import segno

    from kaunta.demo.bar import OWNER, admin_key

    if as_json:
        line = {
            "guest": running.guest_url,
            "staff": f"{running.url}/staff",
            "phone": running.phone_url,
            "simulator": running.simulator.url,
            "api": running.url,
            "database": running.database_url,
            "bar_id": str(running.bar.bar_id),
            "tab_id": running.bar.tab_ref,
            "login": {"user": OWNER, "password": running.password},
            "admin_key": await admin_key(running.rt, running.bar.bar_id),
        }
        print(json.dumps(line), flush=True)
        return
    if sys.stderr.isatty():
        segno.make(running.guest_url, error="l").terminal(sys.stderr, compact=True)
    notes.print(f"\n[bold]{running.bar.slug}[/] is open. Everything here is a demonstration; no money moves.\n")
    print(f"guest   {running.guest_url}")
    print(f"staff   {running.url}/staff      user {OWNER}   password {running.password}")
    print(f"phone   {running.phone_url}", flush=True)
    notes.print("\nOrder as a guest, confirm as staff, pay, and enter any PIN on the phone. Ctrl-C ends.")
