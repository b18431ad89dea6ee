"""Fixtures for the tests of the catalogue and the synchronisation."""

import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest
from pytest_django import Settings

from infrastructures.openstack.keystone import forget_session
from lab import Lab
from testing.accounts import APP_ID, KEYROCK_URL
from testing.cloud import Federation, registered_clouds
from testing.federation import CLOUDS, WIRES, Agree, assert_everything_agrees
from testing.fixtures import _lab_settings, api, lab, lab_without_clouds
from testing.flavors import make_flavor
from testing.infrastructures import make_registered
from testing.proxied import Clouds, proxied_clouds
from testing.synchronising import NODES, Callers, judge, with_accounts, with_tokens
from testing.wire import Api, Json, Wire, Xml

__all__ = [
    "_lab_settings",
    "_own_signals",
    "agree",
    "api",
    "callers",
    "clouds",
    "federation",
    "lab",
    "lab_without_clouds",
    "proxied",
    "scripted",
    "wire",
]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each of the two formats in turn."""
    return WIRES[request.param]


@pytest.fixture
def clouds(lab: Lab) -> Iterator[Lab]:
    """The lab, for tests that change its clouds' flavors: the clouds get their seed back afterwards."""
    for node in CLOUDS:
        forget_session(node)
    yield lab
    lab.reset()


@pytest.fixture
def agree(clouds: Lab) -> Agree:
    """Compare the catalogue with what the lab's Novas have: see `assert_everything_agrees`."""
    return partial(assert_everything_agrees, clouds)


@pytest.fixture
def proxied(lab: Lab, _lab_settings: None, transactional_db: None) -> Iterator[Clouds]:
    """The lab's clouds behind proxies, registered where other processes see them, too."""
    with proxied_clouds(lab) as clouds:
        yield clouds


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Two registered clouds without flavors, and a promoted flavor."""
    make_flavor(flavorid="tiny")
    with registered_clouds("Mordor", "Spain2") as federation:
        yield federation


@pytest.fixture
def scripted(db: None, settings: Settings) -> Iterator[Federation]:
    """Three registered clouds without flavors, and an IdM."""
    settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = KEYROCK_URL, [APP_ID]
    settings.KEYSTONE_URL = ""
    with Federation() as federation:
        federation.http.get(f"{KEYROCK_URL}/user", text=judge)
        for name in NODES:
            federation.add(name)
            make_registered(name)
        yield federation


@pytest.fixture
def _own_signals() -> Iterator[None]:
    """Restore this process's signal handlers, which a worker in it changes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


_GATHER: Mapping[str, Callable[[Api], Callers]] = {Json.media_type: with_tokens, Xml.media_type: with_accounts}


@pytest.fixture
def callers(scripted: Federation, wire: Wire) -> Callers:
    """Users of the IdM with JSON, and local accounts with XML: format and kind of caller are independent."""
    return _GATHER[wire.media_type](Api(wire, {}))
