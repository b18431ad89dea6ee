"""Registered clouds, entered with our credentials; and callers' tokens, which only their own Keystone sees."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import requests
import requests_mock
from pytest_django import Settings

from infrastructures.openstack.entering import CallersNova, OperatorsNova
from infrastructures.openstack.errors import (
    CloudError,
    CloudUnavailable,
    CredentialsRefused,
    FlavorConflict,
    FlavorNotFound,
    TokenRefused,
)
from infrastructures.openstack.keystone import forget_session, session_of
from testing.cloud import (
    KEYSTONE,
    NOVA,
    TOKEN,
    Cloud,
    assert_fit_for_strangers,
    flavor_document,
    issued,
    token_document,
)
from testing.infrastructures import PASSWORD, make_credentials, make_nova_flavor, make_region

AUTHENTICATE, VERSION, LIST, GET = "POST /auth/tokens", "GET /", "GET /flavors/detail?is_public=None", "GET /flavors/42"
REFUSED = {"status_code": 401, "json": {"error": {"message": f"not {PASSWORD} at https://keystone.example.org"}}}
THERE: dict[str, Any] = {"json": {"flavor": flavor_document()}}
ELSEWHERE = "https://elsewhere.example.net/v3"
MOVED: dict[str, Any] = {"status_code": 302, "headers": {"Location": f"{ELSEWHERE}/"}}


@pytest.fixture(autouse=True)
def _open(cloud: Cloud) -> None:
    """Have Keystone accept every password, and Nova show its flavors."""
    cloud.keystone("POST", "/auth/tokens", issued())
    cloud.nova("GET", "/flavors/detail?is_public=None", {"json": {"flavors": [flavor_document()]}})
    cloud.nova("GET", "/flavors/42", THERE)


def passwords(cloud: Cloud) -> list[str]:
    """Return those that were sent to Keystone."""
    return [body["auth"]["identity"]["password"]["user"]["password"] for body in cloud.bodies]


def tokens(cloud: Cloud) -> list[str]:
    """Return those that were sent to Nova, except for its version."""
    return [
        request.headers["X-Auth-Token"] for request in cloud.http.request_history if f"{NOVA}/flavors" in request.url
    ]


# One authentication


def test_one_authentication_is_enough_for_many_calls(cloud: Cloud) -> None:
    for _ in range(3):
        nova = OperatorsNova(make_credentials())
        nova.list_flavors()
        nova.get_flavor("42")
    assert cloud.calls == [AUTHENTICATE, VERSION, *[LIST, GET] * 3]
    assert set(tokens(cloud)) == {"operators-token"}


def test_one_authentication_is_enough_for_many_threads_at_once(cloud: Cloud) -> None:
    threads = 16
    together = Barrier(threads)

    def work(_: int) -> str:
        together.wait(20)
        return OperatorsNova(make_credentials()).get_flavor("42").name

    with ThreadPoolExecutor(threads) as pool:
        assert set(pool.map(work, range(threads))) == {"m1.custom"}
    assert (cloud.calls.count(AUTHENTICATE), cloud.calls.count(GET)) == (1, threads)


def test_keystone_is_told_who_we_are_and_for_which_project(cloud: Cloud) -> None:
    OperatorsNova(make_credentials())
    user = {"name": "spain2-operator", "domain": {"name": "Users"}, "password": PASSWORD}
    assert cloud.bodies == [
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "operators", "domain": {"name": "Projects"}}},
            }
        }
    ]


@pytest.mark.parametrize(
    "changes", [{"password": "new"}, {"username": "other"}, {"tenant": "other"}, {"nova_url": NOVA}]
)
def test_a_changed_record_gets_another_session(cloud: Cloud, changes: dict[str, str]) -> None:
    cloud.keystone("POST", "/auth/tokens", issued("first"), issued("second"))
    before = make_credentials()
    after = make_credentials(**changes)
    OperatorsNova(before).get_flavor("42")
    for _ in range(2):
        OperatorsNova(after).get_flavor("42")
    assert passwords(cloud) == [PASSWORD, after.password]
    assert tokens(cloud) == ["first", "second", "second"]


def test_clouds_of_several_names_have_a_session_each(cloud: Cloud) -> None:
    for name in ("Spain2", "Mordor", "Spain2", "Mordor"):
        OperatorsNova(make_credentials(make_region(name=name)))
    assert cloud.calls.count(AUTHENTICATE) == 2


def test_a_forgotten_session_is_made_anew(cloud: Cloud) -> None:
    OperatorsNova(make_credentials())
    forget_session("Mordor")
    OperatorsNova(make_credentials())
    assert cloud.calls.count(AUTHENTICATE) == 1
    forget_session("Spain2")
    OperatorsNova(make_credentials())
    assert cloud.calls.count(AUTHENTICATE) == 2


def test_a_token_that_expires_soon_is_not_used(cloud: Cloud) -> None:
    cloud.keystone("POST", "/auth/tokens", issued("old", expires_at="2001-01-01T00:00:00Z"), issued("new"))
    OperatorsNova(make_credentials()).get_flavor("42")
    assert tokens(cloud) == ["new"]


# Refusals


def test_a_401_of_nova_authenticates_again_and_repeats_the_request(cloud: Cloud) -> None:
    cloud.keystone("POST", "/auth/tokens", issued("first"), issued("second"))
    cloud.nova("GET", "/flavors/42", REFUSED, THERE)
    nova = OperatorsNova(make_credentials())
    assert nova.get_flavor("42").id == "42"
    nova.get_flavor("42")
    assert tokens(cloud) == ["first", "second", "second"]
    assert cloud.calls.count(AUTHENTICATE) == 2


@pytest.mark.parametrize("renewed_between", [True, False])
def test_a_token_that_is_refused_in_two_threads_is_renewed_once(cloud: Cloud, renewed_between: bool) -> None:
    """The other thread hears of its 401 after the first has got the new token, or before."""
    cloud.keystone("POST", "/auth/tokens", issued("first"), issued("second"), issued("third"))
    plugin, session = session_of(make_credentials())

    def token() -> str:
        return str((plugin.get_headers(session) or {})["X-Auth-Token"])

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        assert [thread.submit(token).result() for thread in (one, other)] == ["first", "first"]
        assert one.submit(plugin.invalidate).result()
        if renewed_between:
            assert one.submit(token).result() == "second"
        assert other.submit(plugin.invalidate).result()
        assert [thread.submit(token).result() for thread in (one, other)] == ["second", "second"]
    assert cloud.calls == [AUTHENTICATE] * 2


def test_a_second_401_is_about_our_credentials(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", REFUSED)
    nova = OperatorsNova(make_credentials())
    with pytest.raises(CredentialsRefused) as caught:
        nova.get_flavor("42")
    assert_fit_for_strangers(caught.value)
    assert (caught.value.status_code, caught.value.retryable) == (502, False)
    assert (cloud.calls.count(GET), cloud.calls.count(AUTHENTICATE)) == (2, 2)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("call", "change"),
    [
        ("DELETE /flavors/42", lambda nova: nova.delete_flavor("42")),
        ("POST /flavors", lambda nova: nova.create_flavor(make_nova_flavor())),
    ],
    ids=["delete", "create"],
)
def test_what_our_credentials_may_not_do_is_no_fault_of_the_callers(
    cloud: Cloud, call: str, change: Callable[[OperatorsNova], object], status: int
) -> None:
    """And it is clear: there is nothing to read back, where the very flavor may have been before."""
    method, path = call.split()
    cloud.nova(method, path, {"status_code": status, "json": {"forbidden": {"message": "Policy"}}})
    nova = OperatorsNova(make_credentials())
    with pytest.raises(CredentialsRefused) as caught:
        change(nova)
    assert_fit_for_strangers(caught.value)
    assert caught.value.status_code == 502
    assert [made for made in cloud.calls if "/flavors" in made] == [call] * (2 if status == 401 else 1)


FAILURES: list[tuple[dict[str, Any], type[CloudError], str]] = [
    (REFUSED, CredentialsRefused, "its Keystone refuses the credentials stored for it."),
    ({**REFUSED, "status_code": 403}, CredentialsRefused, "its Keystone refuses the credentials stored for it."),
    *(
        ({**REFUSED, "status_code": status}, CloudUnavailable, "its Keystone did not answer as OpenStack does.")
        for status in (400, 404, 409)
    ),
    ({**REFUSED, "status_code": 503}, CloudUnavailable, "its Keystone answered 503."),
    (MOVED, CloudUnavailable, "its Keystone did not answer as OpenStack does."),
    ({"text": "<html>"}, CloudUnavailable, "its Keystone did not answer as OpenStack does."),
    ({"json": {"token": {}}}, CloudUnavailable, "its Keystone did not answer as OpenStack does."),
    ({"exc": requests.exceptions.ConnectTimeout}, CloudUnavailable, "its Keystone did not take a connection in time."),
    ({"exc": requests.exceptions.ConnectionError}, CloudUnavailable, "its Keystone could not be reached."),
]


@pytest.mark.parametrize(("answer", "kind", "message"), FAILURES)
@pytest.mark.parametrize("nova_url", ["", NOVA])
def test_whatever_keystone_does_is_502(
    cloud: Cloud, answer: dict[str, Any], kind: type[CloudError], message: str, nova_url: str
) -> None:
    cloud.keystone("POST", "/auth/tokens", answer)
    with pytest.raises(CloudUnavailable) as caught:
        OperatorsNova(make_credentials(nova_url=nova_url)).get_flavor("42")
    assert_fit_for_strangers(caught.value)
    assert (type(caught.value) is kind or kind is CloudUnavailable, caught.value.status_code) == (True, 502)
    assert str(caught.value.detail) == f"Spain2: {message}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
@pytest.mark.parametrize(
    "call",
    [
        lambda nova: nova.delete_flavor("42"),
        lambda nova: nova.find_flavor("42"),
        lambda nova: nova.create_flavor(make_nova_flavor()),
    ],
    ids=["delete", "find", "create"],
)
def test_keystones_word_in_the_middle_of_a_call_is_never_about_the_flavor(
    cloud: Cloud, status: int, call: Callable[[OperatorsNova], object]
) -> None:
    """Nova says once that the token has expired, and Keystone then something that is like Nova's own refusals."""
    cloud.keystone("POST", "/auth/tokens", issued(), {"status_code": status, "json": {"error": {"message": "no"}}})
    for method, path in (("DELETE", "/flavors/42"), ("GET", "/flavors/42"), ("POST", "/flavors")):
        cloud.nova(method, path, REFUSED)
    nova = OperatorsNova(make_credentials())
    with pytest.raises(CloudUnavailable) as caught:
        call(nova)
    assert not isinstance(caught.value, FlavorNotFound | FlavorConflict)
    assert str(caught.value.detail).startswith("Spain2: its Keystone ")


