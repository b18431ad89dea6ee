"""The data with which a template draws a chart as SVG, and shows the same in a table.

All coordinates are in per cent of the chart's width or height, so a chart scales to its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

# Where the axis of a percentage may begin: the highest of these that is no higher than the lowest value
FLOORS = (98, 95, 90, 75, 50, 0)


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: its position and label."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line over days, with gaps where nothing is known; `lines` and `areas` are the points of its pieces."""

    lines: Sequence[str]
    areas: Sequence[str]
    dots: Sequence[tuple[float, float]]
    across: Sequence[Tick]
    up: Sequence[Tick]
    rows: Sequence[tuple[date, float | None]]


def percentages(rows: Sequence[tuple[date, float | None]]) -> Line | None:
    """Return the line of a percentage over successive days, or None without any value."""
    known = [value for _, value in rows if value is not None]
    if not known:
        return None
    floor = next(each for each in FLOORS if each <= min(known))
    step = 100 / max(len(rows) - 1, 1)

    def up(value: float) -> float:
        return round(100 - (value - floor) / (100 - floor) * 100, 1)

    def across(number: int) -> float:
        return round(number * step, 1)

    pieces: list[list[tuple[float, float]]] = [[]]
    for number, (_, value) in enumerate(rows):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((across(number), up(value)))
    pieces = [piece for piece in pieces if piece]
    return Line(
        lines=[_points(piece) for piece in pieces if len(piece) > 1],
        areas=[_points([(piece[0][0], 100), *piece, (piece[-1][0], 100)]) for piece in pieces],
        dots=[piece[-1] for piece in pieces if len(piece) == 1 or piece is pieces[-1]],
        across=[Tick(across(number), f"{rows[number][0]:%b} {rows[number][0].day}") for number in _some(len(rows))],
        up=[Tick(up(value), f"{value:g} %") for value in (floor, (floor + 100) / 2, 100)],
        rows=rows,
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{across},{up}" for across, up in points)


def _some(count: int) -> Sequence[int]:
    """Return the indexes of about four days, from the last one backwards."""
    return range(count - 1, -1, -max(1, round(count / 4)))
