"""The catalogue as a page for everybody."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from flavors.models import Flavor, Installation
from flavors.natural import NaturalPaginator
from flavors.querysets import FlavorQuerySet
from infrastructures.models import Infrastructure

PAGE_SIZE = 100
# Each heading, and whether its column holds numbers.
COLUMNS = {"name": ("Name", False), "vcpus": ("vCPUs", True), "ram": ("RAM", True), "disk": ("Disk", True)} | {
    "nodes": ("Nodes", False)
}


@dataclass(frozen=True)
class Search:
    """What a visitor asks for in the page's address; what makes no sense there is ignored."""

    text: str
    node: str
    promoted: bool
    sort: str

    @classmethod
    def from_query(cls, query: QueryDict) -> Self:
        """Return what the address asks for."""
        sort = query.get("sort", "")
        return cls(
            text=query.get("q", "").replace("\0", "").strip()[:255],
            node=query.get("node", "").replace("\0", "")[:255],
            promoted=query.get("promoted", "").lower() in ("true", "1", "yes", "on"),
            sort=sort if sort.removeprefix("-") in COLUMNS else "name",
        )

    @property
    def is_narrow(self) -> bool:
        """Say whether it leaves flavors out."""
        return bool(self.text or self.node or self.promoted)

    @property
    def is_sorted(self) -> bool:
        """Say whether it asks for an order other than the usual one."""
        return self.sort != "name"

    def pages(self) -> Paginator[Flavor]:
        """Return the pages of what it asks for; those sorted by name are in the natural order."""
        if self.sort in ("name", "-name"):
            return NaturalPaginator(self.flavors(), PAGE_SIZE, backwards=self.sort == "-name")
        return Paginator(self.flavors(), PAGE_SIZE)

    def flavors(self) -> FlavorQuerySet:
        """Return the public flavors that it asks for, in its order."""
        # Counted before `node` leaves out the other nodes
        found = Flavor.objects.published().annotate(node_count=Count("installations", distinct=True))
        found = found.in_state(promoted=self.promoted or None, node=self.node or None)
        if self.text:
            found = found.filter(Q(name_key__contains=self.text.lower()) | Q(flavorid__icontains=self.text))
        sign, key = ("-" if self.sort.startswith("-") else ""), self.sort.removeprefix("-")
        return found.order_by(sign + ("node_count" if key == "nodes" else key), "name", "flavorid")


@dataclass(frozen=True)
class Column:
    """A heading of the table, which sorts it."""

    key: str
    label: str
    is_number: bool
    direction: str
    next: str


@dataclass(frozen=True)
class Row:
    """A flavor, and the names of the nodes that have it."""

    flavor: Flavor
    nodes: Collection[str]


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """Show the public flavors to everybody, in pages of `PAGE_SIZE`.

    Cost: four queries, five when sorted by name.
    """
    search = Search.from_query(request.GET)
    page = search.pages().get_page(request.GET.get("page"))
    flavors = list(page.object_list)
    nodes_of = _nodes_of(flavors)
    context = {
        "here": "catalogue",
        "search": search,
        "page": page,
        "rows": [Row(flavor, nodes_of[flavor.pk]) for flavor in flavors],
        "columns": [_column(key, search.sort) for key in COLUMNS],
        "nodes": list(Infrastructure.objects.values_list("name", flat=True)),
    }
    return render(request, "flavors/catalogue.html", context)


def _column(key: str, sort: str) -> Column:
    label, is_number = COLUMNS[key]
    direction = {key: "ascending", f"-{key}": "descending"}.get(sort, "")
    return Column(key, label, is_number, direction, next=f"-{key}" if sort == key else key)


def _nodes_of(flavors: Collection[Flavor]) -> dict[int, list[str]]:
    """Return the names of the nodes that have each, by primary key: too many names to make models of them."""
    nodes = defaultdict(list)
    installed = Installation.objects.filter(flavor__in=[flavor.pk for flavor in flavors])
    for flavor, node in installed.order_by("infrastructure__name").values_list("flavor_id", "infrastructure__name"):
        nodes[flavor].append(node)
    return nodes
