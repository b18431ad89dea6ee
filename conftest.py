"""What holds for every test: it starts from empty caches, so that their order does not matter."""

from collections.abc import Iterator

import pytest
from django.core.cache import caches


@pytest.fixture(autouse=True)
def _empty_caches() -> Iterator[None]:
    """Forget what an earlier test made the caches remember."""
    for cache in caches.all(initialized_only=True):
        cache.clear()
    yield
    for cache in caches.all(initialized_only=True):
        cache.clear()
