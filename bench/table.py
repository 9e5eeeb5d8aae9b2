"""The figures as a table for a terminal, from what results.json holds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: What a way's figures are called that every row may have; all others are further ones.
KNOWN = ("value", "spread", "cpu_us", "postgres_us")


def number(figure: float | None) -> str:
    """A figure as people read it: no more digits than it is worth."""
    if figure is None:
        return "–"
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}" if abs(figure) >= 0.1 else f"{figure:.3g}"


def verdict(goal: Mapping[str, Any]) -> str:
    """What became of a goal, in a word."""
    return {True: "reached", False: "MISSED", None: "not measured"}[goal["reached"]]


def wanted(goal: Mapping[str, Any]) -> str:
    bounds = [f"≥ {number(goal['at_least'])}"] if goal["at_least"] is not None else []
    return " and ".join([*bounds, *([f"≤ {number(goal['at_most'])}"] if goal["at_most"] is not None else [])])


def further(figures: Mapping[str, Any]) -> str:
    """A way's further figures in one cell."""
    return ", ".join(f"{name} {number(value)}" for name, value in figures.items() if name not in KNOWN)


def table(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Line by line: each row, its ways beneath it, its goals beneath those."""
    for row in results["rows"]:
        ratios = [
            f"{number(row[key])} × the {name}"
            for key, name in (("ratio_to_peer", "peer's"), ("ratio_to_limit", "limit's"))
            if row[key] is not None
        ]
        yield ""
        yield f"{row['name']}: {row['title']}" + (f" (ours is {', '.join(ratios)})" if ratios else "")
        for name, figures in row["ways"].items():
            line = f"  {name:<28}{number(figures['value']):>10} {row['unit']:<12}"
            if figures["cpu_us"] is not None:
                line += f" CPU {number(figures['cpu_us']):>6} µs"
            if figures["postgres_us"] is not None:
                line += f" + PostgreSQL {number(figures['postgres_us'])} µs"
            yield f"{line} ± {100 * figures['spread']:.0f} %  {further(figures)}".rstrip()
        for goal in row["goals"]:
            yield f"    {verdict(goal):<13}{goal['says']}: {number(goal['figure'])} (wanted {wanted(goal)})"
