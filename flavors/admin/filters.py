"""The filters of the list of flavors."""

from typing import Any

from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest

GIB = 1024


class CoverageFilter(admin.SimpleListFilter):
    """Whether every node has a flavor."""

    title = "number of nodes"
    parameter_name = "coverage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("all", "in every node"), ("some", "in some nodes"), ("none", "in no node")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the flavors of the choice."""
        match self.value():
            case "all":
                return queryset.filter(node_count=F("node_total"))
            case "some":
                return queryset.filter(node_count__gt=0, node_count__lt=F("node_total"))
            case "none":
                return queryset.filter(node_count=0)
        return queryset


class SizeFilter(admin.SimpleListFilter):
    """How large a flavor is: `ranges` are the choices, each with its words, its least and its greatest value."""

    field = ""
    ranges: tuple[tuple[str, str, int, int | None], ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [(name, words) for name, words, _, _ in self.ranges]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the flavors of the choice."""
        for name, _, least, greatest in self.ranges:
            if name == self.value():
                queryset = queryset.filter(**{f"{self.field}__gte": least})
                return queryset if greatest is None else queryset.filter(**{f"{self.field}__lte": greatest})
        return queryset


class VcpusFilter(SizeFilter):
    """How many vCPUs a flavor has."""

    title, parameter_name, field = "vCPUs", "cpus", "vcpus"
    ranges = (
        ("1", "1", 1, 1),
        ("2-4", "2 to 4", 2, 4),
        ("5-16", "5 to 16", 5, 16),
        ("17-", "more than 16", 17, None),
    )


class RamFilter(SizeFilter):
    """How much RAM a flavor has."""

    title, parameter_name, field = "RAM", "memory", "ram"
    ranges = (
        ("-2", "up to 2 GiB", 0, 2 * GIB),
        ("2-8", "2 to 8 GiB", 2 * GIB, 8 * GIB),
        ("8-32", "8 to 32 GiB", 8 * GIB, 32 * GIB),
        ("32-", "32 GiB and more", 32 * GIB, None),
    )
