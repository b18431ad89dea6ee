"""A region's own flavors: each operation and its answers, in both formats, in real Novas."""

import uuid
from typing import Any

import pytest
import requests

from infrastructures.models import Replacement
from lab import Lab, seed
from regions.tests.clouds import Cloud, Tokens
from testing.fixtures import BASIC
from testing.wire import NO_TOKEN, Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

URL = "/v1/regions/Spain2/flavors"
NEW = {"name": "flavor of a test", "vcpus": 2, "ram": 256, "disk": 5, "swap": 128}
OPERATIONS = [("GET", URL), ("POST", URL), ("GET", f"{URL}/5"), ("PUT", f"{URL}/5"), ("DELETE", f"{URL}/5")]


def wire_flavor(flavor: seed.Flavor, region: str = "Spain2") -> dict[str, Any]:
    members = {name: getattr(flavor, name) for name in ("id", "name", "vcpus", "ram", "disk", "swap")}
    return {**members, "promoted": False, "public": False, "nodes": [region]}


def seeded(flavorid: str, region: str = "Spain2") -> dict[str, Any]:
    return next(wire_flavor(flavor, region) for flavor in seed.FLAVORS[region] if flavor.id == flavorid)


def send(api: Api, method: str, path: str) -> Any:
    """Send a request that would succeed of a caller who may."""
    return api.send(method, path, b"" if method in ("GET", "DELETE") else api.wire.write({"flavor": NEW}))


# Reading


@pytest.mark.parametrize(
    ("region", "user"), [("Spain2", "spain2-admin"), ("Lannion2", "lannion2-admin"), ("Mordor", "mordor-admin")]
)
@pytest.mark.usefixtures("_regions")
def test_an_administrator_sees_all_that_nova_has(api: Api, tokens: Tokens, region: str, user: str) -> None:
    answer = api.having(BASIC | tokens(user)).get(f"/v1/regions/{region}/flavors")
    expected = [wire_flavor(flavor, region) for flavor in sorted(seed.FLAVORS[region], key=lambda one: one.name)]
    assert answer.result == (200, {"flavors": expected})


@pytest.mark.usefixtures("_regions")
@pytest.mark.parametrize(
    ("region", "user", "unseen"),
    [("Spain2", "spain2-member", []), ("Spain2", "lannion2-member", []), ("Mordor", "mordor-member", ["mordor-ring"])],
)
def test_a_member_sees_what_is_open_to_their_project(
    api: Api, tokens: Tokens, region: str, user: str, unseen: list[str]
) -> None:
    caller = api.having(BASIC | tokens(user))
    answer = caller.get(f"/v1/regions/{region}/flavors")
    seen = {flavor["id"] for flavor in answer.body["flavors"]}
    assert seen == {flavor.id for flavor in seed.FLAVORS[region]} - {*unseen}
    for flavorid in unseen:
        assert caller.get(f"/v1/regions/{region}/flavors/{flavorid}").status == 404


def test_flavors_of_the_same_name_but_for_case_are_in_order(admin: Api, lab: Lab, spain2: Cloud) -> None:
    for flavorid, name in [("y", "beta"), ("x", "alpha"), ("w", "Beta"), ("v", "gamma")]:
        lab.create_flavor("Spain2", name, flavor_id=flavorid)
    names = [flavor["name"] for flavor in admin.get(URL).body["flavors"]]
    assert names == sorted(names)
    assert names[:3] == ["Beta", "alpha", "beta"]


def test_they_come_in_pages_when_asked(admin: Api) -> None:
    everything = admin.get(URL).body["flavors"]
    first = admin.get(f"{URL}?limit=2")
    assert first.body["flavors"] == everything[:2]
    marker = everything[1]["id"]
    assert first.headers["Link"] == f'<http://testserver{URL}?limit=2&marker={marker}>; rel="next"'
    assert admin.get(f"{URL}?marker={marker}").result == (200, {"flavors": everything[2:]})


