"""Charts as shapes: numbers in, places on a canvas out. The page draws them as SVG, and tells them in a table too."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

#: The canvas, in its own units; the page scales it.
WIDTH, HEIGHT, FOOT = 720, 180, 34


@dataclass(frozen=True, slots=True)
class Box:
    """One part of a column; `kind` names its look."""

    x: float
    y: float
    width: float
    height: float
    kind: str


def nice(largest: int) -> int:
    """The round number an axis ends at: 1, 2 or 5 times a power of ten, no less than the largest value."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= largest:
                return step * factor
        step *= 10


def stacked(columns: Sequence[dict[str, int]], top: int) -> list[Box]:
    """Columns side by side, each with its parts on top of one another, the first lowest."""
    room = WIDTH / max(len(columns), 1)
    boxes = []
    for place, parts in enumerate(columns):
        floor = float(HEIGHT)
        for kind, count in parts.items():
            if count:
                height = HEIGHT * count / top
                floor -= height
                boxes.append(Box(round(place * room + room * 0.15, 1), round(floor, 1), round(room * 0.7, 1),
                                 round(height, 1), kind))  # fmt: skip
    return boxes


def climbing(values: Sequence[int], top: int, places: int) -> str:
    """The points of a line that adds its values up, as SVG writes them; `places` steps are as wide as the canvas."""
    room = WIDTH / places
    sums = [0, *accumulate(values)]
    return " ".join(f"{place * room:.1f},{HEIGHT - HEIGHT * total / top:.1f}" for place, total in enumerate(sums))
