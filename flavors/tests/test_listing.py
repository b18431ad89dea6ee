"""The lists of the catalogue: from memory or with the client already, and always those of now."""

import json
from base64 import b64encode
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIRequestFactory

from flavors.lists import listing
from flavors.models import Flavor
from flavors.querysets import FlavorQuerySet
from flavors.serializers import FlavorSerializer
from flavors.views import PromotedFlavorViewSet
from identity.models import User
from infrastructures.models import Infrastructure
from testing.flavors import make_flavor, make_installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PROMOTED, CATALOGUE = "/v1/promotedflavors", "/v1/flavors"
XML = {"Accept": "application/xml"}
BASIC = {"Authorization": "Basic " + b64encode(b"frodo:friend").decode()}


@pytest.fixture(autouse=True)
def account() -> User:
    account = User.objects.create_user("frodo", password="friend")
    for number in range(3):
        make_installation(make_flavor(flavorid=f"f{number}", name=f"name {number}"), "Mordor")
    make_flavor(flavorid="public", name="public", promoted=False)
    return account


def get(path: str, *, method: str = "get", **headers: str) -> Any:
    return getattr(
        Client(headers={**BASIC, **{name.replace("_", "-"): text for name, text in headers.items()}}), method
    )(path)


def ids(response: Any) -> list[str]:
    return [flavor["id"] for flavor in json.loads(response.content)["flavors"]]


# What a list costs, and what it is


def test_it_is_what_the_serializer_makes_of_it() -> None:
    make_installation(Flavor.objects.get(flavorid="f1"), "Aman")
    flavors: Any = Flavor.objects.promoted().with_nodes()
    expected = FlavorSerializer(flavors, many=True).data
    assert json.loads(get(PROMOTED).content) == {"flavors": expected}
    assert [list(flavor) for flavor in json.loads(get(PROMOTED).content)["flavors"]] == [list(expected[0])] * 3


