"""Answer with the coverage map whenever told to, and then send its queries alone: for each line of input, the seconds.

`python -m benchmarks.run_map`, over a catalogue of the benchmarks' own.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import cycle
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection  # noqa: E402
from django.urls import reverse  # noqa: E402

from flavors.models import Flavor, Sighting  # noqa: E402
from identity.models import User  # noqa: E402
from infrastructures.models import Infrastructure  # noqa: E402
from synchronisation.models import SyncNode, SyncOutcome, SyncRun  # noqa: E402

State, Action = SyncOutcome.State, SyncOutcome.Action
# What a node has of its flavors: most are as they should be, and in each node others are not.
FOUND = [(State.IN_SYNC, Action.NOTHING)] * 9 + [(State.MISSING, Action.CREATE), (State.DIFFERENT, Action.CANNOT)]
DIFFERENCES = [{"member": "ram", "node": 4096, "catalogue": 1024}, {"member": "disk", "node": 40, "catalogue": 20}]

Query = tuple[str, Any]


def compare_all() -> None:
    """Write down a comparison of all flavors in all nodes, as a run does."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    run = SyncRun.objects.create(state=SyncRun.State.DRIFT, finished_at=moment)
    found = cycle(FOUND)
    for infrastructure in Infrastructure.objects.all():
        node = SyncNode.objects.create(
            run=run,
            infrastructure=infrastructure,
            name=infrastructure.name,
            state=SyncNode.State.DONE,
            compared_at=moment,
            finished_at=moment,
        )
        pairs = list(zip(Flavor.objects.all(), found, strict=False))
        SyncOutcome.objects.bulk_create(
            SyncOutcome(
                node=node,
                flavorid=flavor.flavorid,
                name=flavor.name,
                state=state,
                action=action,
                differences=DIFFERENCES if state == State.DIFFERENT else [],
            )
            for flavor, (state, action) in pairs
        )
        Sighting.objects.bulk_create(
            Sighting(
                flavor=flavor,
                infrastructure=infrastructure,
                state=state,
                differences=DIFFERENCES if state == State.DIFFERENT else [],
                digest=flavor.digest,
                flavorid=flavor.flavorid,
                since=moment,
                seen_at=moment,
            )
            for flavor, (state, _) in pairs
        )


def page() -> Callable[[], bytes]:
    """Return what has the service, middlewares and all, answer an administrator who is signed in with the map."""
    application = get_wsgi_application()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": reverse("admin:flavors_flavor_coverage"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "localhost",
        "HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}={_session()}",
    }

    def answer() -> bytes:
        body = application({**environ, "wsgi.input": BytesIO()}, lambda *_: bytes)
        content = b"".join(body)
        body.close()
        return content

    return answer


def _session() -> str:
    account = User.objects.get()
    session = SessionStore()
    session[SESSION_KEY] = str(account.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = account.get_session_auth_hash()
    session.save()
    return str(session.session_key)


@contextmanager
def recorded() -> Iterator[list[Query]]:
    """Give the queries that are sent meanwhile."""
    queries: list[Query] = []

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield queries


def send(queries: list[Query]) -> None:
    """Send the queries, and have the database's driver read all their rows."""
    for sql, params in queries:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            cursor.fetchall()


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Run until there is no more input."""
    compare_all()
    answer = page()
    answer()  # to be warm
    with recorded() as queries:
        cells = answer().count(b"<td")
    for _ in sys.stdin:
        print(seconds(answer), seconds(lambda: send(queries)), cells, flush=True)


if __name__ == "__main__":
    main()