@pytest.mark.parametrize(("query", "word"), [("limit=x", "limit"), ("marker=unheard-of", "unheard-of")])
def test_a_wrong_page_is_400(admin: Api, query: str, word: str) -> None:
    answer = admin.get(f"{URL}?{query}")
    assert (answer.status, word in answer.message) == (400, True)


@pytest.mark.parametrize("flavorid", ["5", "spain2-secret"])
def test_one_is_shown(admin: Api, flavorid: str) -> None:
    assert admin.get(f"{URL}/{flavorid}").result == (200, {"flavor": seeded(flavorid)})


# Creating


def test_creating_makes_it_in_nova(admin: Api, spain2: Cloud) -> None:
    answer = admin.post(URL, **NEW)
    created = answer.body["flavor"]["id"]
    assert str(uuid.UUID(created)) == created
    expected = {"flavor": {**NEW, "id": created, "promoted": False, "public": False, "nodes": ["Spain2"]}}
    assert answer.result == (201, expected)
    assert admin.get(f"{URL}/{created}").result == (200, expected)
    assert spain2.flavor(created) == {
        **NEW,
        "id": created,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "description": None,
        "extra_specs": {},
        "projects": None,
    }


@pytest.mark.parametrize("flavorid", ["42", "of my own_1.2-3", "x" * 255])
def test_creating_takes_an_id(admin: Api, spain2: Cloud, flavorid: str) -> None:
    answer = admin.post(URL, id=flavorid, name="ñandú", vcpus=1, ram=2147483647, disk=0)
    flavor = {"id": flavorid, "name": "ñandú", "vcpus": 1, "ram": 2147483647, "disk": 0, "swap": 0}
    assert answer.result == (201, {"flavor": {**flavor, "promoted": False, "public": False, "nodes": ["Spain2"]}})
    assert spain2.flavor(flavorid)["name"] == "ñandú"
    assert admin.get(f"{URL}/{flavorid}").body == answer.body


@pytest.mark.parametrize("taken", [{"name": "m1.tiny"}, {"id": "5"}], ids=["name", "id"])
def test_creating_what_is_there_is_409(admin: Api, spain2: Cloud, taken: dict[str, str]) -> None:
    before = spain2.flavors()
    answer = admin.post(URL, **{**NEW, **taken})
    assert (answer.status, "Spain2" in answer.message, "already exists" in answer.message) == (409, True, True)
    assert spain2.flavors() == before


# Changing


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "renamed"},
        {"vcpus": 9},
        {"ram": 1},
        {"disk": 0},
        {"swap": 0},
        {"swap": 2147483647},
        {"name": "all of it", "vcpus": 5, "ram": 6, "disk": 7, "swap": 8},
    ],
    ids=str,
)
def test_changing_keeps_everything_else(admin: Api, spain2: Cloud, changes: dict[str, Any]) -> None:
    before = spain2.make_rich_flavor()
    answer = admin.put(f"{URL}/{before['id']}", **changes)
    after = {**before, **changes}
    wire = {name: after[name] for name in ("id", "name", "vcpus", "ram", "disk", "swap")}
    assert answer.result == (200, {"flavor": {**wire, "promoted": False, "public": False, "nodes": ["Spain2"]}})
    assert spain2.flavor(before["id"]) == after
    assert not Replacement.objects.exists()


def test_a_public_flavor_keeps_its_extra_specs_and_ephemeral_disk(admin: Api, spain2: Cloud) -> None:
    before = spain2.flavor("5")
    assert (before["OS-FLV-EXT-DATA:ephemeral"], len(before["extra_specs"])) == (40, 2)
    assert admin.put(f"{URL}/5", ram=4096).result == (200, {"flavor": {**seeded("5"), "ram": 4096}})
    assert spain2.flavor("5") == {**before, "ram": 4096}


def test_the_case_of_a_name_can_change(admin: Api, spain2: Cloud) -> None:
    before = spain2.make_rich_flavor()
    name = before["name"].upper()
    assert admin.put(f"{URL}/{before['id']}", name=name).body["flavor"]["name"] == name
    assert spain2.flavor(before["id"]) == {**before, "name": name}


