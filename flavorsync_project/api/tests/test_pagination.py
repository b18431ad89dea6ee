"""A list is complete unless the client asks for pages, and pages put together are the list."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from flavorsync_project.api.pagination import MarkerPagination


@dataclass
class Flavor:
    id: str
    name: str


# Names that are not unique, and ids that a URL must quote
FLAVORS = [Flavor("b", "a"), Flavor("c", "a"), Flavor("a b&c=é", "b"), Flavor("d", "c"), Flavor("a", "d")]


class ContentTypePages(MarkerPagination):
    """Pages of a table that Django itself has."""

    root = "types"
    ordering = ("app_label", "model")


def request(url: str) -> Request:
    return Request(RequestFactory().get(url))


def ids(url: str) -> list[str]:
    return [flavor.id for flavor in MarkerPagination().paginate_queryset(FLAVORS, request(url))]


ALL = [flavor.id for flavor in FLAVORS]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("?limit=0", ALL),
        ("?limit=2", ALL[:2]),
        ("?limit=5", ALL),
        ("?limit=99", ALL),
        ("?limit=0002", ALL[:2]),
        ("?limit=" + "9" * 5000, ALL),
        ("?limit=1" + "0" * 5000, ALL),
        ("?marker=b", ALL[1:]),
        ("?marker=c&limit=2", ALL[2:4]),
        ("?marker=a+b%26c%3D%C3%A9", ALL[3:]),
        ("?marker=a", []),
        ("?unknown=1&promoted=", ALL),
        ("?limit=1&limit=2", ALL[:2]),
    ],
)
def test_the_page_of_a_list(query: str, expected: list[str]) -> None:
    assert ids(f"/v1/flavors{query}") == expected


@pytest.mark.parametrize("limit", ["-1", "1.5", "x", "", "+1", "%201", "%D9%A1", "1e3", "0x1", "1_0"])
def test_a_limit_that_is_none(limit: str) -> None:
    with pytest.raises(ParseError, match=r'^limit: must be a non-negative integer, not "'):
        ids(f"/v1/flavors?limit={limit}")


@pytest.mark.parametrize("marker", ["nobody", "", "B", "%00", "%FF"])
def test_a_marker_that_is_unknown(marker: str) -> None:
    with pytest.raises(ParseError, match=r"^Marker .* could not be found$"):
        ids(f"/v1/flavors?marker={marker}")


def _walk(pages: type[MarkerPagination], objects: Any, url: str) -> list[Any]:
    """Everything, page after page, by following the links."""
    found: list[Any] = []
    following: str | None = url
    while following:
        paginator = pages()
        page = paginator.paginate_queryset(objects, request(following))
        found += page
        response = paginator.get_paginated_response([])
        following = paginator.get_next_link()
        links = response.data.get(f"{pages.root}_links")
        if following is None:
            assert links is None
            assert "Link" not in response
        else:
            assert links == [{"rel": "next", "href": following}]
            assert response["Link"] == f'<{following}>; rel="next"'
            assert response["Link"].isascii()
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_the_links_lead_through_a_list(limit: int) -> None:
    assert _walk(MarkerPagination, FLAVORS, f"/v1/flavors?limit={limit}") == FLAVORS


def test_the_response_is_the_wrapped_page() -> None:
    paginator = MarkerPagination()
    paginator.paginate_queryset(FLAVORS, request("/v1/flavors"))
    assert paginator.get_paginated_response(["data"]).data == {"flavors": ["data"]}


def test_the_next_link_keeps_the_query_but_for_the_token() -> None:
    paginator = MarkerPagination()
    url = "/v1/flavors?limit=3&marker=b&access_token=s3cret&promoted=true&Access%5FToken=s3cret&node=a&node=b"
    paginator.paginate_queryset(FLAVORS, request(url))
    link = paginator.get_next_link()
    assert link is not None
    assert "s3cret" not in link
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path) == ("http", "testserver", "/v1/flavors")
    assert parse_qs(parts.query) == {"limit": ["3"], "marker": ["d"], "promoted": ["true"], "node": ["a", "b"]}


def test_the_next_link_stays_on_this_host_and_is_quoted() -> None:
    paginator = MarkerPagination()
    asked = request("/v1/flavors?limit=3")
    asked._request.path = '//evil.example/é">'
    paginator.paginate_queryset(FLAVORS, asked)
    link = paginator.get_next_link()
    assert link == "http://testserver//evil.example/%C3%A9%22%3E?limit=3&marker=a+b%26c%3D%C3%A9"


@pytest.mark.django_db
class TestRows:
    @pytest.fixture(autouse=True)
    def _rows(self) -> None:
        ContentType.objects.all().delete()
        # Not in their order
        for app_label, model in (("b", "m4"), ("a", "m2"), ("c", "m1"), ("a", "m3"), ("b", "m0")):
            ContentType.objects.create(app_label=app_label, model=model)

    ORDER = ("m2", "m3", "m0", "m4", "m1")

    def test_without_parameters_it_is_complete_in_one_query(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(1):
            page = ContentTypePages().paginate_queryset(ContentType.objects.all(), request("/v1/types"))
        assert [row.model for row in page] == list(self.ORDER)

    def test_a_page_is_two_queries_without_an_offset(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(2) as queries:
            page = ContentTypePages().paginate_queryset(
                ContentType.objects.all(), request("/v1/types?limit=2&marker=m3")
            )
        assert [row.model for row in page] == ["m0", "m4"]
        assert "OFFSET" not in queries.captured_queries[1]["sql"]
        assert "LIMIT 2" in queries.captured_queries[1]["sql"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
    def test_the_links_lead_through_a_table(self, limit: int) -> None:
        found = _walk(ContentTypePages, ContentType.objects.all(), f"/v1/types?limit={limit}")
        assert tuple(row.model for row in found) == self.ORDER

    @pytest.mark.parametrize("limit", [1, 2, 3, 5])
    @pytest.mark.parametrize(
        ("ordering", "order"),
        [(("-app_label", "-model"), ORDER[::-1]), (("app_label", "-model"), ("m3", "m2", "m4", "m0", "m1"))],
    )
    def test_the_order_can_be_descending(self, limit: int, ordering: tuple[str, ...], order: tuple[str, ...]) -> None:
        pages = type("Pages", (ContentTypePages,), {"ordering": ordering})
        found = _walk(pages, ContentType.objects.all(), f"/v1/types?limit={limit}")
        assert tuple(row.model for row in found) == order

    def test_a_row_outside_of_the_queryset_is_no_marker(self) -> None:
        with pytest.raises(ParseError, match=r"^Marker m1 could not be found$"):
            ContentTypePages().paginate_queryset(
                ContentType.objects.exclude(app_label="c"), request("/v1/types?marker=m1")
            )

    def test_a_limit_beyond_what_a_database_takes(self) -> None:
        page = ContentTypePages().paginate_queryset(
            ContentType.objects.all(), request("/v1/types?limit=99999999999999999999999")
        )
        assert len(page) == 5


def test_openapi_knows_the_parameters_and_the_links() -> None:
    paginator = MarkerPagination()
    names = [parameter["name"] for parameter in paginator.get_schema_operation_parameters(view=None)]  # type: ignore[arg-type]
    assert names == ["limit", "marker"]
    schema = paginator.get_paginated_response_schema({"type": "array"})
    assert schema["required"] == ["flavors"]
    assert list(schema["properties"]) == ["flavors", "flavors_links"]
