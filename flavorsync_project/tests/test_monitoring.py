"""What monitoring asks: alive, ready, and the figures; nobody else learns anything."""

import logging
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.db import OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker, Settings

from flavors.models import Flavor, Retirement
from flavorsync_project.api.tests import site
from flavorsync_project.telemetry.metrics import REQUESTS
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.tests.test_coverage import NOON, make_run
from testing.flavors import make_flavor, make_infrastructure, make_installation
from testing.infrastructures import make_replacement

TOKEN = "a-token-for-the-metrics"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client() -> Client:
    """A client that takes a failing view for what it is: a status."""
    return Client(raise_request_exception=False)


# Health


def test_alive_without_a_database(client: Client) -> None:
    """No test database is asked for: a query would fail."""
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer["Content-Type"] == "application/json"
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_ready(client: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    assert client.get("/health/ready").status_code == 200  # the first time there is no row to write
    with django_assert_max_num_queries(4):
        answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_for_everybody_whatever_they_present(client: Client, path: str) -> None:
    wrong = {"Authorization": "Bearer nonsense", "X-Auth-Token": "nonsense", "User": "x", "Password": "y"}
    for _ in range(150):
        assert client.get(path, headers=wrong).status_code == 200
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


@pytest.mark.django_db
def test_not_ready_with_migrations_to_apply(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    MigrationRecorder(connection).migration_qs.filter(app="identity", name="0003_signing_in").delete()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "failed", "failed": ["migrations"]})
    assert "identity.0003_signing_in" in caplog.text


@pytest.mark.django_db
def test_ready_with_migrations_of_a_later_version(client: Client) -> None:
    """While the next version is being rolled out the database is ahead of this one."""
    MigrationRecorder(connection).record_applied("identity", "9999_from_the_future")
    assert client.get("/health/ready").status_code == 200


@pytest.mark.django_db
def test_not_ready_without_the_cache(client: Client, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = settings.CACHES | {"default": redis}
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "failed", "failed": ["cache"]})
    assert "127.0.0.1" not in answer.text
    assert "Not ready: cache" in caplog.text


@pytest.fixture
def _no_database(monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Have the database refuse every connection, as one does that is gone."""

    def refuse(*_: object) -> None:
        raise OperationalError("could not connect to db.internal:3306")

    wrapper = connections["default"]
    monkeypatch.setattr(wrapper, "connection", None)
    monkeypatch.setattr(wrapper, "get_new_connection", refuse)
    with django_db_blocker.unblock():
        yield


@pytest.mark.usefixtures("_no_database")
def test_not_ready_without_the_database(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (
        503,
        {"status": "failed", "failed": ["database", "migrations", "writing"]},
    )
    assert "db.internal" not in answer.text
    assert "db.internal" in caplog.text
    assert client.get("/health/live").status_code == 200


# To be said, and unsaid, on a connection whose transactions change nothing
READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
}


@contextmanager
def read_only() -> Iterator[None]:
    """Have the database take no writes."""
    begin, end = READ_ONLY[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(begin)
        yield
        cursor.execute(end)


@contextmanager
def a_full_disk() -> Iterator[None]:
    """Have no file of this process grow."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [read_only, a_full_disk])
def test_not_ready_where_nothing_can_be_written(
    client: Client, caplog: pytest.LogCaptureFixture, fault: Callable[[], AbstractContextManager[None]]
) -> None:
    if fault is a_full_disk and connection.vendor != "sqlite":
        pytest.skip("the server writes, and not this process")
    assert client.get("/health/ready").status_code == 200
    with fault():
        answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "failed", "failed": ["writing"]})
    assert "Not ready: writing" in caplog.text
    assert client.get("/health/ready").status_code == 200


# The log