@pytest.mark.parametrize("whole", [False, True], ids=["nothing", "the flavor itself"])
def test_changing_nothing_leaves_it_alone(admin: Api, lab: Lab, spain2: Cloud, *, whole: bool) -> None:
    before = spain2.make_rich_flavor()
    path = f"{URL}/{before['id']}"
    flavor = admin.get(path).body["flavor"]
    with lab.counting() as served:
        assert admin.put(path, **(flavor if whole else {})).result == (200, {"flavor": flavor})
    assert [request for request in served["Spain2"] if not request.startswith("GET")] == []
    assert spain2.flavor(before["id"]) == before


@pytest.mark.parametrize("name", ["m1.tiny", "M1.TINY", "spain2.secret"])
def test_a_name_that_is_taken_is_409_and_nothing_changes(admin: Api, lab: Lab, spain2: Cloud, name: str) -> None:
    flavorid = spain2.make_rich_flavor()["id"]
    before = spain2.flavors()
    with lab.counting() as served:
        answer = admin.put(f"{URL}/{flavorid}", name=name, ram=77)
    assert answer.result == (409, {"error": {"message": f"Spain2: there is already a flavor named {name}."}})
    assert [request for request in served["Spain2"] if not request.startswith("GET")] == []
    assert spain2.flavors() == before
    assert not Replacement.objects.exists()


# Deleting


@pytest.mark.parametrize("flavorid", ["1", "spain2-secret"])
def test_deleting_takes_it_out_of_nova(admin: Api, spain2: Cloud, flavorid: str) -> None:
    before = spain2.flavors()
    assert admin.delete(f"{URL}/{flavorid}").status == 204
    del before[flavorid]
    assert spain2.flavors() == before
    assert admin.get(f"{URL}/{flavorid}").status == 404


# Who may


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("flavorid", ["5", "spain2-secret"])
def test_what_nova_forbids_is_403(member: Api, spain2: Cloud, method: str, flavorid: str) -> None:
    before = spain2.flavors()
    answer = send(member, method, URL if method == "POST" else f"{URL}/{flavorid}")
    assert answer.status == 403
    assert answer.message.startswith("Spain2: ")
    assert "Policy doesn't allow" in answer.message
    assert spain2.flavors() == before
    assert not Replacement.objects.exists()


