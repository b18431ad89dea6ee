"""Services of the lab that are killed (SIGKILL) and come back: Nova, Keystone, the IdM."""

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import caches
from pytest_django import Settings

from infrastructures.models import Replacement
from infrastructures.openstack.breaker import forget_failures
from lab import Lab
from regions.tests.clouds import Cloud, Tokens
from testing import proxy as faults
from testing.fixtures import BASIC
from testing.flavors import make_infrastructure
from testing.infrastructures import half_way
from testing.proxy import EXTRA_SPECS, FLAVORS, NovaProxy
from testing.wire import Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

URL = "/v1/regions/Spain2/flavors"
CHANGES = {"name": "other", "ram": 77}


@pytest.fixture
def kill(lab: Lab) -> Iterator[Callable[[str], None]]:
    """Kill a service of the lab, which runs again when the test is over."""
    killed = []

    def kill(service: str) -> None:
        killed.append(service)
        lab.kill(service)

    yield kill
    for service in killed:
        lab.start(service)


@pytest.mark.parametrize(
    ("step", "method", "path"),
    [("create", "POST", FLAVORS), pytest.param("specs", "POST", EXTRA_SPECS, marks=pytest.mark.thorough)],
)
def test_nova_killed_in_the_middle_of_an_update(
    admin: Api,
    lab: Lab,
    proxy: NovaProxy,
    spain2: Cloud,
    kill: Callable[[str], None],
    step: str,
    method: str,
    path: str,
) -> None:
    rich = spain2.make_rich_flavor()
    isengard = "/v1/regions/Isengard/flavors"
    proxy.plan(method, path, faults.before(lambda: kill("nova-Spain2"), faults.hanging_up), times=1)

    answer = admin.put(f"{isengard}/{rich['id']}", **CHANGES)
    assert answer.status == 502
    assert answer.message.startswith("Isengard: its Nova could not be reached. It is not known whether this was done: ")
    assert admin.get(isengard).result == (502, {"error": {"message": "Isengard: its Nova could not be reached."}})
    assert Replacement.objects.get().flavorid == rich["id"]

    lab.start("nova-Spain2")
    assert admin.get(isengard).status == 200
    assert not half_way()
    assert spain2.flavor(rich["id"]) in (rich, {**rich, **CHANGES})


def test_nova_down(admin: Api, lab: Lab, kill: Callable[[str], None]) -> None:
    assert admin.get(URL).status == 200
    kill("nova-Spain2")
    down = (502, {"error": {"message": "Spain2: its Nova could not be reached."}})
    assert admin.get(URL).result == down
    assert admin.get(f"{URL}/1").result == down
    assert admin.post(URL, name="new", vcpus=1, ram=1, disk=1).result == down
    assert admin.put(f"{URL}/1", ram=1).result == down
    assert admin.delete(f"{URL}/1").result == down
    assert not Replacement.objects.exists()
    lab.start("nova-Spain2")
    assert {flavor["id"] for flavor in admin.get(URL).body["flavors"]} >= {"1", "5", "spain2-secret"}


def test_a_nova_that_is_down_for_longer_is_left_alone_and_found_again(
    admin: Api, lab: Lab, kill: Callable[[str], None], settings: Settings
) -> None:
    settings.CLOUD_BREAKER_FAILURES, settings.CLOUD_BREAKER_SECONDS = 5, 3600.0
    assert admin.get(URL).status == 200
    kill("nova-Spain2")
    answers = [admin.get(URL) for _ in range(6)]
    assert {answer.status for answer in answers} == {502}
    said = "Spain2: it did not answer 5 times in a row; it will be asked again in 3600 s."
    assert answers[-1].body == {"error": {"message": said}}
    lab.start("nova-Spain2")
    assert admin.get(URL).status == 502
    forget_failures()  # as if the hour were over: nothing else is needed
    assert admin.get(URL).status == 200


def test_keystone_down(admin: Api, lab: Lab, tokens: Tokens, kill: Callable[[str], None]) -> None:
    assert admin.get(URL).status == 200
    kill("keystone")
    # What we know about a token lasts, with Nova, too; another token cannot be validated.
    assert admin.get(URL).status == 200
    unknown = admin.having({"X-Auth-Token-KeyStone": "unheard of"})
    for method in ("GET", "DELETE"):
        answer = unknown.send(method, f"{URL}/1")
        assert answer.result == (502, {"error": {"message": "Spain2: its Keystone could not be reached."}})
    lab.start("keystone")
    assert unknown.get(URL).status == 401
    assert admin.having({"X-Auth-Token-KeyStone": lab.token("spain2-admin")}).get(URL).status == 200


def test_the_idm_down(admin: Api, lab: Lab, kill: Callable[[str], None]) -> None:
    assert admin.get("/v1/regions").status == 200
    kill("idm")
    assert admin.get("/v1/regions").status == 200  # its token is remembered
    caches["default"].clear()
    for path in ("/v1/regions", "/v1/promotedflavors", URL, f"{URL}/1"):
        answer = admin.get(path)
        assert (answer.status, "identity provider" in answer.message) == (503, True)
        assert int(answer.headers["Retry-After"]) > 0
    lab.start("idm")
    assert admin.get("/v1/regions").status == 200


@pytest.mark.usefixtures("_regions")
@pytest.mark.parametrize(
    ("keystone_url", "failure"),
    [
        ("https://127.0.0.1:{port}/v3", "its Keystone shows no TLS certificate that can be trusted."),
        ("http://keystone.invalid:5000/v3", "its Keystone could not be reached."),
        ("http://127.0.0.1:{idm}/v3", "its Keystone did not answer as OpenStack does."),
    ],
    ids=["bad TLS", "unknown host", "not Keystone"],
)
def test_a_keystone_url_that_is_wrong_is_502(
    api: Api, lab: Lab, tokens: Tokens, keystone_url: str, failure: str
) -> None:
    url = keystone_url.format(port=lab.daemons()["keystone"].port, idm=lab.daemons()["idm"].port)
    make_infrastructure("Nowhere", keystone_url=url)
    answer = api.having(BASIC | tokens("mordor-admin")).get("/v1/regions/Nowhere/flavors")
    assert answer.result == (502, {"error": {"message": f"Nowhere: {failure}"}})
