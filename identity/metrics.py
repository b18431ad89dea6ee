"""What is counted of the identity provider, for Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram
from rest_framework.exceptions import AuthenticationFailed, Throttled

from flavorsync_project.api.errors import ServiceUnavailable
from flavorsync_project.api.metrics import BUCKETS

VALIDATIONS = Counter(
    "flavorsync_idm_validations",
    "Tokens of the IdM by what came of them: remembered and throttled ones were not asked about.",
    ["outcome"],
)
IDM_SECONDS = Histogram("flavorsync_idm_request_seconds", "Time that the IdM took to answer or not.", buckets=BUCKETS)


@contextmanager
def counted() -> Iterator[None]:
    """Count what the IdM says inside: valid, refused or unavailable; or throttled, when it is not asked."""
    outcome = "valid"
    try:
        yield
    except AuthenticationFailed:
        outcome = "refused"
        raise
    except ServiceUnavailable:
        outcome = "unavailable"
        raise
    except Throttled:
        outcome = "throttled"
        raise
    finally:
        VALIDATIONS.labels(outcome).inc()
