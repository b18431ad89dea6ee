r"""The catalogue as a table, in CSV: a line for each flavor, under a heading that names the members.

Sizes are in MiB and GiB, as Nova has them. A cell of extra specs holds `key=value` pairs with `; ` between them. A text
with a line break, a backslash or, in an extra spec, a semicolon has `\n`, `\r`, `\\` or `\;` there, so that a flavor is
one line. A text that a spreadsheet would take for a formula has a `'` before it.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

from flavors.models import NOVA_MEMBERS, Flavor

EXTRA_SPECS = "extra_specs"
COLUMNS = ("id", *NOVA_MEMBERS, "public", "promoted", EXTRA_SPECS)
TEXTS, STATES = ("id", "name", "description"), ("is_public", "public", "promoted")
# What spreadsheets put between cells, depending on the country and on whether they save or copy
DELIMITERS = ",;\t"
# How a cell begins that a spreadsheet would take for a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r")
QUOTED = (*FORMULA, "'")
ESCAPES: dict[str, str | int | None] = {"\\": r"\\", "\n": r"\n", "\r": r"\r"}
UNESCAPES = {"n": "\n", "r": "\r", "\\": "\\", ";": ";"}
# The columns in which an empty cell is a value, and not one that is left out
MAY_BE_EMPTY = ("description", EXTRA_SPECS)
INTEGER, DECIMAL = re.compile("-?[0-9]{1,30}"), re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")

Row = tuple[str, dict[str, Any], list[str]]
"""The label of a line, its values by member of a document, and what is wrong with it."""


def write_table(flavors: Iterable[Flavor]) -> str:
    """Return these flavors as CSV. It holds no access lists."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for flavor in flavors:
        values = [flavor.flavorid, *(getattr(flavor, member) for member in COLUMNS[1:-1])]
        writer.writerow([_cell(value) for value in values] + [_cell_of_specs(flavor.extra_specs)])
    return text.getvalue()


def is_table(text: str) -> bool:
    """Say whether a document is a table: its first line names the id or the name, among others."""
    heading = _heading(text)
    columns = heading.split(_delimiter(heading))
    return len(columns) > 1 and any(_name(column) in ("id", "name") for column in columns)


def read_table(text: str) -> Iterator[Row]:
    """Yield each flavor of a table; a line that cannot be read has no values. An empty cell is left out.

    Empty lines are passed over. Values that a column cannot have are left as text, for the serializer to refuse.
    """
    lines = StringIO(_plain(text), newline="\n")
    reader = csv.reader(lines, delimiter=_delimiter(_heading(text)), strict=True)
    number = 1
    try:
        columns = [_name(column) for column in next(reader)]
        if problems := list(_wrong_columns(columns)):
            yield "line 1", {}, problems
            return
        number = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield _row(number, columns, cells)
            number = reader.line_num + 1
    except csv.Error as error:
        yield f"line {number}", {}, [f"line {number}: cannot be read as CSV: {error}"]


def _plain(text: str) -> str:
    """Return a document without a byte order mark, and with the line breaks that it had before it was sent."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _heading(text: str) -> str:
    return _plain(text).partition("\n")[0]


def _delimiter(heading: str) -> str:
    return next((each for each in heading if each in DELIMITERS), ",")


def _name(column: str) -> str:
    return column.strip().strip('"').lower()


def _wrong_columns(columns: Sequence[str]) -> Iterator[str]:
    for number, column in enumerate(columns):
        if column not in COLUMNS:
            yield f"line 1: there is no column {column or 'without a name'}; the columns are {', '.join(COLUMNS)}"
        elif column in columns[:number]:
            yield f"line 1: the column {column} is there twice"


def _row(number: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    label = f"line {number}"
    if len(cells) != len(columns):
        return label, {}, [f"{label}: has {len(cells)} cells where the heading has {len(columns)}"]
    given = {column: _unquoted(cell) for column, cell in zip(columns, cells, strict=True)}
    shown = given.get("name") or given.get("id")
    label += f" ({shown})" if shown else ""
    values = {column: _value(column, cell) for column, cell in given.items() if cell or column in MAY_BE_EMPTY}
    if not isinstance(values.get(EXTRA_SPECS, {}), dict):
        return label, values, [f"{label}: {EXTRA_SPECS}: must be key=value pairs with a ; between them"]
    return label, values, []


def _value(column: str, cell: str) -> Any:
    """Return what a cell holds; the text itself if it is not what the column has."""
    if column == EXTRA_SPECS:
        return _specs(cell)
    if column in TEXTS:
        return _unescaped(cell)
    plain = cell.strip()
    if column in STATES:
        return {"true": True, "false": False}.get(plain.lower(), plain)
    if column == "rxtx_factor":
        return float(plain) if DECIMAL.fullmatch(plain) else plain
    return int(plain) if INTEGER.fullmatch(plain) else plain


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(_escaped(value)) if isinstance(value, str) else value


def _cell_of_specs(specs: dict[str, str]) -> str:
    return _quoted("; ".join(f"{key}={_escaped(value, ';')}" for key, value in sorted(specs.items())))


def _specs(cell: str) -> dict[str, str] | str:
    pairs = [pair.removeprefix(" ") if number else pair for number, pair in enumerate(_pairs(cell))]
    if any("=" not in pair for pair in pairs if pair):
        return cell
    return {key: _unescaped(value) for key, _, value in (pair.partition("=") for pair in pairs if pair)}


def _pairs(cell: str) -> list[str]:
    """Return what is between semicolons, but for those that are escaped."""
    return re.findall(r"(?:\\.|[^;])+", cell, re.DOTALL)


def _escaped(text: str, *more: str) -> str:
    return text.translate(str.maketrans(ESCAPES | {each: f"\\{each}" for each in more}))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([nr\\;])", lambda found: UNESCAPES[found[1]], text)


def _quoted(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) or (text.startswith("'") and text[1:].startswith(QUOTED)) else text


def _unquoted(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(QUOTED) else cell
