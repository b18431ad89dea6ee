"""The contract of infrastructures: who registers and unregisters which, and the answers (section 5)."""

from typing import Any

import pytest
from pytest_django import Settings

from infrastructures.models import Infrastructure, Replacement
from lab import Lab
from testing.federation import INFRASTRUCTURES, REGISTER, by_account, by_token, make_node, refusal, register
from testing.flavors import make_flavor, make_installation
from testing.wire import Api

pytestmark = pytest.mark.django_db

NEW = {
    "name": "Spain2",
    "keystone_url": "http://nobody.invalid:5000/v3",
    "username": "us",
    "password": "sentinel of a password",
    "tenant": "ours",
}
OPTIONAL = {
    "nova_url": "https://nobody.invalid:8774/v2.1",
    "region": "Elsewhere",
    "user_domain": "Users",
    "project_domain": "Projects",
}
MORDOR = f"{INFRASTRUCTURES}/Mordor"
BY_NAME = {"owner": by_token("owner-spain2"), "basic": by_token("basic"), "manager": by_token("manager")}


@pytest.fixture(scope="session")
def lab(lab_without_clouds: Lab) -> Lab:
    """No cloud is asked here."""
    return lab_without_clouds


@pytest.fixture
def owner(api: Api) -> Api:
    """The API for the owner of Spain2 in the IdM."""
    return api.having(by_token("owner-spain2"))


# Registering


@pytest.mark.parametrize("path", ["/v1/infrastructures", "/v1/infrastructures/", "/api/v1/infrastructures"])
@pytest.mark.parametrize("more", [{}, OPTIONAL, {"nova_url": "", "region": ""}])
def test_registering_is_201_and_contacts_no_cloud(owner: Api, lab: Lab, path: str, more: dict[str, str]) -> None:
    with lab.counting() as served:
        answer = owner.send("POST", path, owner.wire.write({"infrastructure": {**NEW, **more}}))
    assert answer.result == (201, {"infrastructure": {"name": "Spain2"}})
    assert {cloud for cloud, requests in served.items() if requests} == {"idm"}
    stored = Infrastructure.objects.get()
    expected = {"nova_url": "", "region": "", "user_domain": "Default", "project_domain": "Default"} | NEW | more
    assert {name: getattr(stored, name) for name in expected if name != "password"} == {
        name: value for name, value in expected.items() if name != "password"
    }
    assert stored.get_password() == NEW["password"]
    assert NEW["password"] not in stored.encrypted_password


def test_unknown_members_are_ignored_in_json_and_refused_in_xml(owner: Api) -> None:
    answer = register(owner, **NEW, colour="blue")
    expected = {
        "application/json": (201, {"infrastructure": {"name": "Spain2"}}),
        "application/xml": refusal(400, "<infrastructure> has no element <colour>"),
    }
    assert answer.result == expected[owner.wire.media_type]


@pytest.mark.parametrize("member", NEW)
def test_a_missing_member_is_400(owner: Api, member: str) -> None:
    values = {name: value for name, value in NEW.items() if name != member}
    assert register(owner, **values).result == refusal(400, f"{member}: is required")
    assert not Infrastructure.objects.exists()


BAD: list[tuple[str, Any, str]] = [
    ("name", "", "must not be empty"),
    ("name", "n" * 256, "must not be longer than 255 characters"),
    ("name", " Spain2", "must not begin or end with a space"),
    ("keystone_url", "ftp://nobody.invalid/", "must be an http or https URL"),
    ("keystone_url", "file:///etc/passwd", "must be an http or https URL"),
    ("keystone_url", "nobody.invalid:5000", "must be an http or https URL"),
    ("keystone_url", "http://", "must be a URL with a host"),
    ("keystone_url", "http://me:secret@nobody.invalid/", "must hold no user name, query or fragment"),
    ("keystone_url", "http://nobody.invalid/?a=b", "must hold no user name, query or fragment"),
    ("nova_url", "gopher://nobody.invalid/", "must be an http or https URL"),
    ("username", "", "must not be empty"),
    ("password", "", "must not be empty"),
    ("tenant", "", "must not be empty"),
]


