"""The promoted flavors: each operation and each status of the contract, in both formats."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from flavors.models import Flavor
from identity.models import User
from lab import Lab, seed
from testing.fixtures import BASIC, MANAGER, OWNER
from testing.flavors import make_flavor, make_installation, wire_flavor
from testing.wire import NO_ROLE, NO_TOKEN, Api

pytestmark = pytest.mark.django_db

URL = "/v1/promotedflavors"
NANO = {"name": "TestNano", "vcpus": 1, "ram": 2, "disk": 10, "swap": 0}
OPERATIONS = [("GET", URL), ("POST", URL), ("GET", f"{URL}/nano"), ("PUT", f"{URL}/nano"), ("DELETE", f"{URL}/nano")]
WRITES = [(method, path) for method, path in OPERATIONS if method != "GET"]
TOKENS_REFUSED = ["expired", "machine", "other-application", "unheard-of"]


@pytest.fixture(scope="session")
def lab(lab_without_clouds: Lab) -> Lab:
    """No cloud is asked here."""
    return lab_without_clouds


def send(api: Api, method: str, path: str) -> Any:
    """Send a request that would succeed of a caller who may."""
    return api.send(method, path, b"" if method in ("GET", "DELETE") else api.wire.write({"flavor": NANO}))


def stored() -> list[Any]:
    return [*Flavor.objects.values()]


# Reading


def test_the_list_has_every_promoted_flavor_by_name_then_id(api: Api) -> None:
    make_flavor(flavorid="b", name="beta")
    make_flavor(flavorid="z", name="Alpha", swap=64)
    make_installation(make_flavor(flavorid="a", name="alpha1", vcpus=2, ram=4096, disk=0), "Spain2")
    make_flavor(flavorid="p", name="aa public only", promoted=False)
    answer = api.having(BASIC).get(URL)
    assert answer.result == (
        200,
        {
            "flavors": [
                wire_flavor(id="z", name="Alpha", swap=64),
                wire_flavor(id="a", name="alpha1", vcpus=2, ram=4096, disk=0, nodes=["Spain2"]),
                wire_flavor(id="b", name="beta"),
            ]
        },
    )


def test_the_list_can_be_empty(api: Api) -> None:
    assert api.having(BASIC).get(URL).result == (200, {"flavors": []})


def test_the_list_comes_in_pages_when_asked(api: Api) -> None:
    for name in ("a", "b", "c"):
        make_flavor(flavorid=f"id-{name}", name=name)
    basic = api.having(BASIC)
    first = basic.get(f"{URL}?limit=2")
    assert [flavor["id"] for flavor in first.body["flavors"]] == ["id-a", "id-b"]
    assert first.headers["Link"] == f'<http://testserver{URL}?limit=2&marker=id-b>; rel="next"'
    last = basic.get(f"{URL}?limit=2&marker=id-b")
    assert last.result == (200, {"flavors": [wire_flavor(id="id-c", name="c")]})
    assert "Link" not in last.headers


@pytest.mark.parametrize(
    ("query", "word"), [("limit=-1", "limit"), ("limit=two", "limit"), ("marker=unheard-of", "unheard-of")]
)
def test_a_wrong_page_is_400(api: Api, query: str, word: str) -> None:
    answer = api.having(BASIC).get(f"{URL}?{query}")
    assert (answer.status, word in answer.message) == (400, True)


def test_one_is_shown_with_its_nodes_in_the_order_of_installation(api: Api) -> None:
    flavor = make_flavor(flavorid="nano")
    for node in ("Spain2", "Lannion2"):
        make_installation(flavor, node)
    answer = api.having(BASIC).get(f"{URL}/nano")
    assert answer.result == (200, {"flavor": wire_flavor(nodes=["Spain2", "Lannion2"])})


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("flavorid", ["unheard-of", "public-only", "NANO"])
def test_what_is_not_promoted_is_404(api: Api, method: str, flavorid: str) -> None:
    make_flavor(flavorid="nano")
    make_flavor(flavorid="public-only", name="other", promoted=False)
    answer = send(api.having(MANAGER), method, f"{URL}/{flavorid}")
    assert answer.result == (404, {"error": {"message": f"The flavor {flavorid} does not exist"}})


# Creating


def test_creating_gives_a_uuid_and_ignores_what_is_not_the_clients_to_say(api: Api) -> None:
    answer = api.having(MANAGER).post(URL, **NANO, promoted=False, public=False, nodes=["Spain2"])
    created = answer.body["flavor"]["id"]
    assert str(uuid.UUID(created)) == created
    assert answer.result == (201, {"flavor": wire_flavor(id=created)})
    assert api.having(BASIC).get(f"{URL}/{created}").body == answer.body


def test_creating_takes_an_id_and_needs_no_swap(api: Api) -> None:
    answer = api.having(MANAGER).post(URL, id="of my own_1.2-3", name="ñandú 2024", vcpus=1, ram=1, disk=0)
    assert answer.result == (
        201,
        {"flavor": wire_flavor(id="of my own_1.2-3", name="ñandú 2024", vcpus=1, ram=1, disk=0)},
    )


@pytest.mark.parametrize(
    ("taken", "word"), [({"name": "testNANO"}, "name"), ({"id": "nano", "name": "other"}, "id")], ids=["name", "id"]
)
def test_creating_what_is_there_is_409(api: Api, taken: dict[str, str], word: str) -> None:
    make_flavor(flavorid="nano")
    before = stored()
    answer = api.having(MANAGER).post(URL, **{**NANO, **taken})
    assert answer.result == (
        409,
        {"error": {"message": f"There is already a flavor of this {word} in the catalogue."}},
    )
    assert stored() == before


def test_creating_what_is_published_just_so_promotes_it(api: Api) -> None:
    """The widget sends the whole flavor back, as it was listed."""
    make_installation(make_flavor(flavorid="nano", promoted=False), "Spain2")
    sent = wire_flavor(promoted=False, nodes=["Spain2"])
    promoted = (201, {"flavor": wire_flavor(nodes=["Spain2"])})
    assert api.having(MANAGER).post(URL, **sent).result == promoted
    assert api.having(BASIC).get(f"{URL}/nano").body == promoted[1]
    assert api.having(MANAGER).post(URL, **sent).status == 409


# Changing


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Renamed"},
        {"name": "TESTNANO"},
        {"vcpus": 2147483647},
        {"ram": 1},
        {"disk": 0},
        {"swap": 512},
        {"name": "All", "vcpus": 3, "ram": 5, "disk": 7, "swap": 11},
        {"promoted": True, "public": True},
        {},
    ],
    ids=lambda changes: ",".join(changes) or "nothing",
)
def test_changing_changes_what_is_named_and_nothing_else(api: Api, changes: dict[str, Any]) -> None:
    make_flavor(flavorid="nano")
    expected = {"flavor": wire_flavor(**changes)}
    assert api.having(MANAGER).put(f"{URL}/nano", **changes).result == (200, expected)
    assert api.having(BASIC).get(f"{URL}/nano").result == (200, expected)


def test_a_whole_flavor_can_be_sent_back(api: Api) -> None:
    make_flavor(flavorid="nano")
    flavor = wire_flavor(ram=1024)
    assert api.having(MANAGER).put(f"{URL}/nano", **flavor).result == (200, {"flavor": flavor})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "OTHER"}, "There is already a flavor of this name in the catalogue."),
        ({"promoted": False}, "A promoted flavor stays promoted and public."),
        ({"public": False}, "A promoted flavor stays promoted and public."),
    ],
    ids=["name", "unpromote", "unpublish"],
)
def test_a_change_that_cannot_be_is_409(api: Api, changes: dict[str, Any], message: str) -> None:
    make_flavor(flavorid="nano")
    make_flavor(flavorid="other", name="Other")
    before = stored()
    answer = api.having(MANAGER).put(f"{URL}/nano", ram=77, **changes)
    assert answer.result == (409, {"error": {"message": message}})
    assert stored() == before


def test_installing_here_is_405(api: Api) -> None:
    make_flavor(flavorid="nano")
    before = stored()
    answer = api.having(MANAGER).put(f"{URL}/nano", ram=77, nodes=["Spain2"])
    assert answer.result == (
        405,
        {"error": {"message": "nodes: a promoted flavor is not installed in nodes here."}},
    )
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, DELETE"
    assert stored() == before


# Deleting


def test_deleting_takes_it_out_of_the_catalogue(api: Api) -> None:
    make_flavor(flavorid="nano")
    assert api.having(MANAGER).delete(f"{URL}/nano").status == 204
    assert stored() == []


def test_deleting_what_is_not_there_is_404(api: Api) -> None:
    answer = api.having(MANAGER).delete(f"{URL}/nano")
    assert answer.result == (404, {"error": {"message": "The flavor nano does not exist"}})


def test_deleting_what_is_not_promoted_is_405(api: Api) -> None:
    make_flavor(flavorid="nano", promoted=False)
    answer = api.having(MANAGER).delete(f"{URL}/nano")
    assert answer.result == (405, {"error": {"message": "The flavor is not promoted."}})
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert len(stored()) == 1


def test_deleting_what_nodes_carry_is_405(api: Api) -> None:
    flavor = make_flavor(flavorid="nano")
    for node in ("Spain2", "Lannion2"):
        make_installation(flavor, node)
    answer = api.having(MANAGER).delete(f"{URL}/nano")
    assert answer.result == (405, {"error": {"message": "The flavor is still installed in Spain2, Lannion2."}})
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"
    assert len(stored()) == 1


# Who may


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_without_a_token_it_is_401_in_plain_text(api: Api, method: str, path: str) -> None:
    answer = send(api, method, path)
    assert answer.result == (401, NO_TOKEN)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_with_a_wrong_token_it_is_401_in_plain_text(api: Api, method: str, path: str) -> None:
    for token in TOKENS_REFUSED:
        answer = send(api.having({"X-Auth-Token": seed.idm_token(token)}), method, path)
        assert answer.result == (401, NO_TOKEN), token


@pytest.mark.parametrize("caller", [BASIC, OWNER], ids=["basic", "owner"])
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_without_the_role_writing_is_405_in_plain_text(
    api: Api, method: str, path: str, caller: dict[str, str]
) -> None:
    make_flavor(flavorid="nano")
    before = stored()
    answer = send(api.having(caller), method, path)
    assert answer.result == (405, NO_ROLE)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert stored() == before


def test_a_local_account_needs_the_permission(api: Api) -> None:
    account = User.objects.create_user(username="operator", password="a password of theirs")
    local = api.having({"User": "operator", "Password": "a password of theirs"})
    assert local.get(URL).result == (200, {"flavors": []})
    assert local.post(URL, **NANO).result == (405, NO_ROLE)
    account.user_permissions.add(Permission.objects.get(codename="promote_flavor"))
    assert local.post(URL, **NANO, id="nano").result == (201, {"flavor": wire_flavor()})


def test_no_cloud_is_contacted(api: Api, lab: Lab) -> None:
    manager = api.having(MANAGER)
    with lab.counting() as served:
        manager.post(URL, **NANO, id="nano")
        manager.put(f"{URL}/nano", ram=4)
        manager.get(URL)
        manager.get(f"{URL}/nano")
        manager.delete(f"{URL}/nano")
    assert {cloud: dict(requests) for cloud, requests in served.items() if requests} == {"idm": {"GET /user": 1}}


@pytest.mark.parametrize("rows", [1, 7])
def test_the_list_costs_five_queries_when_it_has_changed_however_long_and_one_when_it_has_not(
    api: Api, django_assert_num_queries: Any, rows: int
) -> None:
    api.having(BASIC).get(URL)
    for row in range(rows):
        for node in ("Spain2", "Lannion2"):
            make_installation(Flavor.objects.filter(name=f"f{row}").first() or make_flavor(name=f"f{row}"), node)
    with django_assert_num_queries(5):
        answer = api.having(BASIC).get(URL)
    assert len(answer.body["flavors"]) == rows
    with django_assert_num_queries(1):
        assert api.having(BASIC).get(URL).body == answer.body
