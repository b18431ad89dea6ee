"""Signing in to the pages as who one is elsewhere: with Keystone, and with Keyrock."""

from typing import Any
from urllib.parse import parse_qs

import pytest
import requests_mock
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from rest_framework.exceptions import NotFound
from rest_framework.test import APIClient

from identity.accounts import find_accounts
from identity.models import SignedIn, User
from identity.tests.people import (
    ACCESS_TOKEN,
    ADMIN,
    BACK,
    CODE,
    FEDERATION,
    PASSWORD,
    SECRET,
    SHIRE,
    SPAIN2,
    WITH_KEYROCK,
    WITH_KEYSTONE,
    KeystoneOfPeople,
    begin,
    come_back,
    is_in,
    keyrock,
    sign_in,
)
from testing.accounts import (
    APP_ID,
    KEYROCK_URL,
    KEYSTONE_URL,
    make_account,
    make_keystone_token,
    make_organization,
)
from testing.infrastructures import make_registered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ways_to_sign_in")]

MAP = "/admin/flavors/flavor/coverage/"

# With Keystone


def test_a_manager_comes_in_as_who_they_are(keystone: KeystoneOfPeople, caplog: pytest.LogCaptureFixture) -> None:
    keystone.gives(FEDERATION, "flavor_manager", "member")
    client = Client()
    answer = sign_in(client)
    assert (answer.status_code, answer["Location"]) == (302, ADMIN)
    page = client.get(MAP)
    assert page.status_code == 200
    assert "frodo@Default" in page.content.decode()
    user = page.wsgi_request.user
    assert user.has_perm("flavors.promote_flavor")
    assert not user.has_perm("identity.change_user")
    assert client.get("/admin/identity/user/").status_code == 403
    lines = [record for record in caplog.records if record.name == "flavorsync.access"]
    assert {getattr(record, "user", "") for record in lines[1:]} == {"frodo@Default"}


def test_an_operator_sees_their_nodes_and_no_others(keystone: KeystoneOfPeople) -> None:
    keystone.gives(SPAIN2, "flavor_operator")
    make_registered("Spain2")
    make_registered("Mordor")
    client = Client()
    sign_in(client)
    user: Any = client.get(MAP).wsgi_request.user
    assert user.owned_nodes == {"Spain2"}
    compare = client.get("/admin/flavors/flavor/compare/").content.decode()
    assert "Spain2" in compare
    assert "Mordor" not in compare


def test_the_roles_of_several_scopes_are_one_persons(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "operator_of_Mordor")
    keystone.gives(SPAIN2, "flavor_operator")
    keystone.gives(SHIRE, "flavor_manager")
    keystone.roles["system"] = ["cloud_admin"]
    client = Client()
    sign_in(client)
    user: Any = client.get(ADMIN).wsgi_request.user
    assert user.owned_nodes == {"Spain2", "Mordor"}
    assert user.bearer.roles == {"InfrastructureManager", "InfrastructureOwner"}
    scopes = [auth["scope"] for auth in keystone.bodies]
    assert scopes == [
        "unscoped",
        {"system": {"all": True}},
        {"project": {"id": FEDERATION["id"]}},
        {"project": {"id": SPAIN2["id"]}},
        {"project": {"id": SHIRE["id"]}},  # `{node}` could be any project's name: whose domain it is, its token says
    ]


def test_a_wrong_password_is_nobodys(keystone: KeystoneOfPeople) -> None:
    client = Client()
    answer = sign_in(client, password="wrong")
    assert answer.status_code == 401
    assert "does not accept this name" in answer.content.decode()
    assert not is_in(client)


def test_whoever_has_no_role_is_told_so(keystone: KeystoneOfPeople) -> None:
    keystone.gives(SHIRE, "flavor_manager")
    client = Client()
    answer = sign_in(client)
    assert answer.status_code == 403
    assert "You are frodo@Default, and have no role here" in answer.content.decode()
    assert not is_in(client)
    assert not User.objects.exists()


