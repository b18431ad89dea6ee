"""Pages of a list that holds the catalogue and private flavors, some of one id."""

from typing import Any

import pytest
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from flavors.lifecycle.private import PrivateFlavor
from flavors.models import Flavor
from flavors.views import FlavorPagination
from infrastructures.models import Infrastructure
from testing.infrastructures import make_nova_flavor


def private(node: str, **values: Any) -> PrivateFlavor:
    return PrivateFlavor(make_nova_flavor(**values), (Infrastructure(name=node),))


FLAVORS: list[Any] = [
    private("Mordor", id="5", name="a"),
    private("Spain2", id="5", name="a", vcpus=9),
    Flavor(flavorid="6", name="b"),
    private("Crete", id="5", name="c"),
]


def page(**query: str) -> tuple[list[Any], str | None]:
    pagination = FlavorPagination()
    shown = pagination.paginate_queryset(FLAVORS, Request(APIRequestFactory().get("/v1/flavors", query)))
    link = pagination.get_next_link()
    return shown, link and link.rpartition("marker=")[2].replace("%40", "@")


def test_every_flavor_is_on_one_page_and_each_once() -> None:
    seen: list[Any] = []
    marker: str | None = None
    for _ in FLAVORS:
        shown, marker = page(limit="1", **({"marker": marker} if marker else {}))
        seen += shown
    assert seen == FLAVORS
    assert marker is not None
    assert page(limit="1", marker=marker) == ([], None)


def test_an_id_is_a_marker_as_in_nova() -> None:
    assert page(marker="6")[0] == FLAVORS[3:]
    assert page(marker="5")[0] == FLAVORS[1:]


def test_an_unknown_marker_is_refused() -> None:
    with pytest.raises(ParseError, match="Marker 7 could not be found"):
        page(marker="7")