@pytest.mark.parametrize("accept", ["application/json", "application/xml", "text/xml"])
@pytest.mark.parametrize(
    "path", [CATALOGUE, f"{CATALOGUE}?promoted=1", f"{CATALOGUE}?node=Mordor", f"{CATALOGUE}?limit=2"]
)
@pytest.mark.parametrize("rows", [0, 20])
def test_a_list_costs_five_queries_the_first_time_and_then_one(
    django_assert_num_queries: DjangoAssertNumQueries, path: str, accept: str, rows: int
) -> None:
    for number in range(rows):
        make_installation(make_flavor(name=f"more {number}"), f"Node {number % 5}")
    client = Client(headers={"Accept": accept})
    with django_assert_num_queries(5):
        first = client.get(path)
    with django_assert_num_queries(1):
        again = client.get(path)
    with django_assert_num_queries(1):
        unchanged = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert first.status_code == 200
    assert first["Content-Type"].startswith(accept)
    assert (again.content, again["ETag"], again["Content-Type"]) == (
        first.content,
        first["ETag"],
        first["Content-Type"],
    )
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_a_later_page_costs_one_more(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(6):
        assert ids(Client().get(f"{CATALOGUE}?limit=1&marker=f0")) == ["f1"]


def test_an_account_that_is_known_adds_two_to_the_catalogue_and_one_to_the_promoted() -> None:
    costs = {}
    for path in (PROMOTED, CATALOGUE):
        get(path)
        with CaptureQueriesContext(connection) as queries:
            get(path)
        costs[path] = len(queries)
    assert costs == {PROMOTED: 2, CATALOGUE: 3}


# Whoever has it already


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("path", [PROMOTED, f"{PROMOTED}/", f"/api{PROMOTED}", CATALOGUE, f"{PROMOTED}?limit=2"])
def test_a_304_says_what_a_200_does(path: str, method: str) -> None:
    whole = get(path)
    unchanged = get(path, method=method, If_None_Match=whole["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    for header in ("ETag", "Cache-Control", "Vary"):
        assert unchanged[header] == whole[header]
    assert whole["Cache-Control"] == "private, no-cache"
    assert "Accept" in whole["Vary"]
    assert unchanged["X-Openstack-Request-Id"].startswith("req-")
    assert "Content-Type" not in unchanged


def test_head_is_get_without_its_body() -> None:
    whole, head = get(PROMOTED), get(PROMOTED, method="head")
    assert (head.status_code, head.content) == (200, b"")
    for header in ("ETag", "Content-Length", "Content-Type"):
        assert head[header] == whole[header]


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', '"other" , W/{}, "more"'])
def test_the_etag_may_be_weak_or_one_of_several(known: str) -> None:
    etag = get(PROMOTED)["ETag"]
    assert get(PROMOTED, If_None_Match=known.format(etag)).status_code == 304


@pytest.mark.parametrize("unknown", ["", "*", '"other"', "None", '"', "x" * 9000])
def test_anything_else_is_answered_whole(unknown: str) -> None:
    response = get(PROMOTED, If_None_Match=unknown)
    assert (response.status_code, ids(response)) == (200, ["f0", "f1", "f2"])


def test_each_list_has_an_etag_of_its_own() -> None:
    lists = [
        PROMOTED,
        CATALOGUE,
        *(f"{CATALOGUE}?{query}" for query in ("promoted=0", "node=Mordor", "limit=2", "limit=3")),
    ]
    etags = [get(path, **accept)["ETag"] for path in lists for accept in ({}, XML, {"Accept": "text/xml"})]
    assert len(set(etags)) == len(etags)
    assert get(CATALOGUE, If_None_Match=get(PROMOTED)["ETag"]).status_code == 200
    assert get(PROMOTED, If_None_Match=get(PROMOTED)["ETag"], **XML).status_code == 200


def test_who_may_not_read_is_told_so_whatever_they_have() -> None:
    etag = get(PROMOTED)["ETag"]
    assert Client().get(PROMOTED, headers={"If-None-Match": etag}).status_code == 401
    assert (
        get(PROMOTED, If_None_Match=etag, Authorization="Basic " + b64encode(b"frodo:foe").decode()).status_code == 401
    )


def test_a_wrong_page_is_400_whatever_they_have() -> None:
    etag = get(PROMOTED)["ETag"]
    for query in ("limit=x", "limit=-1", "marker=nobody", "limit=1&marker=public"):
        assert get(f"{PROMOTED}?{query}", If_None_Match=etag).status_code == 400


# Nothing of the past, and nothing of others


def test_a_change_is_in_the_next_answer_and_in_its_etag() -> None:
    before = get(PROMOTED)
    Infrastructure.objects.filter(name="Mordor").update(name="Gondor")
    after = get(PROMOTED, If_None_Match=before["ETag"])
    assert after.status_code == 200
    assert after["ETag"] != before["ETag"]
    assert {node for flavor in json.loads(after.content)["flavors"] for node in flavor["nodes"]} == {"Gondor"}


def test_a_change_while_it_is_read_is_in_it_whole() -> None:
    reads = 0

    def find() -> FlavorQuerySet:
        nonlocal reads
        reads += 1
        if reads == 1:
            flavors = Flavor.objects.promoted()
            list(flavors)  # before the change
            Flavor.objects.filter(flavorid="f1").update(vcpus=9)
        return Flavor.objects.promoted()

    response = _answer(find)
    assert reads == 2
    assert json.loads(response.content)["flavors"][1]["vcpus"] == 9
    assert response["ETag"] == get(PROMOTED)["ETag"]


def test_a_list_that_changes_all_the_time_is_answered_and_not_kept() -> None:
    reads = 0

    def find() -> FlavorQuerySet:
        nonlocal reads
        reads += 1
        Flavor.objects.filter(flavorid="f1").update(vcpus=reads)
        return Flavor.objects.promoted()

    response = _answer(find)
    assert reads == listing.MAX_ATTEMPTS
    assert "ETag" not in response
    assert json.loads(response.content)["flavors"][1]["vcpus"] == reads


def _answer(find: Any) -> Any:
    view = PromotedFlavorViewSet()
    view.setup(APIRequestFactory().get(PROMOTED))
    view.action_map = {"get": "list"}
    request = view.initialize_request(view.request)
    view.format_kwarg, view.request = None, request
    request.accepted_renderer, request.accepted_media_type = view.perform_content_negotiation(request)
    return listing.answer(view, request, find=find, filters=("promoted",))


def test_an_operators_own_list_has_no_etag_and_is_nobody_elses(account: User) -> None:
    for_all = Client().get(CATALOGUE)
    node = Infrastructure.objects.get(name="Mordor")
    node.keystone_url, node.username, node.tenant = "http://127.0.0.1:1/v3", "frodo", "shire"
    node.set_password("friend")
    node.save()
    node.operators.add(account)
    response = get(CATALOGUE, If_None_Match=for_all["ETag"])
    assert response.status_code == 502, "nobody answers there, and it is asked nevertheless"
    assert "ETag" not in response


def test_pages_lead_on_where_they_were_asked_for_and_repeat_no_token() -> None:
    for host in ("localhost", "127.0.0.1"):
        response = get(f"{PROMOTED}?limit=1&one=1", Host=host)
        assert response["Link"] == f'<http://{host}/v1/promotedflavors?limit=1&one=1&marker=f0>; rel="next"'
    etag = Client().get(f"{CATALOGUE}?limit=1")["ETag"]
    assert "secret" not in repr(listing._bodies)
    assert Client().get("/v1/flavors/?limit=1")["ETag"] != etag
