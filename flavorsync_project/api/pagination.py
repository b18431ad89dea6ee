"""Pages of a list by limit and marker, as Nova has them."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Model, Q, QuerySet
from django.utils.encoding import escape_uri_path
from rest_framework.exceptions import ParseError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

if TYPE_CHECKING:
    from rest_framework.views import APIView

_SHOWN = 60
# More than any list holds, and within what every database takes as a LIMIT.
_MAX_LIMIT = 2**31 - 1


class MarkerPagination(BasePagination):
    """Cut a list into pages by `?limit=N&marker=ID` (Compute API guide, "Paginated collections").

    Without either, the list is complete, unless there is a `default_limit`. A view uses it as

        paginator = MarkerPagination()
        page = paginator.paginate_queryset(flavors, request, view=self)
        return paginator.get_paginated_response(FlavorSerializer(page, many=True).data)

    for a queryset, or for a list of objects that is already sorted.
    """

    root = "flavors"
    ordering: tuple[str, ...] = ("name", "flavorid")
    """The fields to order a queryset by, descending with a `-`. The last one is the marker, and is unique."""
    item_id = "id"
    """The attribute that is the marker of an object in a plain list."""

    default_limit: int | None = None
    """How many objects a page has if the request does not say; None for all."""
    max_limit = _MAX_LIMIT

    limit_query_param = "limit"
    marker_query_param = "marker"

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        """Return the objects of the page that the request asks for, by default the first `default_limit`.

        A page of a queryset costs one query, two with a marker, and time in proportion to its size, not
        to what comes before it in the table, given an index on `ordering`.

        Raises: ParseError when the limit or the marker is wrong
        """
        self.request = request
        self.limit = self._limit()
        marker = request.query_params.get(self.marker_query_param)
        if isinstance(queryset, QuerySet):
            self.marker_attribute = self.ordering[-1].removeprefix("-")
            rest: Any = queryset.order_by(*self.ordering)
            if marker is not None:
                rest = self._rows_after(rest, marker)
        else:
            self.marker_attribute = self.item_id
            rest = queryset if marker is None else self._items_after(queryset, marker)
        self.page: list[Any] = list(rest[: self.limit])
        return self.page

    def _limit(self) -> int | None:
        text = self.request.query_params.get(self.limit_query_param)
        if text is None:
            return self.default_limit
        if not re.fullmatch("[0-9]+", text):
            raise ParseError(f'{self.limit_query_param}: must be a non-negative integer, not "{text[:_SHOWN]}"')
        # 0 means no limit, as in Nova. Python refuses to read a number with thousands of digits.
        return min(int(text.lstrip("0")[:_SHOWN] or 0), self.max_limit) or self.default_limit

    def _rows_after(self, queryset: QuerySet[Model], marker: str) -> QuerySet[Model]:
        fields = [field.removeprefix("-") for field in self.ordering]
        beyond = ["lt" if field.startswith("-") else "gt" for field in self.ordering]
        position = queryset.filter(**{self.marker_attribute: marker}).values_list(*fields).first()
        if position is None:
            raise self._unknown(marker)
        after = Q()
        equal = Q()
        # name > x, or name = x and id > y
        for field, lookup, value in zip(fields, beyond, position, strict=True):
            after |= equal & Q(**{f"{field}__{lookup}": value})
            equal &= Q(**{field: value})
        # The first field once more, alone: an index is entered by it. Without it SQLite would read all that follows.
        return queryset.filter(after, **{f"{fields[0]}__{beyond[0]}e": position[0]})

    def _items_after(self, items: Sequence[Any], marker: str) -> Sequence[Any]:
        for index, item in enumerate(items):
            if str(getattr(item, self.item_id)) == marker:
                return items[index + 1 :]
        raise self._unknown(marker)

    def _unknown(self, marker: str) -> ParseError:
        return ParseError(f"Marker {marker[:_SHOWN]} could not be found")

    def get_paginated_response(self, data: Any) -> Response:
        """Return the response with *data*, the serialized page, and the link to the next page.

        A full page has a link, `flavors_links` in JSON and `Link` (RFC 8288) in every format, even
        if nothing follows, as in Nova.
        """
        link = self.get_next_link()
        if link is None:
            return Response({self.root: data})
        return Response(
            {self.root: data, f"{self.root}_links": [{"rel": "next", "href": link}]},
            headers={"Link": f'<{link}>; rel="next"'},
        )

    def get_next_link(self) -> str | None:
        """Return the URL of the next page, without any token, or None if this page is not full."""
        if self.limit is None or len(self.page) < self.limit:
            return None
        query = self.request.query_params.copy()
        for name in [name for name in query if name.lower() == "access_token"]:
            del query[name]
        query[self.marker_query_param] = str(getattr(self.page[-1], self.marker_attribute))
        # Not build_absolute_uri: it takes a path that begins with // for another host.
        origin = f"{self.request.scheme}://{self.request.get_host()}"
        return f"{origin}{escape_uri_path(self.request.path)}?{query.urlencode()}"

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of a page of *schema*."""
        link = {
            "type": "object",
            "properties": {"rel": {"type": "string"}, "href": {"type": "string", "format": "uri"}},
        }
        return {
            "type": "object",
            "required": [self.root],
            "properties": {self.root: schema, f"{self.root}_links": {"type": "array", "items": link}},
        }

    def _described(self) -> str:
        return f"{self.default_limit}, and never more than {self.max_limit}," if self.default_limit else "All of them"

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Return the OpenAPI description of the two query parameters."""
        return [
            {
                "name": self.limit_query_param,
                "in": "query",
                "required": False,
                "description": f"How many to return at most. {self._described()} when 0 or not given.",
                "schema": {"type": "integer", "minimum": 0},
            },
            {
                "name": self.marker_query_param,
                "in": "query",
                "required": False,
                "description": "The id of the last one on the page before.",
                "schema": {"type": "string"},
            },
        ]
