"""The data with which a template draws a chart as SVG, and shows the same in a table.

All coordinates are in per cent of the chart's width or height, so a chart scales to its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log2

from flavors.units import readable_mib

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
    least = next(each for each in FLOORS if each <= min(known))
    step = 100 / max(len(rows) - 1, 1)

    def up(value: float) -> float:
        return round(100 - (value - least) / (100 - least) * 100, 1)

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
        up=[Tick(up(value), f"{value:g} %") for value in (least, (least + 100) / 2, 100)],
        rows=rows,
    )


@dataclass(frozen=True)
class Part:
    """A piece of a column or a bar: where it begins, how long it is, its colour, what it counts, and how many."""

    at: float
    length: float
    colour: str
    words: str
    count: int


@dataclass(frozen=True)
class Bar:
    """A column or bar: its position and thickness, its name, where it leads to, and its pieces."""

    at: float
    thickness: float
    name: str
    url: str
    parts: Sequence[Part]

    @property
    def total(self) -> int:
        """What all its pieces count."""
        return sum(part.count for part in self.parts)

    @property
    def words(self) -> str:
        """All that it says, in one line."""
        told = ", ".join(f"{part.count} {part.words}" for part in self.parts)
        return f"{self.name}: {told or 'none'}"


@dataclass(frozen=True)
class Bars:
    """Columns or bars with a common axis; `ticks` are those of columns, from above."""

    bars: Sequence[Bar]
    ticks: Sequence[Tick]

    @property
    def key(self) -> Sequence[tuple[str, str]]:
        """What the colours mean: each with its words, those of one colour together."""
        words: dict[str, list[str]] = {}
        for part in (part for bar in self.bars for part in bar.parts):
            if part.words not in words.setdefault(part.colour, []):
                words[part.colour].append(part.words)
        return [(colour, ", ".join(told)) for colour, told in words.items()]


Counted = tuple[str, str, Sequence[tuple[str, str, int]]]
"""A name, where it leads to, and what is counted: each with its colour, its words and its number."""


def bars(rows: Sequence[Counted]) -> Bars | None:
    """Return a bar for each row, stacked from its counts; None when there is nothing to count in any row."""
    top = max((sum(count for _, _, count in counts) for _, _, counts in rows), default=0)
    if not top:
        return None
    top, step = _round_up(top), 100 / len(rows)
    made = []
    for number, (name, url, counts) in enumerate(rows):
        parts, at = [], 0.0
        for colour, words, count in counts:
            if count:
                parts.append(Part(round(at, 2), round(100 * count / top, 2), colour, words, count))
                at += 100 * count / top
        made.append(Bar(round((number + 0.15) * step, 2), round(0.7 * step, 2), name, url, parts))
    return Bars(made, [Tick(100 - at, f"{top * at / 100:g}") for at in (0, 50, 100)])


def _round_up(count: int) -> int:
    """Return the next even number that is easy to read: 2, 4, 10, 20, 40, 100, …"""
    scale = 1
    while True:
        for digit in (2, 4, 10):
            if count <= digit * scale:
                return digit * scale
        scale *= 10


@dataclass(frozen=True)
class Dot:
    """Flavors of the same size: where it is, how large, and their names."""

    across: float
    up: float
    radius: float
    vcpus: int
    ram: int
    names: Sequence[str]


@dataclass(frozen=True)
class Landscape:
    """Flavors by vCPUs, across, and RAM, up; each step of both axes doubles."""

    dots: Sequence[Dot]
    across: Sequence[Tick]
    up: Sequence[Tick]


def landscape(flavors: Sequence[tuple[str, int, int]]) -> Landscape | None:
    """Return where flavors are, each with its name, vCPUs and RAM in MiB; None without any."""
    if not flavors:
        return None
    by_size: dict[tuple[int, int], list[str]] = {}
    for name, vcpus, ram in flavors:
        by_size.setdefault((vcpus, ram), []).append(name)
    across, up = (_Doubling([size[axis] for size in by_size]) for axis in (0, 1))
    return Landscape(
        dots=[
            Dot(across(vcpus), 100 - up(ram), 4 + min(2 * (len(names) - 1), 6), vcpus, ram, names)
            for (vcpus, ram), names in sorted(by_size.items())
        ],
        across=[Tick(across(2**power), str(2**power)) for power in across.powers],
        up=[Tick(100 - up(2**power), readable_mib(2**power)) for power in up.powers],
    )


class _Doubling:
    """Places numbers on an axis on which each step doubles, in per cent, with some room at both ends."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._first = floor(log2(min(numbers)))
        self._last = max(ceil(log2(max(numbers))), self._first + 1)
        every = ceil((self._last - self._first + 1) / 6)
        self.powers = range(self._first, self._last + 1, every)

    def __call__(self, number: int) -> float:
        return round(5 + 90 * (log2(number) - self._first) / (self._last - self._first), 1)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{across},{up}" for across, up in points)


def _some(count: int) -> Sequence[int]:
    """Return the indexes of about four days, from the last one backwards."""
    return range(count - 1, -1, -max(1, round(count / 4)))
