"""For each line of input, answer with a page of the staff, and print the seconds and the number of its cells.

`python -m benchmarks.run_page ROUTE`, over a catalogue of the benchmarks' own.
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import cycle

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from flavors.models import Flavor, Sighting  # noqa: E402
from identity.models import User  # noqa: E402
from infrastructures.models import Infrastructure  # noqa: E402
from synchronisation.models import LastComparison, NodeDay  # noqa: E402

State = Sighting.State
# How many days the overview's chart shows
DAYS = 30
# The states of a node's flavors: most are in sync, and in each node others are not.
FOUND = [State.IN_SYNC] * 9 + [State.MISSING, State.DIFFERENT]
DIFFERENCES = [{"member": "ram", "node": 4096, "catalogue": 1024}, {"member": "disk", "node": 40, "catalogue": 20}]


def compare_all() -> None:
    """Record a comparison of all flavors in all nodes, as a run does, unless that was done before."""
    if Sighting.objects.exists():
        return
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    found, flavors = cycle(FOUND), [(flavor, flavor.digest) for flavor in Flavor.objects.all()]
    now = timezone.now()
    days = [now.date() - timedelta(days=number) for number in range(DAYS)]
    for infrastructure in Infrastructure.objects.all():
        NodeDay.objects.bulk_create(
            NodeDay(infrastructure=infrastructure, day=day, flavors=len(flavors), looks=144, noted_at=now)
            for day in days
        )
        LastComparison.objects.create(infrastructure=infrastructure, whole_at=moment)
        Sighting.objects.bulk_create(
            Sighting(
                flavor=flavor,
                infrastructure=infrastructure,
                state=state,
                differences=DIFFERENCES if state == State.DIFFERENT else [],
                digest=digest,
                flavorid=flavor.flavorid,
                since=moment,
                seen_at=moment,
            )
            for (flavor, digest), state in zip(flavors, found, strict=False)
        )


def page(route: str) -> Callable[[], bytes]:
    """Return a function that makes the service, middlewares and all, answer a signed-in administrator with a page."""
    application = get_wsgi_application()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": reverse(route),
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


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Run until there is no more input."""
    compare_all()
    answer = page(sys.argv[1])
    answer()  # to be warm
    cells = answer().count(b"<td")
    for _ in sys.stdin:
        print(seconds(answer), cells, flush=True)


if __name__ == "__main__":
    main()
