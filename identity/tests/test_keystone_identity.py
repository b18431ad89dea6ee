"""Keystone tokens as a credential: what Keystone is asked, what its answers mean, and what they cost."""

from datetime import timedelta
from typing import Any

import pytest
import requests
import requests_mock
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIClient

from flavorsync_project.api.errors import ServiceUnavailable
from identity import tokens
from identity.principals import TokenUser
from testing.accounts import (
    FERNET,
    KEYSTONE_URL,
    MANAGERS,
    OPERATORS,
    keystone_error,
    make_keystone_token,
    make_project,
)

ASKED = f"{KEYSTONE_URL}/auth/tokens"
NOT_FOUND: dict[str, Any] = {"status_code": 404, "json": keystone_error(404, "Not Found")}
UNAUTHORIZED: dict[str, Any] = {"status_code": 401, "json": keystone_error(401, "Unauthorized")}


@pytest.fixture(autouse=True)
def _keystone_alone(settings: Settings) -> None:
    settings.KEYROCK_URL = ""
    settings.KEYROCK_APP_IDS = []
    settings.KEYSTONE_URL = KEYSTONE_URL
    settings.KEYSTONE_IDENTITY = True
    settings.KEYSTONE_MANAGERS = MANAGERS
    settings.KEYSTONE_OPERATORS = OPERATORS


def user_of(mocker: requests_mock.Mocker, *roles: str, **members: object) -> TokenUser:
    """Return who bears a token that Keystone describes so."""
    mocker.get(ASKED, json=make_keystone_token(*roles, **members))
    return tokens.ask(FERNET)


# What it is asked


def test_the_token_asks_about_itself_and_no_catalogue_is_sent_for(requests_mock: requests_mock.Mocker) -> None:
    user_of(requests_mock)
    (asked,) = requests_mock.request_history
    assert asked.url == f"{ASKED}?nocatalog"
    assert (asked.headers["X-Auth-Token"], asked.headers["X-Subject-Token"]) == (FERNET, FERNET)
    assert "OpenStack-Identity-Access-Rules" not in asked.headers  # it would promise to enforce them


@pytest.mark.parametrize("url", ["https://keystone.example.org", f"{KEYSTONE_URL}/", "https://keystone.example.org/"])
def test_the_url_may_end_in_the_version_or_not(
    requests_mock: requests_mock.Mocker, settings: Settings, url: str
) -> None:
    settings.KEYSTONE_URL = url
    assert user_of(requests_mock).id == "c0ffee"


@pytest.mark.parametrize("verify", [False, "/etc/ssl/certs"])
def test_its_certificate_is_checked_as_those_of_all_clouds(
    requests_mock: requests_mock.Mocker, settings: Settings, verify: bool | str
) -> None:
    settings.OPENSTACK_VERIFY = verify
    user_of(requests_mock)
    assert requests_mock.request_history[-1].verify == verify


@pytest.mark.parametrize("token", ["", "a" * 8_001, "żółw", "a\r\nX-Evil: b", "a\x7f", " a"])
def test_what_is_no_token_is_refused_unasked(requests_mock: requests_mock.Mocker, token: str) -> None:
    with pytest.raises(AuthenticationFailed):
        tokens.validate(token)
    assert requests_mock.call_count == 0


# Who somebody is


def test_a_user_is_called_by_name_and_domain(requests_mock: requests_mock.Mocker) -> None:
    user = user_of(requests_mock, "member", project=make_project("shire"))
    assert (user.provider, user.id, str(user)) == ("keystone", "c0ffee", "frodo@Default")
    assert (user.roles, user.owned_nodes) == (frozenset(), frozenset())
    assert user.grants == ("member@project:shire/Default",)
    assert user.project_id == make_project("shire")["id"]
    assert user_of(requests_mock, "member", system={"all": True}).project_id == ""


@pytest.mark.parametrize(
    ("role", "members", "is_manager"),
    [
        ("flavor_manager", {"project": make_project()}, True),
        ("cloud_admin", {"system": {"all": True}}, True),
        ("flavor_manager", {"system": {"all": True}}, False),
        ("cloud_admin", {"project": make_project()}, False),
        ("flavor_manager", {"project": make_project("federation", "Evil")}, False),
        ("flavor_manager", {"project": make_project("mine")}, False),
        ("flavor_manager", {"domain": {"id": "default", "name": "Default"}}, False),
        ("flavor_manager", {}, False),
        ("admin", {"project": make_project()}, False),
        ("cloud_admin", {"system": {"all": "true"}}, False),
    ],
)
def test_a_role_counts_in_its_scope_alone(
    requests_mock: requests_mock.Mocker, role: str, members: dict[str, Any], is_manager: bool
) -> None:
    user = user_of(requests_mock, role, "reader", **members)
    assert ("InfrastructureManager" in user.roles) is is_manager
    assert user.owned_nodes == frozenset()