def test_a_refusal_is_not_for_ever(cloud: Cloud) -> None:
    cloud.keystone("POST", "/auth/tokens", REFUSED, issued())
    with pytest.raises(CredentialsRefused):
        OperatorsNova(make_credentials())
    assert OperatorsNova(make_credentials()).get_flavor("42").id == "42"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(cloud: Cloud, status: int) -> None:
    cloud.http.register_uri("GET", f"{ELSEWHERE}/", **THERE)
    cloud.http.register_uri("POST", f"{ELSEWHERE}/", **issued())
    nova = OperatorsNova(make_credentials())
    cloud.nova("GET", "/flavors/42", {**MOVED, "status_code": status})
    with pytest.raises(CloudUnavailable):
        nova.get_flavor("42")
    cloud.keystone("POST", "/auth/tokens", {**MOVED, "status_code": status})
    with pytest.raises(CloudUnavailable):
        OperatorsNova(make_credentials(password="another"))
    assert not [request.url for request in cloud.http.request_history if request.url.startswith(ELSEWHERE)]


# Where Nova is


@pytest.mark.parametrize(
    ("nova_url", "asked"),
    [
        ("https://other.example.org:8774", "https://other.example.org:8774/v2.1"),
        ("https://other.example.org:8774/", "https://other.example.org:8774/v2.1"),
        ("https://other.example.org/compute", "https://other.example.org/compute/v2.1"),
        ("https://other.example.org/v2.1", "https://other.example.org/v2.1"),
        ("https://other.example.org/v2.1/", "https://other.example.org/v2.1"),
        ("https://other.example.org/compute/v2.1//", "https://other.example.org/compute/v2.1"),
        ("https://other.example.org/v2", "https://other.example.org/v2"),
        ("https://other.example.org/v2.1/0123abcd", "https://other.example.org/v2.1/0123abcd"),
        ("https://other.example.org/v20", "https://other.example.org/v20/v2.1"),
    ],
)
def test_the_record_may_say_where(cloud: Cloud, nova_url: str, asked: str) -> None:
    cloud.version("2.96", endpoint=asked.removesuffix("/0123abcd"))
    cloud.http.get(f"{asked}/flavors/42", **THERE)
    OperatorsNova(make_credentials(nova_url=nova_url)).get_flavor("42")
    assert cloud.http.request_history[-1].url == f"{asked}/flavors/42"


