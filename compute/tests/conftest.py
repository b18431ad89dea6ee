"""Fixtures of the tests of the OpenStack face."""

import pytest

from compute.tests.client import Nova, a_manager, a_user


@pytest.fixture
def admin(db: None) -> Nova:
    """A client of somebody who may promote flavors."""
    return a_manager()


@pytest.fixture
def user(db: None) -> Nova:
    """A client of somebody who may read."""
    return a_user()