def test_an_operator_owns_the_nodes_that_the_roles_name(requests_mock: requests_mock.Mocker) -> None:
    user = user_of(requests_mock, "flavor_operator", project=make_project("Spain2", "nodes"))
    assert user.roles == {"InfrastructureOwner"}
    assert user.owned_nodes == {"Spain2"}
    user = user_of(requests_mock, "operator_of_Mordor", "operator_of_Rohan", "flavor_manager", project=make_project())
    assert user.roles == {"InfrastructureOwner", "InfrastructureManager"}
    assert user.owned_nodes == {"Mordor", "Rohan"}


@pytest.mark.parametrize(
    "members",
    [
        {"roles": "flavor_manager"},
        {"roles": ["flavor_manager"]},
        {"roles": [{"id": "flavor_manager"}]},
        {"roles": [{"name": ["flavor_manager"]}]},
        {"roles": [{"name": "flavor_manager"}], "project": "federation"},
        {"roles": [{"name": "flavor_manager"}], "project": {"name": "federation", "domain": "Default"}},
    ],
)
def test_whatever_has_another_shape_grants_nothing(
    requests_mock: requests_mock.Mocker, members: dict[str, Any]
) -> None:
    assert user_of(requests_mock, **{"project": make_project(), **members}).roles == frozenset()


# What the answers mean


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_in_keystones_words_is_one(requests_mock: requests_mock.Mocker, status: int) -> None:
    requests_mock.get(ASKED, status_code=status, json=keystone_error(status, "No"))
    assert APIClient().get("/open", HTTP_X_AUTH_TOKEN=FERNET).status_code == 401


def test_a_token_that_keystone_does_not_show_is_refused_with_the_reason(requests_mock: requests_mock.Mocker) -> None:
    """It shows none of an application credential with access rules to who does not say that they are enforced."""
    requests_mock.get(ASKED, **NOT_FOUND)
    answer = APIClient().get("/open", HTTP_X_AUTH_TOKEN=FERNET)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == (
        "The token is not valid: it was revoked, or it belongs to an application credential with access rules, which "
        "would not be enforced here."
    )


def test_a_token_with_access_rules_is_refused_though_keystone_shows_it(requests_mock: requests_mock.Mocker) -> None:
    rules = {"access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/flavors"}]}
    with pytest.raises(AuthenticationFailed, match="access rules"):
        user_of(requests_mock, "flavor_manager", project=make_project(), application_credential=rules)


def test_an_application_credential_without_rules_is_as_good_as_its_user(requests_mock: requests_mock.Mocker) -> None:
    credential = {"id": "1", "name": "x", "restricted": True}
    user = user_of(requests_mock, "flavor_manager", project=make_project(), application_credential=credential)
    assert user.roles == {"InfrastructureManager"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status_code": 500, "json": make_keystone_token()}, id="500"),
        pytest.param({"status_code": 503, "text": "busy"}, id="503"),
        pytest.param({"status_code": 403, "json": keystone_error(403, "Forbidden")}, id="403 of its policy"),
        pytest.param({"status_code": 429, "json": keystone_error(429, "Slow down")}, id="429"),
        pytest.param({"status_code": 404, "text": "<html>"}, id="404 of another server"),
        pytest.param({"status_code": 401, "text": "<html>"}, id="401 of another server"),
        pytest.param({"status_code": 302, "headers": {"Location": "https://evil.example.org"}}, id="redirect"),
        pytest.param({"status_code": 203, "json": make_keystone_token()}, id="203"),
        pytest.param({"text": "<html>"}, id="a page"),
        pytest.param({"json": {}}, id="no token"),
        pytest.param({"json": {"token": "valid"}}, id="a token of another shape"),
        pytest.param({"json": {"token": {"expires_at": "2106-01-01T00:00:00Z"}}}, id="nobody's token"),
        pytest.param({"json": make_keystone_token(expires_at=None)}, id="no expiry"),
        pytest.param({"json": make_keystone_token(expires_at="soon")}, id="an expiry that is none"),
        pytest.param({"exc": requests.ConnectTimeout()}, id="time-out"),
        pytest.param({"exc": requests.exceptions.SSLError()}, id="TLS"),
    ],
)
def test_anything_else_is_no_answer(requests_mock: requests_mock.Mocker, answer: dict[str, Any]) -> None:
    requests_mock.get(ASKED, **answer)
    refusal = APIClient().get("/open", HTTP_X_AUTH_TOKEN=FERNET)
    assert (refusal.status_code, requests_mock.call_count) == (503, 1)
    assert int(refusal["Retry-After"]) > 0
    assert "Keystone" in refusal.json()["error"]["message"]


