"""The results, as a table and as JSON."""

import json
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One target and its result. `ratio` is ours to the floor's, both from the same round."""

    work: str
    target: str
    ours: float
    floor: float
    unit: str
    ratio: float
    met: bool
    rounds: list[float] = field(default_factory=list)


def compared(
    work: str, ours: Sequence[float], floor: Sequence[float], *, unit: str, at_least: float = 0, at_most: float = 0
) -> Row:
    """Return the row for two series that were measured in turn."""
    ratios = [one / other for one, other in zip(ours, floor, strict=True)]
    ratio = statistics.median(ratios)
    met = ratio >= at_least if at_least else ratio <= at_most
    target = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
    return Row(
        work, target, statistics.median(ours), statistics.median(floor), unit, ratio, met, [round(r, 3) for r in ratios]
    )


_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("work", lambda row: row.work),
    ("ours", lambda row: f"{row.ours:.5g} {row.unit}"),
    ("floor", lambda row: f"{row.floor:.5g} {row.unit}"),
    ("ratio", lambda row: f"{row.ratio:.2f}"),
    ("target", lambda row: row.target),
    ("", lambda row: "met" if row.met else "MISSED"),
)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    cells = [[title for title, _ in _COLUMNS], *([cell(row) for _, cell in _COLUMNS] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def write(path: Path, rows: Sequence[Row], **about: object) -> None:
    """Write the rows, and the conditions of the measurement, as JSON."""
    machine = {"python": platform.python_version(), "machine": platform.platform()}
    path.write_text(json.dumps({**machine, **about, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