def test_guessing_ends_soon(keystone: KeystoneOfPeople, settings: Settings) -> None:
    settings.LOCAL_ACCOUNT_FAILURE_RATE = "2/hour"
    keystone.gives(FEDERATION, "flavor_manager")
    statuses = [sign_in(Client(), password="wrong").status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    assert len(keystone.bodies) == 2
    refused = sign_in(Client())
    assert "Too many failed sign-ins. Try again in 60 minutes." in refused.content.decode()


@pytest.mark.parametrize("answer", [{"status_code": 500}, {"text": "<html>"}, {"exc": ConnectionError}])
def test_a_keystone_that_is_silent_lets_nobody_in(requests_mock: requests_mock.Mocker, answer: dict[str, Any]) -> None:
    requests_mock.post(f"{KEYSTONE_URL}/auth/tokens", **answer)
    client = Client(raise_request_exception=False)
    assert sign_in(client).status_code == 503
    requests_mock.get(f"{KEYSTONE_URL}/auth/tokens", json=make_keystone_token())
    assert not is_in(client)


def test_the_password_is_kept_nowhere(keystone: KeystoneOfPeople, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client()
    sign_in(client)
    session = dict(client.session.items())
    assert PASSWORD not in f"{caplog.text} {session} {list(User.objects.values())}"
    assert "gAAAAAB-" not in f"{session}"  # nor are the tokens readable
    assert "gAAAAAB-" not in caplog.text


# What a session is


def test_the_row_is_found_by_provider_and_id_and_never_by_name(keystone: KeystoneOfPeople) -> None:
    make_account("frodo@Default", is_superuser=True, is_staff=True, email="frodo@example.org")
    keystone.gives(FEDERATION, "flavor_manager")
    for _ in range(2):
        sign_in(Client())
    keystone.id = "another-of-this-name"
    cache.clear()
    sign_in(Client())
    rows = SignedIn.objects.exclude(external_id=None).order_by("pk")
    assert [row.external_id for row in rows] == ["keystone:c0ffee", "keystone:another-of-this-name"]
    assert [row.username for row in rows] == [
        "frodo@Default (keystone c0ffee)",
        "frodo@Default (keystone another-of-this-name)",
    ]
    assert not any(row.has_usable_password() or row.is_staff or row.is_superuser for row in rows)


def test_what_is_given_to_the_row_gives_nothing(keystone: KeystoneOfPeople) -> None:
    keystone.gives(SPAIN2, "flavor_operator")
    client = Client()
    sign_in(client)
    row = User.objects.get(external_id="keystone:c0ffee")
    row.groups.set([])
    row.user_permissions.set(Permission.objects.all())
    assert client.get("/admin/identity/user/").status_code == 403


def test_the_row_is_no_account_whatever_password_it_is_given(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    sign_in(Client())
    row = User.objects.get(external_id="keystone:c0ffee")
    row.set_password("sesame")
    row.save()
    headers = {"user": row.username, "password": "sesame"}
    assert APIClient().get("/v1/regions", headers=headers).status_code == 401
    with pytest.raises(NotFound):
        find_accounts([row.username])


def test_a_role_that_was_taken_away_is_gone_once_it_is_no_longer_remembered(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client()
    sign_in(client)
    keystone.roles.clear()
    assert is_in(client)
    cache.clear()
    assert not is_in(client)


def test_a_session_ends_with_its_token(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client()
    sign_in(client)
    keystone.revoked = True
    cache.clear()
    assert not is_in(client)
    keystone.revoked = False
    assert not is_in(client)


def test_a_silent_keystone_lets_nobody_go_on(keystone: KeystoneOfPeople, requests_mock: requests_mock.Mocker) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client(raise_request_exception=False)
    sign_in(client)
    requests_mock.get(f"{KEYSTONE_URL}/auth/tokens", status_code=500)
    assert is_in(client)
    cache.clear()
    assert client.get(ADMIN).status_code == 503


def test_a_page_costs_no_call_while_the_token_is_remembered(
    keystone: KeystoneOfPeople, requests_mock: requests_mock.Mocker
) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client()
    sign_in(client)
    asked = requests_mock.call_count
    assert is_in(client)
    assert requests_mock.call_count == asked


def test_signing_out_ends_it(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client()
    sign_in(client)
    cookie: Any = client.cookies["sessionid"].value
    client.post("/admin/logout/")
    assert not is_in(client)
    client.cookies["sessionid"] = cookie
    assert not is_in(client)


def test_a_session_fixed_before_is_of_no_use(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    victim, attacker = Client(), Client()
    session = attacker.session
    session["planted"] = "yes"
    session.save()
    fixed: Any = session.session_key
    victim.cookies["sessionid"] = fixed
    sign_in(victim)
    assert victim.cookies["sessionid"].value != fixed
    assert is_in(victim)
    attacker.cookies["sessionid"] = fixed
    assert not is_in(attacker)


def test_a_closed_row_is_closed(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client()
    sign_in(client)
    User.objects.update(is_active=False)
    assert not is_in(client)
    assert sign_in(Client()).status_code == 403


def test_a_session_without_its_tokens_is_nobodys(keystone: KeystoneOfPeople) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    client = Client()
    sign_in(client)
    session = client.session
    assert session[SESSION_KEY]
    session["identity.tokens"] = "garbage"
    session.save()
    assert not is_in(client)


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        (MAP, MAP),
        ("https://evil.example.org/", ADMIN),
        ("//evil.example.org", ADMIN),
        ("/\\evil.example.org", ADMIN),
        ("javascript:alert(1)", ADMIN),
        ("http:///evil.example.org", ADMIN),
        ("", ADMIN),
    ],
)
def test_it_leads_to_pages_of_ours_alone(
    keystone: KeystoneOfPeople, requests_mock: requests_mock.Mocker, wanted: str, goes_to: str
) -> None:
    keystone.gives(FEDERATION, "flavor_manager")
    assert sign_in(Client(), next=wanted)["Location"] == goes_to
    keyrock(requests_mock)
    client = Client()
    state = begin(client, wanted)["state"]
    assert come_back(client, state=state)["Location"] == goes_to


# With Keyrock


def test_the_idm_is_told_who_we_are_and_no_secret(requests_mock: requests_mock.Mocker) -> None:
    asked = begin(Client())
    assert asked.pop("state")
    assert asked.pop("code_challenge")
    assert asked == {
        "response_type": "code",
        "client_id": APP_ID,
        "redirect_uri": "http://testserver/sign-in/keyrock/back",
        "code_challenge_method": "S256",
    }


def test_whom_the_idm_sends_back_comes_in(requests_mock: requests_mock.Mocker) -> None:
    keyrock(requests_mock, organizations=[make_organization("Spain2 FIDASH", "InfrastructureOwner")])
    client = Client()
    answer = come_back(client, state=begin(client)["state"])
    assert (answer.status_code, answer["Location"]) == (302, ADMIN)
    user: Any = client.get(MAP).wsgi_request.user
    assert (user.username, user.owned_nodes) == ("basic", {"Spain2"})
    assert user.external_id == "keyrock:b6a5f0de-3c3b-4a52-9f3e-3a1b7b7a0001"
    exchanged = next(request for request in requests_mock.request_history if request.method == "POST")
    sent = {name: value for name, (value,) in parse_qs(exchanged.text).items()}
    assert sent.pop("code_verifier")
    assert sent == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": "http://testserver/sign-in/keyrock/back",
    }
    assert exchanged.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("query", [{"state": "of-somebody-else"}, {}, {"state": ""}, {"error": "access_denied"}])
def test_a_state_that_is_not_ours_is_refused_unasked(
    requests_mock: requests_mock.Mocker, query: dict[str, str]
) -> None:
    keyrock(requests_mock)
    client = Client()
    begin(client)
    answer = come_back(client, **query)
    assert answer.status_code == 401
    assert requests_mock.call_count == 0
    assert not is_in(client)


def test_a_state_works_once_and_in_its_own_browser(requests_mock: requests_mock.Mocker) -> None:
    keyrock(requests_mock)
    client, other = Client(), Client()
    state = begin(client)["state"]
    begin(other)
    assert come_back(other, state=state).status_code == 401
    assert come_back(client, state=state).status_code == 302
    assert come_back(client, state=state).status_code == 401


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"status_code": 400, "json": {"error": "invalid_grant"}}, 401),
        ({"status_code": 500}, 503),
        ({"text": "<html>"}, 503),
        ({"exc": ConnectionError}, 503),
        ({"json": {"token_type": "bearer"}}, 503),
        ({"json": ["odd"]}, 503),
    ],
)
def test_a_code_that_is_not_taken_lets_nobody_in(
    requests_mock: requests_mock.Mocker, answer: dict[str, Any], status: int
) -> None:
    keyrock(requests_mock)
    requests_mock.post(f"{KEYROCK_URL}/oauth2/token", **answer)
    client = Client(raise_request_exception=False)
    assert come_back(client, state=begin(client)["state"]).status_code == status
    assert not is_in(client)


@pytest.mark.parametrize(("answer", "status"), [({"app_id": "another"}, 401), ({"roles": []}, 403), ({"id": ""}, 401)])
def test_a_token_that_is_not_for_us_or_of_nobody_lets_nobody_in(
    requests_mock: requests_mock.Mocker, answer: dict[str, Any], status: int
) -> None:
    keyrock(requests_mock, **answer)
    client = Client()
    assert come_back(client, state=begin(client)["state"]).status_code == status
    assert not is_in(client)


def test_neither_secret_nor_code_nor_token_is_in_a_log(
    requests_mock: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    keyrock(requests_mock)
    client = Client()
    come_back(client, state=begin(client)["state"])
    client.get(ADMIN)
    assert "/sign-in/keyrock/back" in caplog.text
    for secret in (SECRET, CODE, ACCESS_TOKEN):
        assert secret not in caplog.text


# What is offered


def test_the_ways_that_are_configured_are_offered(settings: Settings) -> None:
    page = Client().get("/admin/login/?next=/admin/").content.decode()
    assert f'href="{WITH_KEYSTONE}?next=%2Fadmin%2F"' in page
    assert f'href="{WITH_KEYROCK}?next=%2Fadmin%2F"' in page
    settings.KEYSTONE_IDENTITY = False
    settings.KEYROCK_CLIENT_SECRET = ""
    page = Client().get("/admin/login/").content.decode()
    assert "/sign-in/" not in page
    assert [Client().get(path).status_code for path in (WITH_KEYSTONE, WITH_KEYROCK, BACK)] == [404] * 3


def test_local_accounts_can_be_kept_out_of_the_pages(settings: Settings) -> None:
    make_account("staff", is_staff=True)
    credentials = {"username": "staff", "password": "correct horse battery staple"}
    assert Client().post("/admin/login/", credentials).status_code == 302
    assert "With an account of this service" in Client().get(WITH_KEYSTONE).content.decode()
    settings.LOCAL_SIGN_IN = False
    assert "With an account of this service" not in Client().get(WITH_KEYSTONE).content.decode()
    assert 'name="password"' not in Client().get("/admin/login/").content.decode()
    answer = Client().post("/admin/login/", credentials)
    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies
