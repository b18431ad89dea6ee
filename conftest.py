"""What holds for every test: nothing of an earlier one is remembered, so that their order does not matter."""

import gc
import os

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import caches

from infrastructures.openstack.breaker import forget_failures

# How long an example takes says nothing on a busy machine. In CI the examples are the same each time.
hypothesis.settings.register_profile(
    "flavorsync",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("flavorsync")

pytest_plugins = ["testing.tiers", "testing.workers", "testing.roles"]


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is loaded for good, through which it would look again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _locks_of_this_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep locks, which go by names such as that of a node, where no other worker has any."""
    settings.DATA_FOLDER = tmp_path_factory.mktemp("base")


@pytest.fixture(autouse=True)
def _empty_caches() -> None:
    """Forget what an earlier test made the caches remember, and that it had a cloud that was dead."""
    forget_failures()
    # Those, too, that nobody has opened since a test with other CACHES: their memory is still there.
    for cache in caches.all():
        cache.clear()
