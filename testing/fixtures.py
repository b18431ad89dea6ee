"""The fixtures of tests that speak to the lab, for the conftest of any app that has some."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from lab import Lab, LabError, seed
from testing.lab import lab_of_the_tests
from testing.only_idm import only_idm
from testing.wire import WIRES, Api, Wire

BASIC = {"X-Auth-Token": seed.idm_token("basic")}
MANAGER = {"X-Auth-Token": seed.idm_token("manager")}
OWNER = {"X-Auth-Token": seed.idm_token("owner-spain2")}


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of the tests, up, with the flavors of its seed."""
    lab = lab_of_the_tests()
    lab.up()
    lab.reset()
    return lab


@pytest.fixture(scope="session")
def lab_without_clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab's IdM, and nobody where its clouds would be: for modules to have as their `lab`."""
    with only_idm(tmp_path_factory.mktemp("idm")) as lab:
        yield lab


@pytest.fixture
def _lab_settings(lab: Lab, settings: Settings) -> None:
    """The settings that go with the lab, as `scripts/lab env` prints them."""
    settings.KEYROCK_URL = lab.idm_url
    settings.KEYROCK_APP_IDS = [seed.IDM_APPLICATION]
    settings.KEYSTONE_URL = lab.keystone_url


def openid_url(lab: Lab) -> str:
    """Return where the lab's OpenID provider is; without one, skip the test."""
    try:
        return lab.openid_url
    except LabError as error:
        pytest.skip(f"there is no OpenID provider, which takes Node.js and npm: {error}")


def keystone_alone(settings: Settings) -> None:
    """Have the lab's central Keystone say who is calling, and nobody else."""
    settings.KEYROCK_URL = ""
    settings.KEYSTONE_IDENTITY = True
    settings.KEYSTONE_MANAGERS = [seed.KEYSTONE_MANAGERS]
    settings.KEYSTONE_OPERATORS = [seed.KEYSTONE_OPERATORS]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each of the two formats in turn."""
    return WIRES[request.param]


@pytest.fixture
def api(wire: Wire, _lab_settings: None) -> Api:
    """The API in each format, before the lab, for a caller without credentials."""
    return Api(wire, {})
