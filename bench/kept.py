"""bench/results.json: what was measured of each row the last time, written as soon as the row has ended.

A run that is broken off keeps what it has; each row says when it was measured and how busy the machine was then.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.rows import NAMES

RESULTS = Path(__file__).with_name("results.json")


def read(file: Path = RESULTS) -> dict[str, Any]:
    """What is kept so far; rows that are no more are left out."""
    if not file.exists():
        return {"rows": [], "machine": {}}
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    # A file of an older bench has them once for all.
    once = {"when": kept["machine"].get("when", "once"), "load_before": None, "quick": False}
    return {**kept, "rows": [once | row for row in kept["rows"] if row["name"] in NAMES]}


def keep(row: Mapping[str, Any], machine: Mapping[str, Any], file: Path = RESULTS) -> dict[str, Any]:
    """Put a row in the place of what was kept of it, in the order of the rows, and give all that is kept now.

    What was only tried (`quick`) takes the place of nothing that was measured.
    """
    rows = {each["name"]: each for each in read(file)["rows"]}
    if not row["quick"] or rows.get(row["name"], row)["quick"]:
        rows[row["name"]] = dict(row)
    kept = {"rows": [rows[name] for name in NAMES if name in rows], "machine": dict(machine)}
    # One that reads while we write must find a whole file.
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(file)
    return kept


def complete(kept: Mapping[str, Any]) -> bool:
    """Whether every row was measured, and not only tried."""
    return {row["name"] for row in kept["rows"] if not row["quick"]} == set(NAMES)
