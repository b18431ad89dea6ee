"""Fixtures of the catalogue's tests."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pytest_django import Settings

from flavors.tests.federation import CLOUDS, WIRES, Agree, assert_everything_agrees
from flavors.tests.fixtures import _lab_settings, api, lab
from flavors.tests.proxied import Clouds, proxied_clouds
from flavors.tests.wire import Wire
from infrastructures.openstack.keystone import forget_session
from lab import Lab

__all__ = ["_lab_settings", "api", "lab"]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each of the two formats in turn."""
    return WIRES[request.param]


@pytest.fixture
def clouds(lab: Lab, settings: Settings, tmp_path: Path) -> Iterator[Lab]:
    """The lab, for tests that change what its clouds have: they have their seed again afterwards."""
    settings.BASE_DIR = tmp_path  # locks that no other run of the tests knows
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
    """The lab's clouds behind proxies, registered where other processes see them."""
    with proxied_clouds(lab) as clouds:
        yield clouds