OTHER = "https://other.example.org/v2.1"


@pytest.mark.parametrize(
    ("name", "region_name", "endpoints", "asked"),
    [
        ("Spain2", "Spain2", {"Spain2": NOVA, "Other": OTHER}, NOVA),
        ("Spain2", "Other", {"Spain2": NOVA, "Other": OTHER}, OTHER),
        ("Spain2", "Spain2", {"RegionOne": OTHER}, OTHER),
        ("Spain2", "RegionOne", {"RegionOne": OTHER}, OTHER),
        ("Spain2", "Spain2", {}, None),
        ("Spain2", "Spain2", {"RegionOne": NOVA, "RegionTwo": OTHER}, None),
        ("Spain2", "spain2", {"Spain2": NOVA, "Other": OTHER}, None),
        ("Spain2", "RegionTwo", {"RegionOne": OTHER}, None),
    ],
    ids=[
        "its name", "its region", "the only one", "its region and the only one",
        "none", "two others", "another case", "the only one is not the one that it names",
    ],
)  # fmt: skip
def test_the_catalogue_says_where(
    cloud: Cloud, name: str, region_name: str, endpoints: dict[str, str], asked: str | None
) -> None:
    cloud.version("2.96", endpoint=OTHER)
    cloud.keystone("POST", "/auth/tokens", issued(endpoints=endpoints))
    credentials = make_credentials(make_region(name=name, region_name=region_name))
    if asked:
        OperatorsNova(credentials)
        assert cloud.http.request_history[-1].url == f"{asked}/"
        return
    with pytest.raises(CloudUnavailable) as caught:
        OperatorsNova(credentials)
    assert_fit_for_strangers(caught.value)
    assert str(caught.value.detail) == "Spain2: the Keystone catalogue has no compute endpoint for the region."