@pytest.mark.django_db
def test_the_log_is_quiet_about_what_is_asked_all_the_time(
    client: Client, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.METRICS_TOKEN = TOKEN
    caplog.set_level(logging.INFO)
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert client.get(path, headers=BEARER).status_code == 200
    assert [record for record in caplog.records if record.name == "flavorsync.access"] == []
    client.get("/metrics")
    assert "GET /metrics 401" in caplog.text


# Who may read the figures


@pytest.mark.django_db
def test_nobody_may_read_them_by_default(client: Client) -> None:
    for headers in ({}, BEARER, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        assert client.get("/metrics", headers=headers).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer é"]
)
def test_only_who_has_the_token_may(client: Client, settings: Settings, value: str | None) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = client.get("/metrics", headers={} if value is None else {"Authorization": value})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")
    assert TOKEN not in answer.text
    assert "flavorsync" not in answer.text
    assert client.get(f"/metrics?token={TOKEN}").status_code == 401


# The figures


def read(client: Client) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every figure by its name and the values of its labels."""
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def the_one_series(client: Client, node: str) -> dict[str, float]:
    """Return the number of flavors by state in a node, without states that have none."""
    return {
        labels[1]: count
        for (name, labels), count in read(client).items()
        if name == "flavorsync_drift_flavors" and labels[0] == node and count
    }


@pytest.mark.django_db
def test_the_state_of_the_federation(
    client: Client, settings: Settings, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    settings.METRICS_TOKEN = TOKEN
    flavors = [make_flavor(flavorid=id, name=id) for id in "1234"]
    make_flavor(flavorid="5", name="5", promoted=False)
    make_installation(flavors[0], "Mordor")
    make_replacement(infrastructure=make_infrastructure("Mordor"))
    missing, different = SyncOutcome.State.MISSING, SyncOutcome.State.DIFFERENT
    for node in ("Mordor", "Spain2"):
        make_run(node, 9, {"1": missing, "5": different})
    make_run("Mordor", 10, {"1": SyncOutcome.State.IN_SYNC})  # the later one is what counts
    make_run("Spain2", 10, {"2": different, "4": different})
    make_run("Spain2", 11, {"3": different}, result="done", whole=False)
    SyncRun.objects.create()
    with django_assert_max_num_queries(11):
        figures = read(client)
    assert figures["flavorsync_database_up", ()] == 1
    assert figures["flavorsync_catalogue_flavors", ("public",)] == 5
    assert figures["flavorsync_catalogue_flavors", ("promoted",)] == 4
    assert figures["flavorsync_open_replacements", ("Mordor",)] == 1
    assert figures["flavorsync_open_replacements", ("Spain2",)] == 0
    assert figures["flavorsync_watched_flavors", ("Mordor",)] == 0
    assert figures["flavorsync_sync_runs", ("drift",)] == 5
    assert figures["flavorsync_sync_runs", ("failed",)] == 0
    assert figures["flavorsync_sync_queue_length", ()] == 1
    assert 0 <= figures["flavorsync_sync_queue_seconds", ()] < 300
    assert figures["flavorsync_drift_flavors", ("Mordor", "missing")] == 0
    assert figures["flavorsync_drift_flavors", ("Spain2", "different")] == 2
    assert ("flavorsync_drift_flavors", ("Spain2", "in_sync")) not in figures
    assert the_one_series(client, "Spain2") == {"missing": 1, "different": 2}
    assert figures["flavorsync_node_compared_timestamp_seconds", ("Spain2",)] == NOON.replace(hour=10).timestamp()


@pytest.mark.django_db
def test_there_are_as_many_series_and_queries_however_many_flavors_there_are(
    client: Client, settings: Settings
) -> None:
    settings.METRICS_TOKEN = TOKEN

    def cost(hour: int) -> tuple[int, int]:
        for node in ("Mordor", "Rohan"):
            make_run(node, hour, {flavor.flavorid: "missing" for flavor in Flavor.objects.all()})
        with CaptureQueriesContext(connection) as asked:
            figures = read(client)
        about_nodes = [name for name, labels in figures if "Mordor" in labels or "Rohan" in labels]
        return len(about_nodes), len(asked)

    make_flavor(flavorid="0", name="0")
    few = cost(9)
    for number in range(1, 20):
        make_flavor(flavorid=str(number), name=str(number))
    assert cost(10) == few


@pytest.mark.django_db
def test_what_was_seen_of_a_flavor_that_has_changed_since_is_not_told_as_if_it_were_so(
    client: Client, settings: Settings
) -> None:
    settings.METRICS_TOKEN = TOKEN
    for id in "123":
        make_flavor(flavorid=id, name=id)
    make_run("Mordor", 9, dict(zip("123", ["in_sync", "different", "missing"], strict=True)))
    assert the_one_series(client, "Mordor") == {"different": 1, "missing": 1}
    Flavor.objects.update(ram=7)
    assert the_one_series(client, "Mordor") == {"changed": 2, "missing": 1}


@pytest.mark.django_db
def test_a_flavor_that_is_being_retired_is_no_drift(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    flavors = [make_flavor(flavorid=id, name=id) for id in "12"]
    make_run("Mordor", 9, dict.fromkeys("12", SyncOutcome.State.MISSING))
    Retirement.objects.create(flavor=flavors[0], begun_at=NOON)
    assert the_one_series(client, "Mordor") == {"missing": 1}


@pytest.mark.django_db
def test_of_a_node_that_could_not_be_asked_nothing_else_is_told(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    for id in "123":
        make_flavor(flavorid=id, name=id)
    make_run("Mordor", 9, dict.fromkeys("123", SyncOutcome.State.MISSING))
    make_run("Mordor", 10, {"1": SyncOutcome.State.UNREACHABLE}, whole=False)
    assert the_one_series(client, "Mordor") == {"unreachable": 3}


@pytest.mark.usefixtures("_no_database")
def test_without_the_database_the_other_figures_are_there(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    client.get("/health/live")
    figures = read(client)
    assert figures["flavorsync_database_up", ()] == 0
    assert figures["flavorsync_http_requests_total", ("GET", "/health/live", "200")] >= 1
    assert not [name for name, _ in figures if name.startswith("flavorsync_catalogue")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status", "labels"),
    [
        ("GET", "/v1/flavors/one", 404, ("GET", "/v1/flavors/<id>", "404")),
        ("GET", "/v1/flavors/two/?x=1", 404, ("GET", "/v1/flavors/<id>", "404")),
        ("GET", "/api/v1/flavors", 200, ("GET", "/api/v1/flavors", "200")),
        ("GET", "/v1", 200, ("GET", "/v1", "200")),
        ("GET", "/v1/", 200, ("GET", "/v1", "200")),
        ("GET", "/v1/regions/Mordor/flavors/1", 401, ("GET", "/v1/regions/<region>/flavors/<id>", "401")),
        ("GET", "/made-up-by-somebody", 404, ("GET", "other", "404")),
        ("MADEUP", "/v1/flavors", 401, ("other", "/v1/flavors", "401")),
        ("GET", "/", 200, ("GET", "/", "200")),
    ],
)
def test_requests_are_counted_by_route_and_status(
    client: Client, method: str, path: str, status: int, labels: tuple[str, ...]
) -> None:
    counter = REQUESTS.labels(*labels)
    before = counter._value.get()
    assert client.generic(method, path).status_code == status
    assert counter._value.get() == before + 1
    observed = REGISTRY.get_sample_value(
        "flavorsync_http_request_seconds_count", {"method": labels[0], "route": labels[1]}
    )
    assert observed is not None
    assert observed >= 1


@pytest.mark.urls("flavorsync_project.api.tests.site")
def test_a_request_that_breaks_the_server_is_counted(client: Client) -> None:
    assert site.urlpatterns
    counter = REQUESTS.labels("GET", "/v1/broken", "500")
    before = counter._value.get()
    assert client.get("/v1/broken").status_code == 500
    assert counter._value.get() == before + 1
