"""Tokens of the lab's real Keystone: who they are here, what they cost, and what becomes of them."""

from uuid import uuid4

import pytest
import requests
from django.core.cache import cache
from pytest_django import Settings
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.errors import ServiceUnavailable
from identity import keystone_sign_in, tokens
from lab import Lab, seed
from lab.client import send
from lab.openstack import Keystone, KeystoneAdministrator
from testing.lab import lab_of_the_tests

pytestmark = pytest.mark.lab

ASKED = "GET /v3/auth/tokens"
MANAGER, OWNER = {"InfrastructureManager"}, {"InfrastructureOwner"}


RULE = {"service": "compute", "method": "GET", "path": "/v2.1/flavors"}


def application_token(lab: Lab, **more: object) -> str:
    """Return a token of a new application credential of the manager's."""
    url, token = lab.keystone_url, lab.token("flavor-manager")
    own = {"X-Auth-Token": token, "X-Subject-Token": token}
    user = requests.get(f"{url}/auth/tokens", headers=own, timeout=30).json()["token"]["user"]["id"]
    made = {"application_credential": {"name": str(uuid4()), "secret": "sesame", **more}}
    credential = send("POST", f"{url}/users/{user}/application_credentials", token=token, body=made).body
    method = {"id": credential["application_credential"]["id"], "secret": "sesame"}
    identity = {"methods": ["application_credential"], "application_credential": method}
    return send("POST", f"{url}/auth/tokens", body={"auth": {"identity": identity}}).headers["x-subject-token"]


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of the tests, up."""
    lab = lab_of_the_tests()
    lab.up()
    return lab


@pytest.fixture(autouse=True)
def _keystone_alone(lab: Lab, settings: Settings) -> None:
    settings.KEYROCK_URL = ""
    settings.KEYSTONE_URL = lab.keystone_url
    settings.KEYSTONE_IDENTITY = True
    settings.KEYSTONE_MANAGERS = [seed.KEYSTONE_MANAGERS]
    settings.KEYSTONE_OPERATORS = [seed.KEYSTONE_OPERATORS]


@pytest.mark.parametrize(
    ("user", "roles", "nodes"),
    [
        ("flavor-manager", MANAGER, set()),
        ("spain2-operator", OWNER, {"Spain2"}),
        ("mordor-operator", OWNER, {"Mordor"}),
        ("self-made-manager", set(), set()),
        ("spain2-admin", set(), set()),
        ("spain2-member", set(), set()),
    ],
)
def test_who_is_who(lab: Lab, user: str, roles: set[str], nodes: set[str]) -> None:
    known = tokens.validate(lab.token(user))
    assert str(known) == f"{user}@Default"
    assert (set(known.roles), set(known.owned_nodes)) == (roles, nodes)
    assert known.expires_at


def test_an_unscoped_token_is_a_basic_user(lab: Lab) -> None:
    known = tokens.validate(lab.unscoped_token("flavor-manager"))
    assert (str(known), known.roles, known.grants) == ("flavor-manager@Default", frozenset(), ())


def test_a_token_for_the_system_has_its_own_scope(lab: Lab, settings: Settings) -> None:
    login = {"name": "admin", "domain": {"id": "default"}, "password": seed.PASSWORD}
    identity = {"methods": ["password"], "password": {"user": login}}
    body = {"auth": {"identity": identity, "scope": {"system": {"all": True}}}}
    token = send("POST", f"{lab.keystone_url}/auth/tokens", body=body).headers["x-subject-token"]
    assert "admin@system" in tokens.validate(token).grants
    settings.KEYSTONE_MANAGERS = ["admin@system"]
    assert tokens.validate(token).roles == MANAGER
    assert tokens.validate(lab.token("spain2-admin")).roles == frozenset()


def test_a_role_that_another_implies_counts_as_keystone_tells_it(lab: Lab, settings: Settings) -> None:
    """In Keystone whoever is an administrator of a project is also its reader."""
    settings.KEYSTONE_MANAGERS = ["reader@project:spain2/Default"]
    known = tokens.validate(lab.token("spain2-admin"))
    assert {"admin@project:spain2/Default", "reader@project:spain2/Default"} <= set(known.grants)
    assert known.roles == MANAGER


def test_a_new_token_costs_one_call_and_a_remembered_one_none(lab: Lab) -> None:
    token = lab.token("flavor-manager")
    with lab.counting() as new:
        tokens.validate(token)
    assert new["keystone"] == {ASKED: 1}
    with lab.counting() as remembered:
        tokens.validate(token)
    assert remembered["keystone"] == {}


@pytest.mark.parametrize("token", ["garbage", "gAAAAABgarbage", "lab-token-manager"])
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(AuthenticationFailed):
        tokens.validate(token)


def test_a_token_of_another_keystone_is_refused_whatever_it_says(lab: Lab) -> None:
    with pytest.raises(AuthenticationFailed):
        tokens.validate(lab.token("mordor-manager"))


def test_a_revoked_token_is_refused_once_it_is_no_longer_remembered(lab: Lab) -> None:
    token = lab.token("flavor-manager")
    tokens.validate(token)
    own = {"X-Auth-Token": token, "X-Subject-Token": token}
    assert requests.delete(f"{lab.keystone_url}/auth/tokens", headers=own, timeout=30).status_code == 204
    assert tokens.validate(token).roles == MANAGER
    cache.clear()
    # Keystone answers 404, or 401 where it does not remember either that the token opened a request just before.
    with pytest.raises(AuthenticationFailed):
        tokens.validate(token)


def test_a_token_of_an_application_credential_is_its_users_but_not_one_with_access_rules(lab: Lab) -> None:
    free, ruled = application_token(lab), application_token(lab, access_rules=[RULE])
    assert tokens.validate(free).roles == MANAGER
    with pytest.raises(AuthenticationFailed, match="access rules, which would not be enforced here"):
        tokens.validate(ruled)


def test_a_disabled_project_keeps_nobody_from_signing_in(lab: Lab, settings: Settings) -> None:
    """Keystone lists it among the user's projects, and gives no token for it."""
    url, token = lab.keystone_url, Keystone(lab.keystone_url).token("admin", project="admin")
    administrator = KeystoneAdministrator(url, token)
    project = administrator.ensure("project", {"name": f"closed-{uuid4()}", "domain_id": "default"})
    user = administrator.ensure("user", {"name": "flavor-manager"})
    administrator.grant(administrator.ensure("role", {"name": seed.OPERATOR}), user=user, project=project)
    settings.KEYSTONE_OPERATORS = [f"{seed.OPERATOR}@project:{{node}}/Default"]
    try:
        send("PATCH", f"{url}/projects/{project}", token=token, body={"project": {"enabled": False}})
        (own,) = keystone_sign_in.sign_in(
            username="flavor-manager", domain="Default", password=seed.PASSWORD, address=""
        )
    finally:
        send("DELETE", f"{url}/projects/{project}", token=token)
    assert tokens.validate(own).roles == MANAGER


def test_a_keystone_that_is_down_says_nothing(lab: Lab) -> None:
    token = lab.token("flavor-manager")
    lab.kill("keystone")
    try:
        with pytest.raises(ServiceUnavailable):
            tokens.validate(token)
    finally:
        lab.start("keystone")
    assert tokens.validate(token).roles == MANAGER