CENTRAL = "https://central.example.org/v3"
BY_CREDENTIALS = "our credentials"
BY_TOKEN = "a caller's token"


@pytest.mark.parametrize("by", [BY_CREDENTIALS, BY_TOKEN])
@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("file:///etc/passwd", "must be an http or https URL"),
        ("gopher://internal.example.net:70/", "must be an http or https URL"),
        ("http://user:word@nova.example.org/v2.1", "must hold no user name, query or fragment"),
        ("http://169.254.169.254/v2.1", "names a host that INFRASTRUCTURE_URL_ALLOWLIST does not allow"),
        (OTHER, None),
    ],
)
@pytest.mark.parametrize("central", ["", CENTRAL])
def test_a_keystone_sends_us_only_where_a_cloud_may_be(
    cloud: Cloud, settings: Settings, endpoint: str, message: str | None, by: str, central: str
) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = [".example.org"]
    cloud.http.get(requests_mock.ANY, status_code=404, json={"error": {}})
    cloud.keystone("POST", "/auth/tokens", issued(endpoints={"Spain2": endpoint}))
    cloud.keystone("GET", "/auth/tokens", {"json": token_document(endpoints={"Spain2": endpoint})})
    region = make_region(central_keystone_url=central)
    with pytest.raises(CloudUnavailable) as caught:
        OperatorsNova(make_credentials(region)) if by == BY_CREDENTIALS else CallersNova(region, TOKEN)
    reached = [request.url for request in cloud.http.request_history if "/auth/tokens" not in request.url]
    if message:
        assert str(caught.value.detail) == f"Spain2: the compute endpoint in the Keystone catalogue {message}."
        assert reached == []
    else:
        assert reached == [f"{endpoint}/"]


