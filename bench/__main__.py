"""`python -m bench [--row NAME …] [--rounds N] [--quick]`: runs the rows, prints the table, keeps results and page."""

import argparse
import asyncio
import json
import sys
import time
import traceback
from pathlib import Path

from bench import load, page
from bench.ground import ground
from bench.noise import Noise
from bench.results import Result, as_json, summary
from bench.row import Size
from bench.rows import NAMES, row
from bench.run import measure, say
from bench.table import table
from kaunta.core import postgres_binaries
from kaunta.core.clock import EAT, Clock

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--row", action="append", choices=NAMES, help="only this row; may be given several times")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small and short: tries the bench, measures little")
    parser.add_argument("--no-page", action="store_true", help="leave docs/reference/performance.md as it is")
    parser.add_argument("--draw", action="store_true", help="measure nothing: write the page from results.json")
    wanted = parser.parse_args()
    if wanted.draw:
        page.write(json.loads(RESULTS.read_text(encoding="utf-8")))
        return
    names = wanted.row or list(NAMES)
    noise, results, failed = Noise(), list[Result](), list[str]()
    noise.listen()
    with ground() as place:
        machine = {
            "when": f"{Clock().now().astimezone(EAT):%Y-%m-%d %H:%M} EAT",
            "postgres": postgres_binaries.version(place.server.binaries),
            "load_by": load.generator(),
            "rounds": wanted.rounds,
        }
        for name in names:
            begun = time.monotonic()
            found = row(name)
            try:
                rounds = asyncio.run(measure(found, place, Size(wanted.quick), wanted.rounds))
            except Exception:  # noqa: BLE001 - one row that fails must not cost the others' ten minutes
                say(f"{name} FAILED:\n{traceback.format_exc()}")
                failed.append(name)
                continue
            results.append(summary(found, rounds))
            say(f"{name}: {time.monotonic() - begun:.0f} s")
            noise.listen()
    kept = as_json(results, {**machine, **noise.heard()})
    # One that reads while we write must find a whole file.
    unfinished = RESULTS.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(RESULTS)
    whole = not wanted.row and not wanted.quick and not failed
    if whole and not wanted.no_page:
        page.write(kept)
    sys.stdout.writelines(f"{line}\n" for line in table(kept))
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
