"""The promoted flavors, read as those of a Nova."""

from typing import Any

import pytest
import requests_mock
from pytest_django import DjangoAssertNumQueries, Settings

from compute.tests.client import ROOT, Nova, a_user
from flavors.models import Flavor
from testing.accounts import make_keystone_token
from testing.flavors import make_flavor


def links(id: str) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{ROOT}/v2.1/flavors/{id}"},
        {"rel": "bookmark", "href": f"{ROOT}/flavors/{id}"},
    ]


WHOLE = {
    "id": "nano",
    "name": "TestNano",
    "ram": 512,
    "disk": 10,
    "vcpus": 2,
    "swap": "",
    "OS-FLV-EXT-DATA:ephemeral": 3,
    "OS-FLV-DISABLED:disabled": False,
    "os-flavor-access:is_public": True,
    "rxtx_factor": 1.0,
    "links": links("nano"),
}


def make_nano(**overrides: Any) -> Flavor:
    values = {"flavorid": "nano", "vcpus": 2, "ram": 512, "ephemeral": 3, "description": "tiny"}
    return make_flavor(**{**values, "extra_specs": {"hw:cpu_policy": "shared"}, **overrides})


@pytest.mark.parametrize(
    ("version", "more"),
    [
        ("2.1", {}),
        ("2.54", {}),
        ("2.55", {"description": "tiny"}),
        ("2.60", {"description": "tiny"}),
        ("2.61", {"description": "tiny", "extra_specs": {"hw:cpu_policy": "shared"}}),
        ("2.75", {"description": "tiny", "extra_specs": {"hw:cpu_policy": "shared"}, "swap": 0}),
        ("2.96", {"description": "tiny", "extra_specs": {"hw:cpu_policy": "shared"}, "swap": 0}),
    ],
)
def test_a_flavor_has_the_members_of_its_microversion_and_no_others(
    user: Nova, version: str, more: dict[str, object]
) -> None:
    make_nano()
    assert user.at(version).get("/flavors/nano").body == {"flavor": {**WHOLE, **more}}
    assert user.at(version).get("/flavors/detail").body == {"flavors": [{**WHOLE, **more}]}


@pytest.mark.parametrize("version", ["2.1", "2.75"])
def test_swap_is_told_where_there_is_some(user: Nova, version: str) -> None:
    make_nano(swap=64)
    assert user.at(version).get("/flavors/nano").body["flavor"]["swap"] == 64


def test_links_can_be_followed(user: Nova) -> None:
    make_nano(flavorid="a b")
    self_, bookmark = user.get("/flavors/a%20b").body["flavor"]["links"]
    assert (self_["href"], bookmark["href"]) == (f"{ROOT}/v2.1/flavors/a%20b", f"{ROOT}/flavors/a%20b")


def test_the_brief_list(user: Nova) -> None:
    make_nano(description="")
    assert user.get("/flavors").body == {"flavors": [{"id": "nano", "name": "TestNano", "links": links("nano")}]}
    (listed,) = user.at("2.55").get("/flavors").body["flavors"]
    assert listed["description"] is None


def test_only_promoted_flavors_are_there(user: Nova) -> None:
    make_nano(promoted=False)
    assert user.get("/flavors").body == {"flavors": []}
    assert user.get("/flavors/nano").fault == ("itemNotFound", 404)


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [flavor["id"] for flavor in answer.body["flavors"]]


@pytest.fixture
def several(db: None) -> None:
    make_flavor(flavorid="c", name="alpha", ram=100, disk=3, vcpus=1)
    make_flavor(flavorid="a", name="gamma", ram=300, disk=1, vcpus=1)
    make_flavor(flavorid="b", name="beta", ram=200, disk=2, vcpus=2)
    private = make_flavor(flavorid="d", name="delta", ram=400, disk=4, vcpus=4, is_public=False)
    # One of them has been made public since.
    for flavor in (private, Flavor.objects.get(flavorid="b")):
        flavor.grants.create(project="p1")
        flavor.grants.create(project="p2", revoked=True)


