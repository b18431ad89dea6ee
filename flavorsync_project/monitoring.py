"""What monitoring asks: whether the process is alive, whether it can serve, and its metrics.

We use our own checks and not django-health-check, which answers 500 with the errors' own words, does not check
migrations, and comes with feeds, pages and a name resolver.
"""

import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from flavorsync_project.models import Heartbeat
from flavorsync_project.telemetry.figures import FOLDER, forget_the_dead
from synchronisation.metrics import StateCollector

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Answer 200: the process does answer. Looks at nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 if requests can be served, else 503 with what fails; only the log says why.

    No cloud and no IdM is asked: without one of them there is still work to do.

    Cost: four queries, one of which writes, and the cache.
    """
    failed = [name for name, check in CHECKS.items() if not _passes(name, check)]
    if failed:
        return JsonResponse({"status": "failed", "failed": failed}, status=503)
    return JsonResponse({"status": "ok"})


def _passes(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:
        # Whatever a driver raises: the caller learns that it failed, and the log says why.
        logger.exception("Not ready: %s", name)
        return False


def _database_answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone())


def _database_takes_writes() -> bool:
    """Write a row: a database or disk that is read-only or full still answers queries."""
    now = timezone.now()
    if not Heartbeat.objects.update(written_at=now):
        Heartbeat.objects.bulk_create([Heartbeat(written_at=now)], ignore_conflicts=True)
    return True


def _migrations_are_applied() -> bool:
    unapplied = _last_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    if unapplied:
        logger.error("Not ready: migrations are not applied, such as %s", ".".join(sorted(unapplied)[0]))
    return not unapplied


@cache
def _last_migrations() -> frozenset[tuple[str, str]]:
    """Return the last migration of each app in this code."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def _cache_remembers() -> bool:
    cache = caches["default"]
    cache.set("ready", True, timeout=10)
    return cache.get("ready") is True


CHECKS = {
    "database": _database_answers,
    "migrations": _migrations_are_applied,
    "writing": _database_takes_writes,
    "cache": _cache_remembers,
}


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer the metrics of all this machine's processes, and the database's, to whoever has METRICS_TOKEN.

    Without that setting there is nothing at this path. The caller's address does not count: behind a
    proxy everybody has the same one.

    Cost: some eight queries.

    Raises:
        Http404: METRICS_TOKEN is not set.
    """
    if not settings.METRICS_TOKEN:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        challenge = {"WWW-Authenticate": 'Bearer realm="Flavor Sync metrics"'}
        return HttpResponse("The token is not METRICS_TOKEN.\n", "text/plain", 401, headers=challenge)
    registry = CollectorRegistry()
    if folder := os.environ.get(FOLDER):
        forget_the_dead(Path(folder))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(StateCollector())
    return HttpResponse(generate_latest(registry), CONTENT_TYPE_LATEST)
