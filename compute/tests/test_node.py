"""The face of a node: its own Nova, reached with what is stored for it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from compute.tests.client import ROOT, Nova, a_user, basic
from flavors.models import Flavor, Installation, Sighting
from identity.models import User
from infrastructures.models import Infrastructure
from infrastructures.openstack import bulkhead
from infrastructures.openstack.bulkhead import place_in
from infrastructures.replacements import journal
from testing.accounts import make_account, make_keystone_token
from testing.cloud import Federation, RegisteredCloud, flavor_document
from testing.flavors import make_flavor
from testing.holder import held_by_a_thread
from testing.infrastructures import make_nova_flavor, make_registered, make_replacement

FACE = "/compute/nodes/Spain2/v2.1"


@pytest.fixture
def federation(db: None) -> Iterator[Federation]:
    """One cloud that is registered and has a flavor."""
    with Federation() as federation:
        federation.add("Spain2", flavor_document())
        make_registered("Spain2")
        yield federation


@pytest.fixture
def spain2(federation: Federation) -> RegisteredCloud:
    """The cloud."""
    return federation.clouds["Spain2"]


@pytest.fixture
def operator(federation: Federation) -> Nova:
    """A client of the operator of Spain2, before its face."""
    account = make_account("operator")
    Infrastructure.objects.get().operators.add(account)
    return Nova(basic(account), FACE)


def sent_last(federation: Federation) -> Any:
    """Return the last request that any cloud was sent."""
    return federation.http.last_request


def test_the_version_is_the_nodes_own(federation: Federation, spain2: RegisteredCloud) -> None:
    make_registered("Mordor")  # which does not answer
    spain2.microversion = "2.60"
    for node, highest in (("Spain2", "2.60"), ("Mordor", "2.96"), ("Nowhere", "2.96")):
        (version,) = Nova().get(f"//compute/nodes/{node}").body["versions"]
        described = Nova().get(f"//compute/nodes/{node}/v2.1").body["version"]
        assert version["version"] == described["version"] == highest
    assert spain2.authentications == 1


@pytest.mark.django_db
def test_the_versions_are_at_the_nodes_parent() -> None:
    """A client that takes the first `v2.1` of a path for the version looks there."""
    for path in ("//compute/nodes/dev1", "//compute/nodes/dev1/"):
        (version,) = Nova().get(path).body["versions"]
        assert version["links"] == [{"rel": "self", "href": f"{ROOT}/nodes/dev1/v2.1/"}]
    assert Nova().get("//compute/nodes/a%20b/v2.1/").body["version"]["links"][0]["href"].endswith("/nodes/a%20b/v2.1/")


def test_what_nova_says_is_said_here_but_for_links(operator: Nova) -> None:
    flavor = operator.get("/flavors/42").body["flavor"]
    links = [{"rel": "self", "href": f"http://testserver{FACE}/flavors/42"}]
    assert flavor == {**flavor_document(), "links": links}
    assert operator.get("/flavors/detail").body == {"flavors": [flavor]}


def test_the_microversion_is_the_clients(operator: Nova, federation: Federation) -> None:
    operator.at("2.37").get("/flavors/42")
    assert sent_last(federation).headers["OpenStack-API-Version"] == "compute 2.37"
    operator.get("/flavors/42")
    assert "OpenStack-API-Version" not in sent_last(federation).headers


def test_parameters_are_forwarded(operator: Nova, federation: Federation) -> None:
    operator.get("/flavors/detail?is_public=None&limit=2&marker=a%20b")
    assert sent_last(federation).query == "is_public=None&limit=2&marker=a+b"


def test_whoever_calls_is_not_told_to_the_node(operator: Nova, federation: Federation) -> None:
    operator.having(Cookie="secret=1").get("/flavors/42")
    sent = sent_last(federation).headers
    assert sent["X-Auth-Token"] == "token-of-Spain2"
    assert "Authorization" not in sent
    assert "Cookie" not in sent


def test_a_flavor_is_made_and_its_extra_specs_set_and_unset(operator: Nova, spain2: RegisteredCloud) -> None:
    values: dict[str, Any] = {"id": "n", "name": "n", "ram": 1, "vcpus": 1, "disk": 1}
    assert operator.at("2.61").post("/flavors", {"flavor": values}).status == 200
    assert operator.at("2.61").post("/flavors/n/os-extra_specs", {"extra_specs": {"a": "1", "b": "2"}}).status == 200
    assert operator.delete("/flavors/n/os-extra_specs/a").status == 200
    assert spain2.flavors["n"]["extra_specs"] == {"b": "2"}
    assert operator.at("2.55").put("/flavors/n", {"flavor": {"description": "new"}}).status == 200
    assert spain2.flavors["n"]["description"] == "new"


def test_a_refusal_is_novas_own(operator: Nova, spain2: RegisteredCloud) -> None:
    values: dict[str, Any] = {"id": "42", "name": "n", "ram": 1, "vcpus": 1, "disk": 1}
    answer = operator.post("/flavors", {"flavor": values})
    assert answer.status == 409
    assert answer.body["conflictingRequest"]["message"] == "Flavor n already exists."
    assert operator.get("/flavors/nobody").fault == ("itemNotFound", 404)


def test_a_flavor_is_deleted(operator: Nova, spain2: RegisteredCloud) -> None:
    answer = operator.delete("/flavors/42")
    assert (answer.status, answer.body) == (202, None)
    assert not spain2.flavors
    assert operator.delete("/flavors/42").fault == ("itemNotFound", 404)


def test_a_flavor_is_deleted_whose_id_nova_made_of_a_number(operator: Nova, spain2: RegisteredCloud) -> None:
    """Nova holds numbers to no pattern, so that an id may hold a plus sign."""
    spain2.flavors["1e+22"] = flavor_document(id="1e+22")
    assert operator.delete("/flavors/1e%2B22").status == 202
    assert spain2.flavors.keys() == {"42"}


@pytest.mark.parametrize("values", [{"name": "\ud800"}, {"name": "n", "id": "\udfff"}, {"name": ["\ud800"], "id": {}}])
def test_half_of_a_surrogate_pair_is_for_nova_to_refuse(
    operator: Nova, spain2: RegisteredCloud, values: dict[str, object]
) -> None:
    spain2.failing["POST /flavors"] = 400
    assert operator.post("/flavors", {"flavor": values}).fault == ("badRequest", 400)
    assert spain2.calls == ["POST /flavors"]


def test_a_deletion_tells_the_microversion_as_nova_does(operator: Nova, spain2: RegisteredCloud) -> None:
    assert operator.at("2.97").delete("/flavors/42").status == 406
    assert "42" in spain2.flavors
    answer = operator.at("2.61").delete("/flavors/42")
    assert (answer.status, answer.headers["OpenStack-API-Version"]) == (202, "compute 2.61")
    assert answer.headers["X-OpenStack-Nova-API-Version"] == "2.61"


def test_a_change_is_known_to_the_catalogue(operator: Nova, spain2: RegisteredCloud) -> None:
    flavor = make_flavor(flavorid="42", name="m1.custom", extra_specs={"hw:cpu_policy": "shared"})
    operator.at("2.61").post("/flavors/42/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "dedicated"}})
    sighting = Sighting.objects.get(flavor=flavor)
    assert {"member": "extra_specs.hw:cpu_policy", "node": "dedicated", "catalogue": "shared"} in sighting.differences
    operator.delete("/flavors/42")
    assert Sighting.objects.get(flavor=flavor).state == "missing"


def test_a_created_flavor_is_known_to_the_catalogue(operator: Nova) -> None:
    flavor = make_flavor(flavorid="nano", ram=64)
    values = {"id": "nano", "name": "TestNano", "vcpus": 1, "ram": 64, "disk": 10, "rxtx_factor": 1.0, "swap": 0}
    operator.at("2.61").post("/flavors", {"flavor": values})
    assert Sighting.objects.get(flavor=flavor).state == "in_sync"


def test_a_change_is_answered_even_if_nova_does_not_show_it_afterwards(operator: Nova, spain2: RegisteredCloud) -> None:
    """Where a policy hides the flavor or its access list, say, or a request is slow."""
    make_flavor(flavorid="42", name="m1.custom")
    spain2.failing["GET /flavors/42"] = 503
    assert operator.post("/flavors/42/os-extra_specs", {"extra_specs": {"a": "1"}}).status == 200
    assert spain2.flavors["42"]["extra_specs"]["a"] == "1"


@pytest.mark.django_db(transaction=True)
def test_nobody_changes_what_somebody_else_is_changing(operator: Nova) -> None:
    with held_by_a_thread(f"flavor:{Infrastructure.objects.get().pk}:42"):
        answer = operator.post("/flavors/42/os-extra_specs", {"extra_specs": {"a": "1"}})
    assert answer.fault == ("conflictingRequest", 409)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lock", ["flavor:{}:n", "name:{}:new"])
def test_nobody_makes_what_somebody_else_is_making(operator: Nova, spain2: RegisteredCloud, lock: str) -> None:
    values: dict[str, Any] = {"id": "n", "name": "NEW", "ram": 1, "vcpus": 1, "disk": 1}
    with held_by_a_thread(lock.format(Infrastructure.objects.get().pk)):
        assert operator.post("/flavors", {"flavor": values}).fault == ("conflictingRequest", 409)
    assert "n" not in spain2.flavors


def test_others_have_no_business_in_the_node(federation: Federation, spain2: RegisteredCloud) -> None:
    user = Nova(a_user().headers, FACE)
    for method, path in (("GET", "/flavors"), ("DELETE", "/flavors/42"), ("GET", "/flavors/nobody")):
        assert user.send(method, path).fault == ("forbidden", 403)
    assert Nova(path=FACE).get("/flavors").status == 401
    assert spain2.calls == []


def test_an_operator_enters_with_the_stored_account_also_by_a_token_of_the_central_keystone(
    federation: Federation, spain2: RegisteredCloud, settings: Settings
) -> None:
    """The token is scoped to a project that tells who operates the node, and that may do nothing in its Nova."""
    settings.KEYSTONE_IDENTITY, settings.KEYSTONE_URL = True, "https://keystone.spain2.example.org/v3"
    settings.KEYSTONE_OPERATORS = ["flavor_operator@project:{node}/nodes"]
    project = {"id": "p", "name": "Spain2", "domain": {"id": "d", "name": "nodes"}}
    known = make_keystone_token("flavor_operator", project=project)
    federation.http.get(f"{settings.KEYSTONE_URL}/auth/tokens?nocatalog", json=known)
    owner = Nova({"X-Auth-Token": "gAAAA-of-the-owner"}, FACE)
    assert owner.delete("/flavors/42").status == 202
    assert sent_last(federation).headers["X-Auth-Token"] == "token-of-Spain2"
    assert not spain2.flavors


def test_a_node_that_there_is_not(operator: Nova) -> None:
    assert operator.get("//compute/nodes/Nowhere/v2.1/flavors").fault == ("itemNotFound", 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "/flavors/42"), ("HEAD", "/flavors"), ("POST", "/flavors/42"), ("GET", "/servers"), ("PUT", "/flavors")],
)
def test_only_what_is_about_flavors_is_forwarded(
    operator: Nova, spain2: RegisteredCloud, method: str, path: str
) -> None:
    assert operator.send(method, path).status == 404
    assert spain2.calls == []


@pytest.mark.parametrize(
    "links", [1, "links", ["link"], [{"rel": "self"}], [{"rel": "self", "href": "http://nova/v3"}]]
)
def test_links_that_are_none_are_that_nodes_failure(operator: Nova, spain2: RegisteredCloud, links: object) -> None:
    spain2.flavors["42"]["links"] = links
    assert operator.get("/flavors/42").fault == ("computeFault", 502)


def test_a_flavor_that_is_being_replaced_is_not_gone(operator: Nova, spain2: RegisteredCloud) -> None:
    """Clients create another flavor, or forget this one, when they are told 404."""
    old = make_nova_flavor(is_public=True, projects=())
    new = replace(old, ram=8192)
    make_replacement(infrastructure=Infrastructure.objects.get(), old=old.as_json(), new=new.as_json())
    del spain2.flavors["42"]
    spain2.failing["POST /flavors"] = 503
    assert operator.get("/flavors/42").fault == ("computeFault", 502)
    assert operator.at("2.55").put("/flavors/42", {"flavor": {"description": "x"}}).fault == ("computeFault", 502)
    assert operator.get("/flavors/42/os-extra_specs").fault == ("computeFault", 502)
    assert operator.post("/flavors/42/os-extra_specs", {"extra_specs": {"a": "1"}}).fault == ("computeFault", 502)
    assert operator.get("/flavors/43").fault == ("itemNotFound", 404)
    spain2.failing.clear()
    assert operator.get("/flavors/42").status == 200


def test_a_flavor_whose_replacement_is_half_way_is_not_changed(operator: Nova, spain2: RegisteredCloud) -> None:
    """Once it is settled, its extra specs are those of the flavor that was wanted before."""
    old = make_nova_flavor(is_public=True, projects=())
    new = replace(old, ram=8192)
    make_replacement(infrastructure=Infrastructure.objects.get(), old=old.as_json(), new=new.as_json())
    spain2.failing["GET /flavors/42"] = 503
    answer = operator.post("/flavors/42/os-extra_specs", {"extra_specs": {"a": "1"}})
    assert answer.fault == ("computeFault", 502)
    assert "42 is being replaced" in answer.body["computeFault"]["message"]
    assert not any(call.startswith("POST") for call in spain2.calls)


def test_a_watched_flavor_is_kept_as_it_was_changed(operator: Nova, spain2: RegisteredCloud) -> None:
    """Whoever looks at it while an answer is lost would set the extra spec back."""
    spain2.flavors["42"]["os-flavor-access:is_public"] = True
    now = make_nova_flavor(is_public=True, projects=())
    make_replacement(
        infrastructure=Infrastructure.objects.get(),
        new=now.as_json(),
        is_met=True,
        unsure_until=timezone.now() + timedelta(minutes=20),
    )
    specs = {"hw:cpu_policy": "dedicated"}
    assert operator.post("/flavors/42/os-extra_specs", {"extra_specs": specs}).status == 200
    assert operator.get("/flavors/42").status == 200
    assert spain2.flavors["42"]["extra_specs"].items() >= specs.items()


def test_a_list_is_read_again_when_a_flavor_was_replaced_meanwhile(operator: Nova, spain2: RegisteredCloud) -> None:
    (flavor,) = spain2.flavors.values()
    reads: list[str] = []

    def replace_meanwhile(call: str) -> None:
        if call == "GET /flavors/detail":
            reads.append(call)
            spain2.flavors = {} if len(reads) == 1 else {"42": flavor}
            if len(reads) == 1:
                journal.note_end(Infrastructure.objects.get().pk)

    spain2.before_call = replace_meanwhile
    assert [listed["id"] for listed in operator.get("/flavors/detail").body["flavors"]] == ["42"]


def test_a_node_that_does_not_answer(operator: Nova, federation: Federation) -> None:
    make_registered("Mordor").operators.add(User.objects.get(username="operator"))
    assert operator.get("//compute/nodes/Mordor/v2.1/flavors").fault == ("computeFault", 502)


def test_a_node_that_is_dead_is_not_asked_each_time(
    operator: Nova, federation: Federation, spain2: RegisteredCloud, settings: Settings
) -> None:
    settings.CLOUD_BREAKER_FAILURES, settings.CLOUD_BREAKER_SECONDS = 2, 3600.0
    operator.get("/flavors")
    federation.http.get(f"{spain2.endpoint}/flavors", exc=requests.exceptions.ConnectTimeout)
    sent = [(operator.get("/flavors").fault, federation.http.call_count) for _ in range(3)]
    assert [fault for fault, _ in sent] == [("computeFault", 502)] * 3
    assert sent[2][1] == sent[1][1]


def test_a_node_that_is_slow_does_not_hold_all_of_us(
    operator: Nova, spain2: RegisteredCloud, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLOUD_CONCURRENCY = 1
    monkeypatch.setattr(bulkhead, "PATIENCE_SECONDS", 0.0)
    with ThreadPoolExecutor(1) as elsewhere:
        place = place_in("Spain2")
        elsewhere.submit(place.__enter__).result()
        assert operator.get("/flavors/detail").fault == ("computeFault", 502)
        elsewhere.submit(place.__exit__, None, None, None).result()
    assert spain2.calls == []
    assert operator.get("/flavors/detail").status == 200


def test_a_body_that_is_too_large_is_refused(operator: Nova, spain2: RegisteredCloud) -> None:
    answer = operator.send("POST", "/flavors", b" " * (1024 * 1024 + 1))
    assert answer.fault == ("overLimit", 413)
    assert spain2.calls == []


def test_a_list_costs_one_call(operator: Nova, spain2: RegisteredCloud) -> None:
    operator.get("/flavors/detail")
    spain2.calls.clear()
    operator.get("/flavors/detail")
    assert spain2.calls == ["GET /flavors/detail"]


def test_v1_has_no_part_in_it(operator: Nova) -> None:
    """What was written here is no flavor of the catalogue."""
    operator.post("/flavors", {"flavor": {"id": "n", "name": "n", "ram": 1, "vcpus": 1, "disk": 1}})
    assert not Flavor.objects.exists()
    assert not Installation.objects.exists()
    assert Client().get("/v1/flavors").json() == {"flavors": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/flavors/42/os-extra_specs/%2E%2E"),
        ("GET", "/flavors/%2E%2E"),
        ("PUT", "/flavors/%2E%2E/os-extra_specs/%2E"),
        ("POST", "/flavors/%2E%2E/action"),
    ],
)
def test_no_path_leads_out_of_the_flavors(
    operator: Nova, federation: Federation, spain2: RegisteredCloud, method: str, path: str
) -> None:
    answer = operator.send(method, path, {})
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=UTF-8")
    assert federation.calls() == {}
    assert "42" in spain2.flavors