@pytest.mark.usefixtures("_regions")
@pytest.mark.parametrize("token", ["none", "expired", "unheard-of"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_without_a_valid_idm_token_it_is_401_in_plain_text(
    api: Api, lab: Lab, tokens: Tokens, method: str, path: str, token: str
) -> None:
    caller = api if token == "none" else api.having({"X-Auth-Token": seed.idm_token(token)})
    with lab.counting() as served:
        answer = send(caller.having(tokens("spain2-admin")), method, path)
    assert answer.result == (401, NO_TOKEN)
    assert [cloud for cloud, requests in served.items() if requests and cloud != "idm"] == []


@pytest.mark.usefixtures("_regions")
@pytest.mark.parametrize("token", [None, "", " "], ids=["none", "empty", "space"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_without_a_keystone_token_it_is_401_with_an_error_body(
    api: Api, method: str, path: str, token: str | None
) -> None:
    headers = {} if token is None else {"X-Auth-Token-KeyStone": token}
    answer = send(api.having(BASIC | headers), method, path)
    assert answer.result == (
        401,
        {"error": {"message": "The header X-Auth-Token-KeyStone with a Keystone token is missing."}},
    )
    assert answer.headers["WWW-Authenticate"] == 'Keystone realm="X-Auth-Token-KeyStone"'


@pytest.mark.usefixtures("_regions")
@pytest.mark.parametrize("token", ["garbage", "gAAAAABrA3Iuv_qJ", "ünïcode", "a" * 8001, "../../v3/users"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_wrong_keystone_token_is_401_with_an_error_body(
    api: Api, spain2: Cloud, method: str, path: str, token: str
) -> None:
    answer = send(api.having(BASIC | {"X-Auth-Token-KeyStone": token}), method, path)
    assert answer.status == 401
    assert answer.message.startswith("Spain2: ")
    assert "token" in answer.message
    assert answer.headers["WWW-Authenticate"] == 'Keystone realm="X-Auth-Token-KeyStone"'


@pytest.mark.usefixtures("_regions")
def test_a_keystone_token_that_has_ended_is_401(api: Api, lab: Lab) -> None:
    token = lab.token("spain2-admin")
    url = f"{lab.keystone_url}/auth/tokens"
    requests.delete(url, headers={"X-Auth-Token": token, "X-Subject-Token": token}, timeout=10).raise_for_status()
    answer = api.having(BASIC | {"X-Auth-Token-KeyStone": token}).get(URL)
    assert answer.result == (401, {"error": {"message": "Spain2: its Keystone does not accept the token."}})


@pytest.mark.usefixtures("_regions")
def test_another_keystones_token_is_401(api: Api, tokens: Tokens) -> None:
    answer = api.having(BASIC | tokens("spain2-admin")).get("/v1/regions/Mordor/flavors")
    assert answer.status == 401
    assert answer.message.startswith("Mordor: ")
    assert "token" in answer.message
    assert answer.headers["WWW-Authenticate"] == 'Keystone realm="X-Auth-Token-KeyStone"'


@pytest.mark.usefixtures("_regions")
def test_a_token_scoped_to_nothing_is_rescoped(api: Api, lab: Lab, spain2: Cloud) -> None:
    caller = api.having(BASIC | {"x-auth-token-keystone": lab.unscoped_token("unscoped-admin")})
    assert caller.get(f"{URL}/spain2-secret").result == (200, {"flavor": seeded("spain2-secret")})
    assert caller.post(URL, **NEW, id="made").status == 201
    assert "made" in spain2.flavors()


# What is not there


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("flavorid", ["unheard-of", "no%20such", "detail", "a@b", "%C3%BC", "x" * 300])
def test_an_unknown_flavor_is_404(admin: Api, spain2: Cloud, method: str, flavorid: str) -> None:
    before = spain2.flavors()
    answer = send(admin, method, f"{URL}/{flavorid}")
    assert answer.status == 404
    assert answer.message.startswith("Spain2: Flavor ")
    assert answer.message.endswith("could not be found.")
    assert spain2.flavors() == before


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("region", ["Atlantis", "spain2"])
def test_an_unknown_region_is_404(admin: Api, lab: Lab, method: str, path: str, region: str) -> None:
    with lab.counting() as served:
        answer = send(admin, method, path.replace("Spain2", region))
    assert answer.result == (404, {"error": {"message": f"The region {region} does not exist"}})
    assert [cloud for cloud, requests in served.items() if requests and cloud != "idm"] == []


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize(
    ("region", "failure"),
    [
        ("Isengard", "its Nova could not be reached."),
        ("Moria", "the Keystone catalogue has no compute endpoint for the region."),
    ],
)
def test_a_region_that_cannot_be_reached_is_502(admin: Api, method: str, path: str, region: str, failure: str) -> None:
    answer = send(admin, method, path.replace("Spain2", region))
    assert answer.result == (502, {"error": {"message": f"{region}: {failure}"}})


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_the_list_has_no_other_methods(admin: Api, method: str) -> None:
    answer = send(admin, method, URL)
    assert answer.result == (405, {"error": {"message": f'Method "{method}" not allowed.'}})
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_a_flavor_has_no_other_methods(admin: Api) -> None:
    answer = send(admin, "POST", f"{URL}/5")
    assert answer.result == (405, {"error": {"message": 'Method "POST" not allowed.'}})
    assert answer.headers["Allow"] == "GET, PUT, DELETE, HEAD, OPTIONS"
