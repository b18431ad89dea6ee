"""A dead cloud is left alone for a while; then one request tries it again."""

import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import requests
from django.db.models.signals import post_save
from pytest_django import Settings

from infrastructures.clouds import in_each_cloud, open_nova
from infrastructures.models import Replacement
from infrastructures.openstack import breaker
from infrastructures.openstack.breaker import forget_failures, guarded
from infrastructures.openstack.errors import CloudError, CloudNotAsked, CloudUnavailable
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.sessions import open_session
from infrastructures.openstack.translation import translated
from infrastructures.replacements.replacing import replace_flavor, settle_replacements
from testing.cloud import NOVA, Cloud, Federation, assert_fit_for_strangers, flavor_document
from testing.infrastructures import a_registered, let_the_doubt_end, make_registered

LIST = "/flavors/detail"
DEAD: list[Mapping[str, Any]] = [
    {"exc": requests.exceptions.ConnectionError},
    {"exc": requests.exceptions.ConnectTimeout},
    {"exc": requests.exceptions.ReadTimeout},
]
ALIVE: list[Mapping[str, Any]] = [
    {"exc": requests.exceptions.SSLError},
    *({"status_code": status, "json": {}} for status in (400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504)),
    {"text": "<html>"},
]
WELL: Mapping[str, Any] = {"json": {"flavors": []}}


@pytest.fixture(autouse=True)
def _three(settings: Settings) -> None:
    """After three failures it is left alone for longer than any test takes."""
    settings.CLOUD_BREAKER_FAILURES = 3
    settings.CLOUD_BREAKER_SECONDS = 3600.0


@pytest.fixture
def nova(cloud: Cloud) -> Nova:
    """The connector to the cloud."""
    return cloud.open()


def outcomes(nova: Nova, count: int) -> list[type[CloudError] | None]:
    """Return how each of *count* calls failed, if it did."""
    return [outcome(nova) for _ in range(count)]


def outcome(nova: Nova) -> type[CloudError] | None:
    """Return how one call fails, if it does; it is tried once, where `list_flavors` would try again."""
    try:
        nova._get_once(LIST, dict)
    except CloudError as error:
        return type(error)
    return None


@pytest.mark.parametrize("answer", DEAD, ids=lambda answer: answer["exc"].__name__)
def test_after_so_many_failures_it_is_not_asked(cloud: Cloud, nova: Nova, answer: Mapping[str, Any]) -> None:
    cloud.nova("GET", LIST, answer)
    results = outcomes(nova, 5)
    assert CloudNotAsked not in results[:3]
    assert results[3:] == [CloudNotAsked] * 2
    assert len(cloud.calls) == 3
    with pytest.raises(CloudUnavailable) as caught:
        nova.list_flavors()
    assert_fit_for_strangers(caught.value)
    assert caught.value.status_code == 502
    assert "Spain2: it did not answer 3 times in a row; it will be asked again in 3600 s." in str(caught.value.detail)


@pytest.mark.parametrize("answer", ALIVE, ids=str)
def test_an_answer_is_an_answer(cloud: Cloud, nova: Nova, answer: Mapping[str, Any]) -> None:
    cloud.nova("GET", LIST, answer)
    assert CloudNotAsked not in outcomes(nova, 8)
    assert len(cloud.calls) == 8


