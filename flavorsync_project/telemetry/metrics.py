"""Metrics of the requests that we answer, for Prometheus."""

import time
from collections.abc import Callable
from functools import cache

from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

# In seconds: from the time for a list of the catalogue to that for a cloud that times out.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"

REQUESTS = Counter("flavorsync_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("flavorsync_http_request_seconds", "Time to answer.", ["method", "route"], buckets=BUCKETS)


class MetricsMiddleware:
    """Count every request by its method, its route and the status of the answer, and time it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        method, route = request.method if request.method in METHODS else OTHER, route_of(request)
        count_request(method, route, response.status_code, time.perf_counter() - began)
        return response


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request."""
    REQUESTS.labels(method, route, status).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


def route_of(request: HttpRequest) -> str:
    """Return the pattern of the path, as in `/v1/flavors/<id>`: clients could make up any number of paths."""
    match = request.resolver_match
    return _shown(match.route) if match else OTHER


@cache  # there are only as many as routes
def _shown(route: str) -> str:
    return simplify_regex(route).rstrip("/") or "/"
