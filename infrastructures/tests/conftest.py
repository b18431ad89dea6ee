"""A cloud that answers as the test says."""

from collections.abc import Iterator

import pytest

from testing.cloud import Cloud


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A Keystone and a Nova over HTTP, without any socket."""
    with Cloud() as cloud:
        yield cloud
