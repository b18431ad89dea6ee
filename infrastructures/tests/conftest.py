"""A cloud that answers as the test says, and locks that no other test run knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from infrastructures.tests.cloud import Cloud


@pytest.fixture(autouse=True)
def _own_locks(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A Keystone and a Nova over HTTP, without any socket."""
    with Cloud() as cloud:
        yield cloud