def test_a_project_sees_what_is_open_to_it(
    several: None, requests_mock: requests_mock.Mocker, settings: Settings
) -> None:
    """And not what has just been shown to another."""
    settings.KEYSTONE_IDENTITY, settings.KEYSTONE_URL = True, "https://keystone.example.org/v3"
    for project, expected in {"p1": "abcd", "p2": "abc", "p3": "abc"}.items():
        of_project = {"id": project, "name": project, "domain": {"id": "d", "name": "D"}}
        known = make_keystone_token("member", project=of_project)
        requests_mock.get(f"{settings.KEYSTONE_URL}/auth/tokens?nocatalog", json=known)
        member = Nova({"X-Auth-Token": f"gAAAA-of-{project}"})
        assert ids(member.get("/flavors")) == list(expected)
        assert (member.get("/flavors/d").status == 200) is ("d" in expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abc"),
        ("?sort_dir=desc", "cba"),
        ("?sort_key=name", "cba"),
        ("?sort_key=memory_mb", "cba"),
        ("?sort_key=root_gb&sort_dir=desc", "cba"),
        ("?sort_key=vcpus", "cab"),
        ("?sort_key=vcpus&sort_dir=desc", "bac"),
        ("?sort_key=id", "cab"),
        ("?limit=2", "ab"),
        ("?limit=0", ""),
        ("?limit=5000", "abc"),
        (f"?limit={10**20}", "abc"),
        ("?marker=a", "bc"),
        ("?marker=b&sort_dir=desc", "a"),
        ("?marker=c&sort_key=vcpus", "ab"),
        ("?marker=b&sort_key=name&limit=1", "a"),
        ("?minRam=200", "ab"),
        (f"?minRam={10**20}", ""),
        (f"?minRam=-{10**20}", "abc"),
        ("?minDisk=3", "c"),
        ("?minDisk=-1", "abc"),
        ("?is_public=None", "abcd"),
        ("?is_public=none", "abcd"),
        ("?is_public=False", "d"),
        ("?is_public=no", "d"),
        ("?is_public=True", "abc"),
        ("?is_public=%20no%20", "d"),
        ("?promoted=no", "abc"),
    ],
)
def test_what_a_list_may_be_asked_for(admin: Nova, several: None, query: str, expected: str) -> None:
    assert ids(admin.get(f"/flavors{query}")) == list(expected)
    assert ids(admin.get(f"/flavors/detail{query}")) == list(expected)


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "limit=%2B1",
        "limit=+1",
        "marker=nobody",
        "sort_key=shape",
        "sort_dir=up",
        "minRam=x",
        "minDisk=1.5",
        "minDisk=1.0",
        "is_public=x",
        "is_public=%20none",
    ],
)
def test_what_makes_no_sense_is_refused(admin: Nova, several: None, query: str) -> None:
    assert admin.get(f"/flavors?{query}").fault == ("badRequest", 400)


def test_unknown_parameters_are_refused_from_2_75_on(admin: Nova, several: None) -> None:
    assert ids(admin.at("2.74").get("/flavors?shape=round")) == ["a", "b", "c"]
    assert admin.at("2.75").get("/flavors?shape=round").fault == ("badRequest", 400)
    assert ids(admin.at("2.75").get("/flavors?limit=1")) == ["a"]


def test_full_pages_lead_to_the_next(admin: Nova, several: None) -> None:
    first = admin.get("/flavors/detail?limit=2&is_public=None")
    (link,) = first.body["flavors_links"]
    assert link["rel"] == "next"
    assert link["href"].startswith(f"{ROOT}/v2.1/flavors/detail?")
    second = admin.get("/" + link["href"].removeprefix("http://testserver"))
    assert ids(first) + ids(second) == ["a", "b", "c", "d"]
    last = admin.get("/" + second.body["flavors_links"][0]["href"].removeprefix("http://testserver"))
    assert last.body == {"flavors": []}
    assert "flavors_links" not in admin.get("/flavors?limit=3&marker=a").body


@pytest.mark.parametrize("query", ["", "&limit=5000"])
def test_a_page_holds_a_thousand_at_most(user: Nova, query: str) -> None:
    Flavor.objects.bulk_create(
        Flavor(flavorid=f"f{number:04}", name=f"f{number:04}", vcpus=1, ram=1, disk=1, public=True, promoted=True)
        for number in range(1001)
    )
    first = user.get(f"/flavors?sort_dir=desc{query}")
    (link,) = first.body["flavors_links"]
    last = user.get("/" + link["href"].removeprefix("http://testserver"))
    assert ids(first) + ids(last) == [f"f{number:04}" for number in reversed(range(1001))]
    assert len(ids(first)) == 1000


