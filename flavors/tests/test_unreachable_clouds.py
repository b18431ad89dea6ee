"""A cloud that does not answer empties no list: it is left out, and named."""

import logging
from urllib.parse import unquote

import pytest

from identity.models import User
from infrastructures.models import Infrastructure
from testing.cloud import Federation, flavor_document
from testing.federation import FLAVORS, REGISTER, by_account, refusal
from testing.flavors import make_flavor
from testing.infrastructures import make_registered
from testing.wire import Api, Wire

pytestmark = pytest.mark.django_db

HEADER = "X-Flavor-Sync-Unreachable"
ODD = "Ñandú, sur\r\nX: y"


@pytest.fixture
def ada(scripted: Federation, wire: Wire) -> Api:
    """The operator of three clouds, each with its own flavor, beside the catalogue's one."""
    make_flavor(flavorid="pub", name="pub")
    for name, cloud in scripted.clouds.items():
        cloud.flavors = {name: flavor_document(id=name, name=name)}
    api = Api(wire, by_account("ada", REGISTER))
    User.objects.get(username="ada").infrastructures.set(Infrastructure.objects.all())
    return api


def lose(*names: str) -> None:
    """Have these clouds be where nobody answers."""
    Infrastructure.objects.filter(name__in=names).update(keystone_url="https://nobody.example.org/v3")


def ids(api: Api, query: str = "") -> list[str]:
    answer = api.get(FLAVORS + query)
    assert answer.status == 200, answer.message
    return [flavor["id"] for flavor in answer.body["flavors"]]


def test_it_is_left_out_and_named(ada: Api, caplog: pytest.LogCaptureFixture) -> None:
    assert HEADER not in ada.get(FLAVORS).headers
    lose("Rohan")
    assert ids(ada) == ["Mordor", "Spain2", "pub"]
    assert ada.get(FLAVORS).headers[HEADER] == "Rohan"
    assert ids(ada, "?public=false") == ["Mordor", "Spain2"]
    (line, *_) = [record for record in caplog.records if record.name == "flavors.lifecycle.private"]
    assert line.levelno == logging.WARNING
    assert line.getMessage() == "Left out of a list: Rohan: its Keystone could not be reached."


def test_several_are_named_by_commas_whatever_their_names(ada: Api) -> None:
    node = make_registered("odd")
    node.operators.set(User.objects.filter(username="ada"))
    Infrastructure.objects.filter(pk=node.pk).update(name=ODD)
    lose("Mordor", ODD)
    named = ada.get(FLAVORS).headers[HEADER]
    assert named.isascii()
    assert [unquote(name) for name in named.split(", ")] == ["Mordor", ODD]


def test_pages_name_them_too(ada: Api) -> None:
    lose("Rohan")
    answer = ada.get(f"{FLAVORS}?limit=1")
    assert (len(answer.body["flavors"]), answer.headers[HEADER]) == (1, "Rohan")


@pytest.mark.parametrize("query", ["", "?public=false", "?promoted=no"])
def test_502_when_none_answers(ada: Api, query: str) -> None:
    lose("Mordor", "Rohan", "Spain2")
    assert ada.get(FLAVORS + query).result == refusal(502, "Mordor: its Keystone could not be reached.")


def test_502_when_the_only_one_asked_does_not_answer(ada: Api) -> None:
    lose("Rohan")
    assert ada.get(f"{FLAVORS}?node=Rohan").result == refusal(502, "Rohan: its Keystone could not be reached.")
    assert ids(ada, "?node=Mordor") == ["Mordor"]
    assert HEADER not in ada.get(f"{FLAVORS}?node=Mordor").headers


def test_no_cloud_is_asked_for_what_is_public(ada: Api) -> None:
    lose("Mordor", "Rohan", "Spain2")
    answer = ada.get(f"{FLAVORS}?public=true")
    assert (answer.status, HEADER in answer.headers) == (200, False)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_one_flavor_may_be_in_the_cloud_that_does_not_answer(ada: Api, scripted: Federation, method: str) -> None:
    """Nobody knows whether Rohan has another one of this id: neither missing, nor the one in Mordor."""
    lose("Rohan")
    body = {"flavor": {"public": True}} if method == "PUT" else None
    for id in ("Mordor", "missing"):
        answer = ada.send(method, f"{FLAVORS}/{id}", ada.wire.write(body) if body else b"")
        assert answer.result == refusal(502, "Rohan: its Keystone could not be reached.")
    assert list(scripted.clouds["Mordor"].flavors) == ["Mordor"]
    assert ada.get(f"{FLAVORS}/Mordor?node=Mordor").status == 200
