"""The fixtures of the tests that start the whole service."""

import pytest

from deploy.tests.stack import missing
from lab import Lab
from testing.lab import lab_of_the_tests


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of the tests, up, with the flavors of its seed."""
    if lacking := missing():
        pytest.skip(f"this machine lacks {lacking}")
    lab = lab_of_the_tests()
    lab.up()
    lab.reset()
    return lab
