"""POST and DELETE of /v1/infrastructures: each status and its body, in both formats, for every kind of caller."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests_mock
from django.apps import apps
from django.contrib.auth.models import Permission
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from identity.models import User
from infrastructures.models import Infrastructure
from testing.accounts import APP_ID, KEYROCK_URL, make_account, make_answer, make_organization, make_role
from testing.infrastructures import PASSWORD, make_infrastructure, make_registered, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]

URL = "/v1/infrastructures"
REQUIRED = {
    "name": "Mordor",
    "keystone_url": "http://55.66.77.88:35357/",
    "username": "mordor-operator",
    "password": PASSWORD,
    "tenant": "operators",
}
WHOLE = REQUIRED | {
    "nova_url": "http://11.22.33.44:8776/",
    "region": "RegionOne",
    "user_domain": "Users",
    "project_domain": "Projects",
}
# Whose tokens these are, in what the IdM says of them.
CALLERS: dict[str, dict[str, Any]] = {
    "basic": {},
    "manager": {"roles": [make_role("InfrastructureManager")]},
    "owner": {"organizations": [make_organization("Mordor FIDASH", "InfrastructureOwner")]},
    "plain-owner": {"organizations": [make_organization("Mordor", "InfrastructureOwner")]},
    "other-owner": {"organizations": [make_organization("Spain2 FIDASH", "InfrastructureOwner")]},
    "member": {"organizations": [make_organization("Mordor FIDASH", "Member")]},
    "owner-of-nothing": {"roles": [make_role("InfrastructureOwner")]},
    "both": {
        "organizations": [
            make_organization("Mordor FIDASH", "InfrastructureOwner"),
            make_organization("Spain2", "InfrastructureOwner"),
        ]
    },
}
LOCAL = {"User": "operator", "Password": "correct horse battery staple"}


class Caller:
    """The API in one format, for one caller."""

    def __init__(self, wire: str, headers: Mapping[str, str]) -> None:
        self.wire = wire
        self.headers = {"Accept": f"application/{wire}", **headers}

    def post(self, values: Mapping[str, object]) -> tuple[int, Any]:
        """Register, and return the status and what the body says."""
        if self.wire == "json":
            body = json.dumps({"infrastructure": values})
        else:
            root = ET.Element("infrastructure")
            for member, value in values.items():
                ET.SubElement(root, member).text = str(value)
            body = ET.tostring(root, encoding="unicode")
        return self._read(APIClient().generic("POST", URL, body, f"application/{self.wire}", headers=self.headers))

    def delete(self, name: str) -> tuple[int, Any]:
        """Unregister, and return the status and what the body says."""
        return self._read(APIClient().generic("DELETE", f"{URL}/{name}", headers=self.headers))

    def _read(self, response: Any) -> tuple[int, Any]:
        assert response["X-Openstack-Request-Id"].startswith("req-")
        assert ("WWW-Authenticate" in response) == (response.status_code == 401)
        if response.status_code == 204:
            return 204, response.content
        assert response["Content-Type"].startswith(f"application/{self.wire}")
        if self.wire == "json":
            return response.status_code, json.loads(response.content)
        root = ET.fromstring(response.content)
        return response.status_code, {root.tag: {child.tag: child.text for child in root}}


def error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


REGISTERED = (201, {"infrastructure": {"name": "Mordor"}})


@pytest.fixture(params=["json", "xml"])
def wire(request: pytest.FixtureRequest) -> str:
    """Each of the two formats in turn."""
    return str(request.param)


@pytest.fixture
def upstream(settings: Settings) -> Iterator[requests_mock.Mocker]:
    """The IdM, and nothing else: a request to any cloud would be refused, and be seen."""
    settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = KEYROCK_URL, [APP_ID]
    with requests_mock.Mocker() as http:
        http.get(f"{KEYROCK_URL}/user", status_code=401, json="Invalid token")
        for token, answer in CALLERS.items():
            http.get(f"{KEYROCK_URL}/user?access_token={token}", json=make_answer(username=token, **answer))
        yield http


@pytest.fixture
def idm(wire: str, upstream: requests_mock.Mocker) -> Any:
    """Make callers with a token of the IdM."""
    return lambda token: Caller(wire, {"X-Auth-Token": token})


@pytest.fixture
def local(wire: str, upstream: requests_mock.Mocker) -> Caller:
    """A local account that may register."""
    operator = make_account()
    operator.user_permissions.add(Permission.objects.get(codename="register_infrastructure"))
    return Caller(wire, LOCAL)


# Registering


@pytest.mark.parametrize("token", ["owner", "plain-owner", "both"])
def test_an_owner_registers_their_node(idm: Any, upstream: requests_mock.Mocker, token: str) -> None:
    assert idm(token).post(WHOLE) == REGISTERED
    stored = Infrastructure.objects.get()
    assert {member: getattr(stored, member) for member in WHOLE if member != "password"} == {
        member: value for member, value in WHOLE.items() if member != "password"
    }
    assert (stored.get_password(), stored.registered_by) == (PASSWORD, token)
    assert [request.url.partition("?")[0] for request in upstream.request_history] == [f"{KEYROCK_URL}/user"]
    assert not stored.operators.exists()  # nobody of ours: their organization says so
    assert idm(token).delete("Mordor") == (204, b"")


def test_a_local_account_registers_any_free_name_and_becomes_its_operator(
    local: Caller, upstream: requests_mock.Mocker
) -> None:
    for name in ("Mordor", "Minas Tirith", "España"):
        assert local.post(REQUIRED | {"name": name}) == (201, {"infrastructure": {"name": name}})
        stored = Infrastructure.objects.get(name=name)
        assert [str(operator) for operator in stored.operators.all()] == ["operator"]
        assert stored.registered_by == "operator"
    assert upstream.request_history == []


def test_what_may_be_left_out_has_its_default(local: Caller) -> None:
    assert local.post(REQUIRED) == REGISTERED
    stored = Infrastructure.objects.get()
    assert (stored.nova_url, stored.region, stored.user_domain, stored.project_domain) == ("", "", "Default", "Default")
    assert stored.region_name == "Mordor"


@pytest.mark.parametrize("token", ["basic", "manager", "other-owner", "member", "owner-of-nothing"])
def test_nobody_registers_another_ones_node(idm: Any, token: str) -> None:
    assert idm(token).post(REQUIRED) == (403, error("You may not register the node Mordor."))
    assert not Infrastructure.objects.exists()


@pytest.mark.parametrize("name", ["mordor", "Mordor FIDASH", "Spain2"])
def test_an_owner_registers_no_other_name(idm: Any, name: str) -> None:
    assert idm("owner").post(REQUIRED | {"name": name})[0] == 403
    assert not Infrastructure.objects.exists()


def test_a_local_account_needs_the_permission(wire: str, upstream: requests_mock.Mocker) -> None:
    make_account()
    assert Caller(wire, LOCAL).post(REQUIRED) == (403, error("You may not register the node Mordor."))
    assert not Infrastructure.objects.exists()


@pytest.mark.parametrize(
    "headers", [{}, {"X-Auth-Token": "unheard-of"}, {**LOCAL, "Password": "wrong"}, {"User": "nobody", "Password": "x"}]
)
def test_who_is_nobody_is_401(wire: str, upstream: requests_mock.Mocker, headers: dict[str, str]) -> None:
    make_account()
    make_registered("Mordor")
    caller = Caller(wire, headers)
    for status, body in (caller.post(REQUIRED | {"name": "New"}), caller.delete("Mordor")):
        assert status == 401
        assert list(body["error"]) == ["message"]
        assert PASSWORD not in str(body)
    assert [str(infrastructure) for infrastructure in Infrastructure.objects.all()] == ["Mordor"]


@pytest.mark.parametrize("member", REQUIRED)
def test_a_member_that_is_missing_is_said(local: Caller, member: str) -> None:
    values = {name: value for name, value in REQUIRED.items() if name != member}
    assert local.post(values) == (400, error(f"{member}: is required"))
    assert local.post(REQUIRED | {member: ""}) == (400, error(f"{member}: must not be empty"))


WRONG_URLS = {
    "file:///etc/passwd": "must be an http or https URL",
    "http://": "must be a URL with a host",
    "http://user:word@example.org": "must hold no user name, query or fragment",
    "http://elsewhere.example.net": "names a host that INFRASTRUCTURE_URL_ALLOWLIST does not allow",
}
MALFORMED = [
    *((member, "x" * 256, "must not be longer than 255 characters") for member in REQUIRED),
    ("name", "a/b", "A name has no slash and no space at either end, and is not . or .."),
    ("name", " a", "must not begin or end with a space"),
    *((member, *wrong) for member in ("keystone_url", "nova_url") for wrong in WRONG_URLS.items()),
]


def test_a_malformed_value_is_said(local: Caller, settings: Settings) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = ["55.66.77.88", ".example.org", "example.org"]
    for member, value, message in MALFORMED:
        assert local.post(REQUIRED | {member: value}) == (400, error(f"{member}: {message}"))
    assert not Infrastructure.objects.exists()


@pytest.mark.parametrize("member", ["keystone_url", "nova_url"])
def test_this_machine_is_no_cloud(local: Caller, settings: Settings, member: str) -> None:
    """How else it can be written is tested of the addresses."""
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []
    near = "must not lead to this machine or its link (INFRASTRUCTURE_URL_ALLOWLIST can name exceptions)"
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert local.post(REQUIRED | {member: f"http://{host}:5000/v3"}) == (400, error(f"{member}: {near}"))
    assert not Infrastructure.objects.exists()
    # A private network, where clouds are
    assert local.post(REQUIRED | {member: "http://[::ffff:a00:1]:5000/v3"}) == REGISTERED


@pytest.mark.parametrize("member", WHOLE)
def test_json_takes_strings_alone_and_never_repeats_them(upstream: requests_mock.Mocker, member: str) -> None:
    operator = make_account()
    operator.user_permissions.add(Permission.objects.get(codename="register_infrastructure"))
    for value in (12345, True, None, ["a"], {"a": "b"}, 1.5):
        status, body = Caller("json", LOCAL).post(WHOLE | {member: value})
        assert status == 400
        assert body["error"]["message"].startswith(f"{member}: must ")
        assert "12345" not in str(body)
    assert not Infrastructure.objects.exists()


def test_a_name_that_is_taken_is_409(idm: Any, local: Caller) -> None:
    make_registered("Mordor", password="the first one's")
    taken = (409, error("There is already an infrastructure named Mordor."))
    assert local.post(REQUIRED) == taken
    assert idm("owner").post(REQUIRED) == taken
    assert Infrastructure.objects.get().get_password() == "the first one's"


def test_a_name_is_taken_in_any_case(local: Caller) -> None:
    make_registered("MORDOR")
    assert local.post(REQUIRED) == (409, error("There is already an infrastructure named MORDOR."))
    assert Infrastructure.objects.count() == 1


def test_members_that_are_not_theirs_to_give_are_not_taken(upstream: requests_mock.Mocker) -> None:
    User.objects.create_user("somebody")
    operator = make_account()
    operator.user_permissions.add(Permission.objects.get(codename="register_infrastructure"))
    more = {"id": 77, "operators": ["somebody"], "registered_by": "somebody", "encrypted_password": "x", "pk": 77}
    assert Caller("json", LOCAL).post(REQUIRED | more) == REGISTERED
    stored = Infrastructure.objects.get()
    assert (stored.get_password(), stored.registered_by) == (PASSWORD, "operator")
    assert [str(one) for one in stored.operators.all()] == ["operator"]


def test_registering_takes_few_queries(local: Caller, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_max_num_queries(10):
        assert local.post(REQUIRED) == REGISTERED


# Unregistering


def test_an_operator_unregisters_their_node(
    local: Caller, upstream: requests_mock.Mocker, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    stored = make_registered("Mordor")
    stored.operators.add(User.objects.get())
    with django_assert_max_num_queries(23):
        assert local.delete("Mordor") == (204, b"")
    assert not Infrastructure.objects.exists()
    assert local.delete("Mordor") == (404, error("The infrastructure Mordor does not exist"))
    assert upstream.request_history == []


NOT_THEIRS = (403, error("You do not operate the infrastructure Mordor."))


@pytest.mark.parametrize("token", ["basic", "manager", "other-owner", "member", "owner-of-nothing"])
def test_nobody_unregisters_another_ones_node(idm: Any, token: str) -> None:
    make_registered("Mordor")
    assert idm(token).delete("Mordor") == NOT_THEIRS
    assert Infrastructure.objects.exists()


def test_a_local_account_unregisters_only_what_it_operates(local: Caller) -> None:
    make_registered("Mordor").operators.add(User.objects.create_user("somebody"))
    assert local.delete("Mordor") == NOT_THEIRS
    assert Infrastructure.objects.exists()


def test_the_registrant_of_a_token_only_region_may_still_unregister_it(idm: Any) -> None:
    make_infrastructure("Mordor")
    assert idm("owner").delete("Mordor") == (204, b"")


@pytest.mark.parametrize("name", ["Mordor", "mordor", "%2e%2e", "a%20b"])
def test_what_is_not_there_is_404(idm: Any, name: str) -> None:
    make_registered("Spain2")
    status, body = idm("owner").delete(name)
    assert (status, list(body)) == (404, ["error"])
    assert Infrastructure.objects.exists()


STAYS = (
    409,
    error("Mordor cannot be unregistered: a flavor of the catalogue is installed there, or is being replaced."),
)


def test_a_node_with_a_flavor_of_the_catalogue_stays(idm: Any) -> None:
    flavor = apps.get_model("flavors", "Flavor").objects.create(name="m1.tiny", vcpus=1, ram=1, disk=1, public=True)
    flavor.installations.create(infrastructure=make_registered("Mordor"), flavorid=flavor.flavorid)
    assert idm("owner").delete("Mordor") == STAYS
    assert flavor.nodes == ["Mordor"]


def test_a_node_with_an_open_replacement_stays(idm: Any) -> None:
    make_replacement(infrastructure=make_registered("Mordor"))
    assert idm("owner").delete("Mordor") == STAYS


# Paths and methods


@pytest.mark.parametrize("path", ["/v1/infrastructures", "/v1/infrastructures/", "/api/v1/infrastructures"])
def test_every_spelling_of_the_path_is_the_same(upstream: requests_mock.Mocker, path: str) -> None:
    body = json.dumps({"infrastructure": REQUIRED})
    answer = APIClient().post(path, body, content_type="application/json", headers={"X-Auth-Token": "owner"})
    assert (answer.status_code, answer.json()) == REGISTERED
    slash = "" if path.endswith("/") else "/"
    assert APIClient().delete(f"{path}{slash}Mordor", headers={"X-Auth-Token": "owner"}).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", URL, "POST"),
        ("PUT", URL, "POST"),
        ("GET", f"{URL}/Mordor", "DELETE"),
        ("POST", f"{URL}/Mordor", "DELETE"),
    ],
)
def test_nothing_else_is_to_be_had(upstream: requests_mock.Mocker, method: str, path: str, allow: str) -> None:
    make_registered("Mordor")
    answer = APIClient().generic(method, path, headers={"X-Auth-Token": "owner"})
    assert answer.status_code == 405
    assert allow in answer["Allow"]
    assert PASSWORD not in answer.text
