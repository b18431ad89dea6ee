"""The fixtures of the tests that start the whole service."""

import os

import pytest

from deploy.tests.stack import missing
from lab import Lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of the tests, up, with the flavors of its seed."""
    if lacking := missing():
        pytest.skip(f"this machine lacks {lacking}")
    lab = Lab(os.environ.get("FLAVORSYNC_LAB", "test"))
    lab.up()
    lab.reset()
    return lab
