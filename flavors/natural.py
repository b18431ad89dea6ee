"""The order of names that people expect: `SCS-1L-1` before `SCS-16V-32`. The API has the database's order."""

import re
from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator

# Up to so many rows are put in order here; more stay in the database's order, since all their names would be read
MOST = 5_000

Key = tuple[tuple[int, str] | tuple[int, int], ...]


def natural(name: str) -> Key:
    """Return the sort key of a name, in which a run of digits is a number and case does not matter."""
    parts = re.split(r"([0-9]+)", name.lower())
    return tuple((0, int(part)) if number % 2 else (1, part) for number, part in enumerate(parts))


class NaturalPaginator(Paginator[Any]):
    """Pages of a queryset in the natural order of its names. Cost: one query more, of all keys and names."""

    def __init__(self, object_list: Any, per_page: int, *, backwards: bool = False, **options: Any) -> None:
        super().__init__(object_list, per_page, **options)
        self._backwards = backwards

    def page(self, number: Any) -> Page[Any]:
        """Return a page."""
        number = self.validate_number(number)
        if self.count > MOST:
            return super().page(number)
        first = (number - 1) * self.per_page
        keys = self._keys()[first : first + self.per_page]
        rows: Any = self.object_list
        by_key = {row.pk: row for row in rows.order_by().filter(pk__in=keys)}
        return Page([by_key[key] for key in keys if key in by_key], number, self)

    def _keys(self) -> Sequence[int]:
        rows: Any = self.object_list
        named = rows.order_by("flavorid").values_list("pk", "name")
        return [pk for pk, _ in sorted(named, key=lambda row: natural(row[1]), reverse=self._backwards)]