# What it costs


def test_a_new_token_costs_one_call_and_a_remembered_one_none(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(ASKED, json=make_keystone_token("flavor_manager", project=make_project()))
    first, second = tokens.validate(FERNET), tokens.validate(FERNET)
    assert (first, requests_mock.call_count) == (second, 1)
    tokens.validate(FERNET + "x")
    assert requests_mock.call_count == 2


@pytest.mark.parametrize("answer", [UNAUTHORIZED, NOT_FOUND, {"status_code": 500}])
def test_neither_a_refusal_nor_silence_is_remembered(
    requests_mock: requests_mock.Mocker, answer: dict[str, Any]
) -> None:
    requests_mock.get(ASKED, [answer, {"json": make_keystone_token()}])
    with pytest.raises((AuthenticationFailed, ServiceUnavailable)):
        tokens.validate(FERNET)
    assert tokens.validate(FERNET).id == "c0ffee"


@pytest.mark.parametrize(("lives", "remembered"), [(3600, 60), (20, 20), (-300, 0)])
def test_it_is_remembered_no_longer_than_it_lives(
    requests_mock: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch, lives: int, remembered: int
) -> None:
    expires_at = timezone.now() + timedelta(seconds=lives)
    requests_mock.get(ASKED, json=make_keystone_token(expires_at=expires_at.isoformat()))
    timeouts: list[float] = []
    store = cache.set

    def remember(key: str, value: object, timeout: float) -> None:
        timeouts.append(timeout)
        store(key, value, timeout)

    monkeypatch.setattr(cache, "set", remember)
    tokens.validate(FERNET)
    assert timeouts == [pytest.approx(remembered if lives > 0 else lives, abs=2)]
    tokens.validate(FERNET)
    assert requests_mock.call_count == (1 if remembered else 2)


def test_nothing_is_remembered_when_told_so(requests_mock: requests_mock.Mocker, settings: Settings) -> None:
    settings.KEYSTONE_CACHE_SECONDS = 0
    requests_mock.get(ASKED, json=make_keystone_token())
    tokens.validate(FERNET)
    tokens.validate(FERNET)
    assert requests_mock.call_count == 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("KEYSTONE_MANAGERS", []),
        ("KEYSTONE_OPERATORS", []),
        ("KEYSTONE_URL", "https://keystone.example.org"),
    ],
)
def test_what_was_found_under_another_configuration_does_not_count(
    requests_mock: requests_mock.Mocker, settings: Settings, setting: str, value: object
) -> None:
    requests_mock.get(ASKED, json=make_keystone_token())
    tokens.validate(FERNET)
    setattr(settings, setting, value)
    tokens.validate(FERNET)
    assert requests_mock.call_count == 2


def test_the_cache_holds_no_token(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(ASKED, json=make_keystone_token())
    tokens.validate(FERNET)
    ((key, value),) = getattr(cache, "_cache").items()  # noqa: B009 — the local-memory cache's own dictionary
    assert FERNET not in key
    assert FERNET.encode() not in value


def test_wrong_tokens_are_counted_for_the_address(requests_mock: requests_mock.Mocker, settings: Settings) -> None:
    settings.TOKEN_ADDRESS_FAILURE_RATE = "3/hour"
    requests_mock.get(ASKED, **UNAUTHORIZED)
    answers = [APIClient().get("/open", HTTP_X_AUTH_TOKEN=f"{FERNET}{n}").status_code for n in range(6)]
    assert answers == [401] * 3 + [429] * 3
    assert requests_mock.call_count == 3


def test_without_the_setting_it_is_not_asked(requests_mock: requests_mock.Mocker, settings: Settings) -> None:
    settings.KEYSTONE_IDENTITY = False
    assert APIClient().get("/open", HTTP_X_AUTH_TOKEN=FERNET).status_code == 503
    assert requests_mock.call_count == 0


def test_the_token_is_in_no_log(requests_mock: requests_mock.Mocker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    requests_mock.get(ASKED, status_code=500, text=f"what is {FERNET}?")
    APIClient().get("/open", HTTP_X_AUTH_TOKEN=FERNET)
    assert "status 500" in caplog.text
    assert FERNET not in caplog.text
