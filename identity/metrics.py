"""Prometheus metrics of the identity providers."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.errors import ServiceUnavailable
from flavorsync_project.telemetry.metrics import BUCKETS

VALIDATIONS = Counter(
    "flavorsync_idm_validations",
    "Tokens by what an identity provider said of them: remembered and throttled ones were not asked about.",
    ["provider", "outcome"],
)
IDM_SECONDS = Histogram(
    "flavorsync_idm_request_seconds",
    "Time that an identity provider took to answer or not.",
    ["provider"],
    buckets=BUCKETS,
)
for _provider in ("keyrock", "keystone"):
    IDM_SECONDS.labels(_provider)  # start at 0: Prometheus computes no rate for a series that begins at 1


@contextmanager
def counted(provider: str) -> Iterator[None]:
    """Count the outcome of the block's request to a provider: valid, refused or unavailable."""
    outcome = "valid"
    try:
        yield
    except AuthenticationFailed:
        outcome = "refused"
        raise
    except ServiceUnavailable:
        outcome = "unavailable"
        raise
    finally:
        VALIDATIONS.labels(provider, outcome).inc()
