"""`python -m bench [--row NAME …] [--rounds N] [--quick]`: runs the rows, prints the table, keeps results and page."""

import argparse
import asyncio
import os
import sys
import time
import traceback
from typing import Any

from bench import kept, load, page
from bench.ground import ground
from bench.noise import Noise
from bench.results import row_as_json, summary
from bench.row import Size
from bench.rows import NAMES, row
from bench.run import measure, say
from bench.table import table
from kaunta.core import postgres_binaries
from kaunta.core.clock import EAT, Clock


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--row", action="append", choices=NAMES, help="only this row; may be given several times")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small and short: tries the bench, measures little")
    parser.add_argument("--no-page", action="store_true", help="leave docs/reference/performance.md as it is")
    parser.add_argument("--draw", action="store_true", help="measure nothing: write the page from results.json")
    wanted = parser.parse_args()
    if wanted.draw:
        page.write(kept.read())
        return
    names = wanted.row or list(NAMES)
    noise, rows, failed = Noise(), list[dict[str, Any]](), list[str]()
    noise.listen()
    with ground() as place:
        machine = {
            "postgres": postgres_binaries.version(place.server.binaries),
            "load_by": load.generator(),
            "rounds": wanted.rounds,
        }
        for name in names:
            begun, busy = time.monotonic(), os.getloadavg()[0]
            when = f"{Clock().now().astimezone(EAT):%Y-%m-%d %H:%M} EAT"
            found = row(name)
            try:
                rounds = asyncio.run(measure(found, place, Size(wanted.quick), wanted.rounds))
            except Exception:  # noqa: BLE001 - one row that fails must not cost the others' minutes
                say(f"{name} FAILED:\n{traceback.format_exc()}")
                failed.append(name)
                continue
            except KeyboardInterrupt:
                say(f"{name} was broken off; the rows before it are kept.")
                failed += names[names.index(name) :]
                break
            say(f"{name}: {time.monotonic() - begun:.0f} s")
            noise.listen()
            rows.append(row_as_json(summary(found, rounds), when=when, load_before=busy, quick=wanted.quick))
            everything = kept.keep(rows[-1], {"when": when, **machine, **noise.heard()})
            # A single row does not become the whole page.
            if not wanted.quick and not wanted.no_page and (not wanted.row or kept.complete(everything)):
                page.write(everything)
    sys.stdout.writelines(f"{line}\n" for line in table({"rows": rows}))
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
