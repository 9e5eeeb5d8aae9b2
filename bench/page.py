"""docs/reference/performance.md and its pictures, written from results.json."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.plots import bars
from bench.table import further, number, verdict, wanted

PAGE = Path(__file__).parents[1] / "docs/reference/performance.md"
PICTURES = PAGE.parent / "performance"

HEAD = """# Performance

Written by `make bench`, which measures Kaunta, the same jobs written the usual way (`bench/peers/`), and what
PostgreSQL alone could do, on one machine, taking turns. Figures are medians over the rounds; ± is the distance from the
smallest to the largest. CPU a request survives a noisy machine, a rate does not. A row is written as soon as it was
measured and stays until it is measured again. Do not edit.
"""


def write(results: Mapping[str, Any]) -> None:
    """The page and one picture a row; pictures of rows that are no more go."""
    results = {**results, "rows": [row for row in results["rows"] if not row["quick"]]}
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    for row in results["rows"]:
        (PICTURES / f"{row['name']}.svg").write_text(bars(row), encoding="utf-8")
    PAGE.write_text("\n".join(lines(results)) + "\n", encoding="utf-8")


def lines(results: Mapping[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    yield HEAD
    yield f"- The last row was begun: {machine['when']}"
    yield f"- On: {machine['cpus']} CPUs, {machine['system']}"
    yield f"- Python {machine['python']}, PostgreSQL {machine['postgres']}"
    yield f"- Load by: {machine['load_by']}"
    yield (
        f"- Noise: a fixed loop took {number(machine['loop_ms'])} ms, one in twenty at least "
        f"{number(machine['loop_spread_percent'])} % longer; {number(machine['steal_percent'])} % of the CPUs' time "
        f"went to other machines; load between the rows up to {number(machine['load_between_rows'])}"
    )
    yield ""
    yield "| Row | Ours | Peer | Limit | Ours ÷ peer | Ours ÷ limit | Unit |"
    yield "|---|---|---|---|---|---|---|"
    for row in results["rows"]:
        figures = (number(row[key]) for key in ("ours", "peer", "limit", "ratio_to_peer", "ratio_to_limit"))
        yield f"| [`{row['name']}`](#{row['name']}) | {' | '.join(figures)} | {row['unit']} |"
    for row in results["rows"]:
        yield from section(row)


def section(row: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## {row['name']}"
    yield ""
    yield f"{row['title']}. {row['about']}"
    yield ""
    yield f"Measured {row['when']}, {row['rounds']} rounds, load before {number(row['load_before'])}."
    yield ""
    yield f"![{row['title']}](performance/{row['name']}.svg)"
    yield ""
    yield f"| Way | {row['unit']} | ± % | CPU µs | PostgreSQL CPU µs | More |"
    yield "|---|---|---|---|---|---|"
    for name, way in row["ways"].items():
        cells = (number(way["value"]), f"{100 * way['spread']:.0f}", number(way["cpu_us"]), number(way["postgres_us"]))
        yield f"| {name} | {' | '.join(cells)} | {further(way)} |"
    if row["goals"]:
        yield ""
        yield "| Wanted | Bound | Measured | |"
        yield "|---|---|---|---|"
        for goal in row["goals"]:
            yield f"| {goal['says']} | {wanted(goal)} | {number(goal['figure'])} | {verdict(goal)} |"