@pytest.mark.parametrize("key", ["created_at", "description", "disabled", "is_public", "rxtx_factor"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_by_any_key_hold_every_flavor_once(admin: Nova, key: str, direction: str) -> None:
    """Most have the same values, some of which no binary fraction is equal to."""
    for number in range(7):
        odd = {"rxtx_factor": 0.1, "description": "é", "swap": 3, "is_public": False} if number % 3 else {}
        make_flavor(flavorid=f"f{number}", name=f"{number % 2}{number}", **odd)
    path = f"/flavors?is_public=None&sort_key={key}&sort_dir={direction}"
    whole, pages = ids(admin.get(path)), list[str]()
    while page := ids(admin.get(f"{path}&limit=2" + (f"&marker={pages[-1]}" if pages else ""))):
        pages += page
    assert pages == whole
    assert len(set(whole)) == 7


def test_flavors_that_are_not_public_are_for_managers(user: Nova, admin: Nova, several: None) -> None:
    assert ids(user.get("/flavors?is_public=None")) == ["a", "b", "c"]
    assert user.get("/flavors/d").fault == ("itemNotFound", 404)
    assert user.get("/flavors/d/os-extra_specs").fault == ("itemNotFound", 404)
    assert user.get("/flavors?marker=d").fault == ("badRequest", 400)
    assert admin.get("/flavors/d").status == 200


def test_the_access_list_is_for_managers(user: Nova, admin: Nova, several: None) -> None:
    assert admin.get("/flavors/d/os-flavor-access").body == {"flavor_access": [{"flavor_id": "d", "tenant_id": "p1"}]}
    assert admin.get("/flavors/a/os-flavor-access").fault == ("itemNotFound", 404)
    # What somebody may is asked before whether there is such a flavor.
    assert user.get("/flavors/nobody/os-flavor-access").fault == ("forbidden", 403)


def test_extra_specs(user: Nova) -> None:
    make_nano()
    assert user.get("/flavors/nano/os-extra_specs").body == {"extra_specs": {"hw:cpu_policy": "shared"}}
    assert user.get("/flavors/nano/os-extra_specs/hw:cpu_policy").body == {"hw:cpu_policy": "shared"}
    assert user.get("/flavors/nano/os-extra_specs/other").fault == ("itemNotFound", 404)
    assert user.get("/flavors/nobody/os-extra_specs").fault == ("itemNotFound", 404)


def test_a_list_costs_the_same_queries_however_long(
    user: Nova, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_flavor(flavorid=f"f{number}", name=f"f{number}")
    user.get("/flavors")  # remembers the password
    with django_assert_num_queries(4):  # the account; a revision, flavors, the revision again
        assert len(ids(user.get("/flavors/detail"))) == 5


@pytest.mark.parametrize("query", ["", "?is_public=True", "?limit=1&sort_key=name", "?minRam=1"])
@pytest.mark.parametrize("client", ["user", "admin"])
def test_nobody_is_asked_what_they_may_where_all_see_the_same(
    request: pytest.FixtureRequest,
    several: None,
    django_assert_num_queries: DjangoAssertNumQueries,
    client: str,
    query: str,
) -> None:
    nova: Nova = request.getfixturevalue(client)
    before = nova.get(f"/flavors/detail{query}").body
    assert "d" not in {flavor["id"] for flavor in before["flavors"]}
    with django_assert_num_queries(2):  # the account, and the revision
        assert nova.get(f"/flavors/detail{query}").body == before


@pytest.mark.parametrize("query", ["is_public=None", "is_public=False", "is_public=true&is_public=None", "marker=d"])
def test_what_a_manager_was_shown_is_not_shown_to_others(user: Nova, admin: Nova, several: None, query: str) -> None:
    """Both ask for the same, one after the other."""
    make_flavor(flavorid="e", name="epsilon", is_public=False)
    for _ in range(2):
        assert admin.get(f"/flavors?{query}&limit=9").status == 200
        answer = user.get(f"/flavors?{query}&limit=9")
        assert answer.status == 400 if "marker" in query else ids(answer) == ["a", "b", "c"]


def test_a_list_is_remembered_until_the_catalogue_changes(
    admin: Nova, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    private = make_flavor(flavorid="private", name="private", is_public=False)
    path = "/flavors/detail?is_public=None"
    before = admin.get(path).body
    with django_assert_num_queries(4):  # the account, its permissions and those of its groups; the revision
        assert admin.get(path).body == before
    # Whoever sees others, or asks for others, is not shown these.
    assert ids(a_user().get(path)) == []
    assert ids(admin.get("/flavors/detail")) == []
    assert admin.at("2.61").get(path).body != before
    assert admin.having(Host="localhost").get(path).body != before
    private.extra_specs = {"a": "1"}
    private.save()
    (flavor,) = admin.at("2.61").get(path).body["flavors"]
    assert flavor["extra_specs"] == {"a": "1"}