def test_the_central_keystone_is_believed(cloud: Cloud, settings: Settings) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = ["mordor.example.org"]
    region = make_region(central_keystone_url=KEYSTONE)
    assert CallersNova(region, TOKEN).get_flavor("42").id == "42"
    assert OperatorsNova(make_credentials(region)).get_flavor("42").id == "42"


# Callers' tokens


def mordor(**overrides: str) -> Any:
    return make_region(**{"central_keystone_url": CENTRAL} | overrides)


def asked(cloud: Cloud) -> list[str]:
    return [request.url for request in cloud.http.request_history]


def test_a_token_of_the_central_keystone_is_never_shown_to_another(cloud: Cloud) -> None:
    cloud.http.get(f"{CENTRAL}/auth/tokens", json=token_document())
    for _ in range(2):
        with pytest.raises(TokenRefused) as caught:
            CallersNova(mordor(), TOKEN)
        assert_fit_for_strangers(caught.value)
    assert set(asked(cloud)) == {f"{CENTRAL}/auth/tokens"}


@pytest.mark.parametrize("status", [401, 404])
def test_a_token_that_the_central_keystone_does_not_know_is_the_clouds_own(cloud: Cloud, status: int) -> None:
    cloud.http.get(f"{CENTRAL}/auth/tokens", status_code=status, json={"error": {}})
    assert CallersNova(mordor(), TOKEN).get_flavor("42").id == "42"
    assert asked(cloud)[:2] == [f"{CENTRAL}/auth/tokens", f"{KEYSTONE}/auth/tokens"]
    CallersNova(mordor(), TOKEN)
    assert asked(cloud).count(f"{CENTRAL}/auth/tokens") == 1


@pytest.mark.parametrize(
    "answer",
    [
        *(
            {"status_code": status, "json": {"error": {"message": "?"}}}
            for status in (400, 403, 409, 413, 429, 500, 503)
        ),
        {"status_code": 404, "text": "<html>nothing here</html>"},
        {"exc": requests.exceptions.ConnectionError},
        {"exc": requests.exceptions.ReadTimeout},
        {"text": "<html>"},
        {"json": {}},
        MOVED,
    ],
    ids=str,
)
def test_without_the_central_keystones_word_no_other_sees_the_token(cloud: Cloud, answer: dict[str, Any]) -> None:
    cloud.http.register_uri("GET", f"{CENTRAL}/auth/tokens", **answer)
    with pytest.raises(CloudUnavailable) as caught:
        CallersNova(mordor(), TOKEN)
    assert_fit_for_strangers(caught.value)
    assert caught.value.status_code == 502
    assert set(asked(cloud)) == {f"{CENTRAL}/auth/tokens"}


@pytest.mark.parametrize("central", ["", KEYSTONE, f"{KEYSTONE}/", KEYSTONE.removesuffix("/v3")])
def test_the_central_keystone_itself_is_asked_once(cloud: Cloud, central: str) -> None:
    CallersNova(mordor(central_keystone_url=central), TOKEN)
    assert asked(cloud) == [f"{KEYSTONE}/auth/tokens", f"{NOVA}/"]


# Secrets


def test_the_password_is_in_no_log_of_the_libraries(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when Keystone repeats what it was sent."""
    caplog.set_level(logging.DEBUG)
    for logger in ("keystoneauth", "keystoneauth.identity.v3.base", "keystoneauth.session", "urllib3", "novaclient"):
        caplog.set_level(logging.DEBUG, logger=logger)

    def repeat(request: Any, context: Any) -> str:
        return str(request.text)

    OperatorsNova(make_credentials()).get_flavor("42")
    for status in (201, 400):
        cloud.keystone("POST", "/auth/tokens", {"status_code": status, "text": repeat})
        with pytest.raises(CloudUnavailable):
            OperatorsNova(make_credentials(username=f"another {status}"))
    assert "/flavors/42" in caplog.text
    assert PASSWORD not in caplog.text
    assert "operators-token" not in caplog.text
