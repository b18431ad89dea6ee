"""What holds for every operation: paths, formats and credentials (contract, sections 1 and 2)."""

import json
from base64 import b64encode
from collections.abc import Mapping

import pytest
from django.test import Client

from identity.models import User
from lab import Lab, seed
from regions.tests.clouds import Tokens
from testing.fixtures import BASIC, MANAGER
from testing.flavors import make_flavor
from testing.flavors import wire_flavor as promoted_flavor
from testing.wire import NO_TOKEN, WIRES, Api, read_answer

pytestmark = pytest.mark.django_db

PASSWORD = "a password of theirs"
TOKEN = seed.idm_token("basic")


def basic_credentials(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="session")
def lab(lab_without_clouds: Lab) -> Lab:
    """No cloud is asked here."""
    return lab_without_clouds


@pytest.fixture(scope="session")
def tokens(lab: Lab) -> Tokens:
    """Tokens that nobody is asked about."""
    return Tokens(lab)


# Paths


@pytest.mark.parametrize("path", ["/v1/unheard-of", "/api/v1/regions/Spain2", "/v1/regions/Spain2/flavors/5/x"])
def test_an_unknown_path_is_404(api: Api, path: str) -> None:
    assert api.get(path).result == (404, {"error": {"message": "There is nothing at this path"}})


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/api/v1", "/api/v1/"])
def test_the_index_needs_no_credentials(api: Api, path: str) -> None:
    index = api.get(path)
    links = {collection["name"]: collection["links"] for collection in index.body["collections"]}
    root = f"http://testserver{path.rstrip('/')}"
    assert (index.status, list(index.body)) == (200, ["collections"])
    for name in ("promotedflavors", "regions"):
        assert links[name] == [{"rel": "self", "href": f"{root}/{name}"}]


# Formats

JSON_TYPE, XML_TYPE, TEXT_XML_TYPE = "application/json", "application/xml; charset=utf-8", "text/xml; charset=utf-8"


@pytest.mark.usefixtures("_lab_settings")
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, JSON_TYPE),
        ("", JSON_TYPE),
        ("*/*", JSON_TYPE),
        ("application/*", JSON_TYPE),
        ("application/json", JSON_TYPE),
        ("application/jsom", JSON_TYPE),
        ("image/png", JSON_TYPE),
        ("no media type at all", JSON_TYPE),
        ("application/xml", XML_TYPE),
        ("APPLICATION/XML", XML_TYPE),
        ("application/xml; charset=utf-8", XML_TYPE),
        ("text/xml", TEXT_XML_TYPE),
        ("text/*", TEXT_XML_TYPE),
        ("application/json;q=0.1, application/xml", XML_TYPE),
        ("application/xml;q=0.5, application/json;q=0.9", JSON_TYPE),
        ("application/json;q=0, */*", XML_TYPE),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", XML_TYPE),
    ],
)
def test_the_answers_format_is_what_accept_asks_for(accept: str | None, content_type: str) -> None:
    make_flavor(flavorid="nano")
    headers = BASIC if accept is None else {**BASIC, "Accept": accept}
    response = Client().get("/v1/promotedflavors/nano", headers=headers)
    assert (response.status_code, response.headers["Content-Type"]) == (200, content_type)
    wire = WIRES["json" if content_type == JSON_TYPE else "xml"]
    assert wire.read(response.content) == {"flavor": promoted_flavor()}
    missing = Client().get("/v1/promotedflavors/unheard-of", headers=headers)
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, content_type)
    assert wire.read(missing.content) == {"error": {"message": "The flavor unheard-of does not exist"}}


@pytest.mark.usefixtures("_lab_settings")
@pytest.mark.parametrize(
    "content_type",
    ["application/xml", "text/xml", "application/xml; charset=utf-8", "text/xml;charset=UTF-8", "Application/XML"],
)
def test_a_body_in_xml_may_be_answered_in_json(content_type: str) -> None:
    body = WIRES["xml"].write({"flavor": {"id": "nano", "name": "TestNano", "vcpus": 1, "ram": 2, "disk": 10}})
    headers = {**MANAGER, "Accept": "application/json"}
    response = Client().generic("POST", "/v1/promotedflavors", body, content_type=content_type, headers=headers)
    assert (response.status_code, json.loads(response.content)) == (201, {"flavor": promoted_flavor()})


@pytest.mark.usefixtures("_lab_settings")
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_a_body_in_json_may_be_answered_in_xml(content_type: str) -> None:
    body = WIRES["json"].write({"flavor": {"id": "nano", "name": "TestNano", "vcpus": 1, "ram": 2, "disk": 10}})
    headers = {**MANAGER, "Accept": "application/xml"}
    response = Client().generic("POST", "/v1/promotedflavors", body, content_type=content_type, headers=headers)
    answer = read_answer(WIRES["xml"], response.status_code, response.headers, response.content)
    assert answer.result == (201, {"flavor": promoted_flavor()})


# Credentials


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Auth-Token": TOKEN},
        {"x-AUTH-token": TOKEN},
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": f"bearer {TOKEN}"},
        {"X-Auth-Token": TOKEN, "Authorization": f"Bearer {TOKEN}"},
    ],
    ids=str,
)
def test_the_token_comes_in_either_header(api: Api, headers: Mapping[str, str]) -> None:
    assert api.having(headers).get("/v1/promotedflavors").result == (200, {"flavors": []})


def test_the_token_comes_in_the_query_also_of_a_write(api: Api) -> None:
    query = f"?access_token={seed.idm_token('manager')}"
    created = api.post(f"/v1/promotedflavors{query}", id="nano", name="TestNano", vcpus=1, ram=2, disk=10)
    assert created.result == (201, {"flavor": promoted_flavor()})
    assert api.get(f"/v1/promotedflavors/{query}").result == (200, {"flavors": [promoted_flavor()]})
    assert api.delete(f"/v1/promotedflavors/nano{query}").status == 204


def test_the_next_pages_link_does_not_hold_the_token(api: Api) -> None:
    make_flavor(flavorid="nano")
    answer = api.get(f"/v1/promotedflavors?limit=1&access_token={TOKEN}")
    assert answer.headers["Link"] == '<http://testserver/v1/promotedflavors?limit=1&marker=nano>; rel="next"'
    assert TOKEN not in json.dumps(answer.body)


@pytest.mark.parametrize("path", ["/v1", "/v1/promotedflavors", "/v1/regions", "/v1/regions/Spain2/flavors"])
@pytest.mark.parametrize("other", ["header", "query"])
def test_two_different_tokens_are_400(admin: Api, path: str, other: str) -> None:
    second = seed.idm_token("manager")
    caller = admin.having({"Authorization": f"Bearer {second}"}) if other == "header" else admin
    answer = caller.get(path + (f"?access_token={second}" if other == "query" else ""))
    assert answer.result == (400, {"error": {"message": "The request carries two different tokens. Send one."}})


WRONG: dict[str, dict[str, str]] = {
    "token": {"X-Auth-Token": "wrong"},
    "empty token": {"X-Auth-Token": ""},
    "long token": {"X-Auth-Token": "a" * 8001},
    "bearer": {"Authorization": "Bearer wrong"},
    "basic": {"Authorization": basic_credentials("operator", "wrong")},
    "basic, no such account": {"Authorization": basic_credentials("nobody", PASSWORD)},
    "not base64": {"Authorization": "Basic ###"},
    "user and password": {"User": "operator", "Password": "wrong"},
    "user alone": {"User": "operator"},
    "right token, wrong password": {"X-Auth-Token": TOKEN, "User": "operator", "Password": "wrong"},
    "wrong token, right password": {"X-Auth-Token": "wrong", "User": "operator", "Password": PASSWORD},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_a_wrong_credential_is_401_even_where_none_is_needed(api: Api, headers: dict[str, str]) -> None:
    User.objects.create_user(username="operator", password=PASSWORD)
    caller = api.having(headers)
    index = caller.get("/v1")
    assert (index.status, bool(index.message)) == (401, True)
    assert caller.get("/v1/regions").result == (401, NO_TOKEN)
    assert caller.get("/v1/promotedflavors").result == (401, NO_TOKEN)
