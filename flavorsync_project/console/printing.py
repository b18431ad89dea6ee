"""How commands print: tables for people, JSON for scripts, and refusals in one line."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, OutputWrapper
from prettytable import PrettyTable
from rest_framework.exceptions import APIException

from flavorsync_project.api.errors import reasons


def print_table(output: OutputWrapper, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns as wide as needed, without borders; nothing if there are no rows."""
    table = PrettyTable(header, border=False, align="l", right_padding_width=2)
    table.left_padding_width = 0
    table.add_rows([["-" if cell in ("", None) else cell for cell in row] for row in rows])
    for line in table.get_string().splitlines():
        output.write(line.rstrip())


def print_json(output: OutputWrapper, value: object) -> None:
    """Print *value* as one JSON document."""
    output.write(json.dumps(value, indent=2, ensure_ascii=False))


def yes_or_no(value: bool | None) -> str:
    """Return `yes`, `no`, or for None `-`."""
    return "-" if value is None else "yes" if value else "no"


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Raise `CommandError`, with the service's own words, when a service refuses something.

    A reason that is about one value begins with its name.
    """
    try:
        yield
    except ValidationError as error:
        raise CommandError("; ".join(reasons(error))) from error
    except APIException as error:
        raise CommandError(str(error.detail)) from error