def test_only_failures_in_a_row_count(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("GET", LIST, *[*DEAD[:2], WELL] * 3, DEAD[0])
    assert CloudNotAsked not in outcomes(nova, 12)
    assert outcome(nova) is CloudNotAsked


def test_it_is_tried_again_and_found_alive(
    cloud: Cloud, nova: Nova, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CLOUD_BREAKER_SECONDS = 0.0
    cloud.nova("GET", LIST, *[DEAD[0]] * 5, WELL)
    assert CloudNotAsked not in outcomes(nova, 5)
    assert outcomes(nova, 3) == [None] * 3
    said = [record.getMessage() for record in caplog.records if record.name.endswith("breaker")]
    assert said == [
        "Spain2 did not answer 3 times in a row; it will be asked again every 0.0 s",
        "Spain2 answers again",
    ]
    settings.CLOUD_BREAKER_SECONDS = 3600.0
    cloud.nova("GET", LIST, DEAD[0])
    assert CloudNotAsked not in outcomes(nova, 3)  # counted from the beginning
    assert outcome(nova) is CloudNotAsked


def fail(url: str = NOVA, cloud: str = "Spain2") -> None:
    with pytest.raises(requests.exceptions.ConnectionError), guarded(cloud, url):
        raise requests.exceptions.ConnectionError


def test_one_at_a_time_tries_it_again(settings: Settings) -> None:
    settings.CLOUD_BREAKER_SECONDS = 0.0
    for _ in range(3):
        fail()
    with guarded("Spain2", NOVA):
        for _ in range(2):
            with pytest.raises(CloudNotAsked, match="asked again right now"), guarded("Spain2", NOVA):
                pass
    with guarded("Spain2", NOVA), guarded("Spain2", NOVA):
        pass


@pytest.mark.parametrize("raised", [requests.exceptions.SSLError, CloudNotAsked("Spain2", "busy"), ZeroDivisionError])
def test_a_try_that_says_nothing_lets_the_next_one_try(settings: Settings, raised: Any) -> None:
    settings.CLOUD_BREAKER_SECONDS = 0.0
    for _ in range(3):
        fail()
    for _ in range(2):
        with pytest.raises(Exception) as caught, guarded("Spain2", NOVA):  # noqa: PT011 — of each kind
            raise raised
        assert not isinstance(caught.value, CloudNotAsked) or caught.value is raised


def test_a_try_that_fails_has_it_left_alone_again(settings: Settings) -> None:
    settings.CLOUD_BREAKER_SECONDS = 0.0
    for _ in range(3):
        fail()
    settings.CLOUD_BREAKER_SECONDS = 3600.0
    fail()
    with pytest.raises(CloudNotAsked), guarded("Spain2", NOVA):
        pass


def test_what_is_known_is_of_one_host_of_one_cloud() -> None:
    """The Keystone beside it, and another one's cloud at the same address, are asked as ever."""
    for _ in range(3):
        fail()
        with guarded("Spain2", "https://keystone.example.org/v3"), guarded("Mordor", NOVA):
            pass
    with pytest.raises(CloudNotAsked), guarded("Spain2", f"{NOVA}/flavors"):
        pass


def test_hosts_without_end_are_not_all_remembered(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """But those that are dead are."""
    monkeypatch.setattr(breaker, "MOST_HOSTS", 10)
    for _ in range(3):
        fail()
    for number in range(50):
        fail(f"https://{number}.example.org/")
    assert len(breaker._breakers) <= 10
    with pytest.raises(CloudNotAsked), guarded("Spain2", NOVA):
        pass


def test_nothing_is_taken_for_dead_where_the_setting_is_0(settings: Settings) -> None:
    settings.CLOUD_BREAKER_FAILURES = 0
    for _ in range(20):
        fail()


def test_a_port_where_nobody_listens_is_found_dead() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    for kind in (CloudUnavailable, CloudUnavailable, CloudUnavailable, CloudNotAsked):
        with pytest.raises(kind), translated("Mordor", "Nova"):
            open_session("Mordor").get(url, authenticated=False)


# In company


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Two clouds, each with a flavor."""
    with Federation() as federation:
        for name in ("Mordor", "Spain2"):
            federation.add(name, flavor_document(**{"os-flavor-access:is_public": True}))
        yield federation


def dies() -> Callable[[str], None]:
    """Have the Nova break every connection from now on."""

    def hang_up(call: str) -> None:
        raise requests.exceptions.ConnectionError

    return hang_up


def test_the_others_are_worked_in_as_ever(federation: Federation) -> None:
    infrastructures = [a_registered(name) for name in federation.clouds]
    federation.clouds["Mordor"].before_call = dies()
    errors = []
    for _ in range(4):
        mordor, spain2 = in_each_cloud(infrastructures, lambda nova: [flavor.id for flavor in nova.list_flavors()])
        errors.append(mordor.error)
        assert spain2.result == ["42"]
    assert isinstance(errors[-1], CloudNotAsked)
    assert len(federation.clouds["Mordor"].calls) == 3


@pytest.mark.django_db
def test_a_replacement_in_a_dead_cloud_leaves_nothing_behind(federation: Federation) -> None:
    """A deletion that was not sent has deleted nothing, so there is nothing to settle."""
    mordor, infrastructure = federation.clouds["Mordor"], make_registered("Mordor")
    nova = open_nova(infrastructure)

    def dies_before_the_deletion(**_: Any) -> None:
        mordor.before_call = dies()
        outcomes(nova, 3)

    post_save.connect(dies_before_the_deletion, Replacement)
    try:
        with pytest.raises(CloudNotAsked):
            replace_flavor(
                infrastructure=infrastructure, nova=nova, flavorid="42", changes={"ram": 1}, requested_by="x"
            )
    finally:
        post_save.disconnect(dies_before_the_deletion, Replacement)
    assert mordor.flavors["42"]["ram"] == 4096
    assert not Replacement.objects.exists()


@pytest.mark.django_db
def test_a_replacement_that_is_cut_short_by_death_is_settled_when_it_lives(
    federation: Federation, settings: Settings
) -> None:
    settings.CLOUD_BREAKER_FAILURES = 1
    mordor, infrastructure = federation.clouds["Mordor"], make_registered("Mordor")
    nova, hang_up = open_nova(infrastructure), dies()
    mordor.before_call = lambda call: hang_up(call) if call == "POST /flavors" else None
    with pytest.raises(CloudUnavailable):
        replace_flavor(infrastructure=infrastructure, nova=nova, flavorid="42", changes={"ram": 1}, requested_by="x")
    assert mordor.flavors == {}
    assert settle_replacements(infrastructure=infrastructure, nova=nova) == [Replacement.objects.get()]
    mordor.before_call = lambda call: None
    forget_failures()  # as if the seconds were over
    assert settle_replacements(infrastructure=infrastructure, nova=nova) == []
    assert mordor.flavors["42"]["ram"] == 4096
    assert Replacement.objects.get().is_met
    let_the_doubt_end()
    assert settle_replacements(infrastructure=infrastructure, nova=nova) == []
    assert not Replacement.objects.exists()
