"""The federation in memory, for tests of all of the API together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from flavorsync_project.tests.world import World, set_up
from infrastructures.tests.cloud import Federation


@pytest.fixture
def world(db: None, settings: Settings, tmp_path: Path) -> Iterator[World]:
    """Everybody and everything of `world.py`."""
    settings.BASE_DIR = tmp_path  # locks that no other run of the tests knows
    with Federation() as federation:
        yield set_up(settings, federation)
