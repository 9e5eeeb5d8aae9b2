"""Bars as SVG, drawn from results.json: one picture a row, no library, readable on light and dark ground."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from bench.table import number

WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 720, 210, 90, 22, 10, 34
#: Ours stands out; the rest is grey. Both are read on white and on black.
COLOURS = {"ours": "#1a7f5a", "limit": "#7a7a86"}
OTHERS = "#9a8f80"


def bars(row: Mapping[str, Any]) -> str:
    """A row's ways as horizontal bars, the longest over the whole width."""
    ways = {name: figures["value"] for name, figures in row["ways"].items()}
    largest = max(ways.values()) or 1
    height = TOP + len(ways) * (BAR + GAP)
    better = "shorter is better" if row["better"] == "less" else "longer is better"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(row["title"], {chr(34): "&quot;"})}" font-family="system-ui, sans-serif" font-size="13">',
        f'<text x="0" y="16" fill="#7a7a86">{escape(row["title"])}, {escape(row["unit"])} ({better})</text>',
    ]
    for place, (name, value) in enumerate(ways.items()):
        y = TOP + place * (BAR + GAP)
        length = max(1.0, (WIDTH - LEFT - RIGHT) * value / largest)
        middle = y + BAR * 0.7
        lines += [
            f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end" fill="#7a7a86">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{COLOURS.get(name, OTHERS)}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{middle:.0f}" fill="#7a7a86">{number(value)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
