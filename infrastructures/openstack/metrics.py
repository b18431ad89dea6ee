"""Metrics of the calls to the clouds, for Prometheus."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from prometheus_client import Counter, Gauge, Histogram, Summary

from infrastructures.openstack.errors import CloudNotAsked

# In seconds: a list takes some hundredths, and nothing takes longer than OPENSTACK_TIMEOUT.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)

CALLS = Counter("flavorsync_upstream_calls", "Calls to the clouds.", ["cloud", "kind", "outcome"])
# No buckets for single clouds, only count and sum: a thousand clouds would make tens of thousands of series.
CALL_SECONDS = Summary("flavorsync_upstream_call_seconds", "Time until a cloud answered or failed.", ["cloud", "kind"])
KIND_SECONDS = Histogram(
    "flavorsync_upstream_kind_seconds", "The same, of all clouds together.", ["kind"], buckets=BUCKETS
)
DEAD_HOSTS = Gauge(
    "flavorsync_cloud_dead_hosts",
    "Hosts of a cloud that are taken for dead and not asked, once for each process that does.",
    ["cloud"],
    multiprocess_mode="livesum",
)

_KINDS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"POST .*/auth/tokens", "keystone_authenticate"),
        (r"GET .*/auth/tokens", "keystone_validate"),
        (r"GET .*/auth/projects", "keystone_projects"),
        (r"GET .*/v3/(projects|domains)(/[^/]+)?", "keystone_projects"),
        (r"GET .*/flavors/detail", "nova_list"),
        (r"POST .*/flavors", "nova_create"),
        (r"GET .*/flavors/[^/]+", "nova_show"),
        (r"PUT .*/flavors/[^/]+", "nova_update"),
        (r"DELETE .*/flavors/[^/]+", "nova_delete"),
        (r"\w+ .*/flavors/[^/]+/os-extra_specs(/.*)?", "nova_extra_specs"),
        (r"\w+ .*/flavors/[^/]+/(os-flavor-access|action)", "nova_access"),
        (r"GET .*/servers(/.*)?", "nova_servers"),
        (r"GET .*/v2(\.\d+)?/?", "nova_version"),
    )
)


def kind_of(method: str, url: str) -> str:
    """Return the kind of a call, the same for every flavor."""
    call = f"{method} {urlsplit(url).path}"
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(call)), "other")


class Call:
    """A call in progress; `status` is set once there is a response."""

    status = 0


@contextmanager
def counted(cloud: str, kind: str) -> Iterator[Call]:
    """Count a call by its outcome."""
    call = Call()
    outcome = "broken"
    try:
        yield call
        outcome = "answered" if call.status < 400 else "refused" if call.status < 500 else "failed"
    except CloudNotAsked:
        outcome = "not_asked"
        raise
    except requests.exceptions.SSLError:
        outcome = "untrusted"
        raise
    except requests.exceptions.Timeout:
        outcome = "timed_out"
        raise
    except requests.exceptions.ConnectionError:
        outcome = "unreachable"
        raise
    finally:
        CALLS.labels(cloud, kind, outcome).inc()