@pytest.mark.parametrize(("member", "value", "trouble"), BAD)
def test_a_bad_value_is_400(owner: Api, member: str, value: Any, trouble: str) -> None:
    assert register(owner, **{**NEW, member: value}).result == refusal(400, f"{member}: {trouble}")
    assert not Infrastructure.objects.exists()


def test_a_host_that_is_not_allowed_is_400(owner: Api, settings: Settings) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = [".example.org"]
    answer = register(owner, **NEW)
    trouble = "names a host that INFRASTRUCTURE_URL_ALLOWLIST does not allow"
    assert answer.result == refusal(400, f"keystone_url: {trouble}")
    assert register(owner, **{**NEW, "keystone_url": "http://keystone.example.org:5000"}).status == 201


def test_registering_without_a_credential_is_401(api: Api) -> None:
    answer = register(api, **NEW)
    assert answer.result == refusal(401, "Authentication credentials were not provided.")
    assert api.having({"X-Auth-Token": "wrong"}).delete(MORDOR).result == refusal(401, "The token is not valid.")


@pytest.mark.parametrize(
    ("headers", "node"),
    [("basic", "Spain2"), ("manager", "Spain2"), ("owner", "Mordor"), ("owner", "Spain"), ("account", "Spain2")],
)
def test_registering_what_is_not_theirs_is_403(api: Api, headers: str, node: str) -> None:
    caller = api.having(by_account("account") if headers == "account" else BY_NAME[headers])
    assert register(caller, **{**NEW, "name": node}).result == refusal(403, f"You may not register the node {node}.")
    assert not Infrastructure.objects.exists()


def test_a_name_that_is_taken_is_409(api: Api, owner: Api) -> None:
    taken = refusal(409, "There is already an infrastructure named Spain2.")
    assert register(owner, **NEW).status == 201
    for caller in (owner, api.having(by_account("ada", REGISTER))):
        assert register(caller, **{**NEW, "tenant": "another"}).result == taken
    assert Infrastructure.objects.get().tenant == "ours"


# Unregistering


@pytest.mark.parametrize("path", [MORDOR, f"{MORDOR}/", "/api/v1/infrastructures/Mordor"])
def test_unregistering_is_204_and_contacts_no_cloud(api: Api, lab: Lab, path: str) -> None:
    make_node(lab, "Mordor")
    with lab.counting() as served:
        assert api.having(by_token("owner-mordor")).delete(path).result == (204, None)
    assert {cloud for cloud, requests in served.items() if requests} == {"idm"}
    assert not Infrastructure.objects.exists()


@pytest.mark.parametrize("caller", BY_NAME)
def test_unregistering_what_is_not_theirs_is_403(api: Api, lab: Lab, caller: str) -> None:
    make_node(lab, "Mordor")
    answer = api.having(BY_NAME[caller]).delete(MORDOR)
    assert answer.result == refusal(403, "You do not operate the infrastructure Mordor.")
    assert Infrastructure.objects.exists()


def test_unregistering_without_a_credential_is_401(api: Api, lab: Lab) -> None:
    make_node(lab, "Mordor")
    assert api.delete(MORDOR).result == refusal(401, "Authentication credentials were not provided.")


def test_unregistering_what_there_is_not_is_404(owner: Api) -> None:
    assert owner.delete(MORDOR).result == refusal(404, "The infrastructure Mordor does not exist")


@pytest.mark.parametrize("what", ["a flavor", "a replacement"])
def test_unregistering_is_409_while_something_is_there(api: Api, lab: Lab, what: str) -> None:
    node = make_node(lab, "Mordor")
    if what == "a flavor":
        make_installation(make_flavor(), "Mordor")
    else:
        Replacement.objects.create(infrastructure=node, flavorid="1", old={}, new={})
    answer = api.having(by_token("owner-mordor")).delete(MORDOR)
    message = "Mordor cannot be unregistered: a flavor of the catalogue is installed there, or is being replaced."
    assert answer.result == refusal(409, message)
    assert Infrastructure.objects.get() == node


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_no_other_method_is_allowed_on_the_collection(owner: Api, method: str) -> None:
    answer = owner.send(method, INFRASTRUCTURES)
    assert answer.result == refusal(405, f'Method "{method}" not allowed.')
    assert "POST" in answer.headers["Allow"]
