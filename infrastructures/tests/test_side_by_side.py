"""Work in several clouds at once: nobody waits for anybody, and nobody's failure is another's.

Most of these tests have no database at all: a thread that opened a connection would fail.
"""

import logging
from collections.abc import Iterator
from threading import Barrier, Event, get_ident

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse

from flavorsync_project.telemetry.request_id import HEADER, RequestIdFilter, RequestIdMiddleware
from infrastructures.clouds import CLOUDS_AT_ONCE, in_each_cloud
from infrastructures.openstack.errors import CloudUnavailable, CredentialsMissing, FlavorNotFound
from infrastructures.openstack.nova import Nova
from testing.cloud import Federation, flavor_document
from testing.infrastructures import a_registered, make_registered

logger = logging.getLogger(__name__)

WAIT = 20


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Three clouds, each with a flavor of its name."""
    with Federation() as federation:
        for name in ("Mordor", "Rohan", "Spain2"):
            federation.add(name, flavor_document(id=name, name=name))
        yield federation


def names(nova: Nova) -> list[str]:
    return [flavor.name for flavor in nova.list_flavors()]


def test_each_cloud_has_its_outcome_in_the_order_given(federation: Federation) -> None:
    infrastructures = [a_registered(name) for name in ("Spain2", "Mordor", "Rohan")]
    outcomes = in_each_cloud(iter(infrastructures), names)
    assert [outcome.infrastructure for outcome in outcomes] == infrastructures
    assert [(outcome.result, outcome.error) for outcome in outcomes] == [
        (["Spain2"], None),
        (["Mordor"], None),
        (["Rohan"], None),
    ]


def test_no_cloud_is_no_work() -> None:
    assert in_each_cloud([], names) == []
    assert in_each_cloud(iter(()), names) == []


def test_failures_stay_where_they_are(federation: Federation) -> None:
    federation.clouds["Mordor"].failing["GET /flavors/detail"] = 503
    without = a_registered("Nowhere", password="")
    wrong = a_registered("Rohan", password="wrong")
    outcomes = in_each_cloud([without, a_registered("Mordor"), a_registered("Spain2"), wrong], names)
    assert [outcome.result for outcome in outcomes] == [None, None, ["Spain2"], None]
    assert [str(outcome.error.detail) if outcome.error else "" for outcome in outcomes] == [
        "Nowhere: no credentials are stored for it.",
        "Mordor: its Nova answered 503.",
        "",
        "Rohan: its Keystone refuses the credentials stored for it.",
    ]
    assert isinstance(outcomes[0].error, CredentialsMissing)
    assert isinstance(outcomes[1].error, CloudUnavailable)


def test_a_refusal_of_the_works_own_is_an_outcome(federation: Federation) -> None:
    (outcome,) = in_each_cloud([a_registered("Mordor")], lambda nova: nova.get_flavor("unheard-of"))
    assert isinstance(outcome.error, FlavorNotFound)


def test_what_nobody_expects_is_not_hidden(federation: Federation) -> None:
    with pytest.raises(ZeroDivisionError):
        in_each_cloud(
            [a_registered("Mordor"), a_registered("Spain2")], lambda nova: 1 // (nova.region.name != "Mordor")
        )


def test_all_are_at_work_at_once() -> None:
    """Every one waits for all the others: one after another they would never be through."""
    together = Barrier(CLOUDS_AT_ONCE)
    with Federation() as federation:
        for number in range(CLOUDS_AT_ONCE):
            federation.add(f"Node{number}")
        outcomes = in_each_cloud([a_registered(name) for name in federation.clouds], lambda nova: together.wait(WAIT))
    assert sorted(outcome.result for outcome in outcomes if outcome.result is not None) == list(range(CLOUDS_AT_ONCE))


def test_a_slow_cloud_holds_up_none_of_the_others(federation: Federation) -> None:
    """Mordor, the first, is through when Rohan and Spain2 are, and not before."""
    through = {"Rohan": Event(), "Spain2": Event()}

    def work(nova: Nova) -> tuple[list[str], bool]:
        if own := through.get(nova.region.name):
            own.set()
        return names(nova), all(event.wait(WAIT) for event in through.values())

    outcomes = in_each_cloud([a_registered(name) for name in federation.clouds], work)
    assert [outcome.result for outcome in outcomes] == [(["Mordor"], True), (["Rohan"], True), (["Spain2"], True)]


def test_more_clouds_than_threads_are_all_worked_in() -> None:
    count = 2 * CLOUDS_AT_ONCE + 1
    with Federation() as federation:
        for number in range(count):
            federation.add(f"Node{number:02}", flavor_document())
        outcomes = in_each_cloud([a_registered(name) for name in federation.clouds], lambda nova: nova.region.name)
        assert [outcome.result for outcome in outcomes] == [f"Node{number:02}" for number in range(count)]
        assert {cloud.authentications for cloud in federation.clouds.values()} == {1}


def test_each_cloud_is_authenticated_with_once(federation: Federation) -> None:
    for _ in range(3):
        in_each_cloud([a_registered(name) for name in federation.clouds], names)
    assert [cloud.authentications for cloud in federation.clouds.values()] == [1, 1, 1]


def test_log_lines_bear_the_requests_id(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(RequestIdFilter())
    federation.clouds["Mordor"].failing["GET /flavors/detail"] = 503
    threads = set()

    def work(nova: Nova) -> list[str]:
        threads.add(get_ident())
        logger.info("at work in %s", nova.region.name)
        return names(nova)

    def view(request: HttpRequest) -> HttpResponse:
        in_each_cloud([a_registered(name) for name in federation.clouds], work)
        return HttpResponse()

    ids = [RequestIdMiddleware(view)(HttpRequest())[HEADER] for _ in range(2)]
    lines = [record for record in caplog.records if "at work" in record.getMessage() or "503" in record.getMessage()]
    assert get_ident() not in threads
    assert [getattr(record, "request_id", None) for record in lines] == [ids[0]] * 4 + [ids[1]] * 4


@pytest.mark.django_db
def test_no_thread_opens_a_connection_to_the_database(federation: Federation) -> None:
    """Connections are each thread's own: one that was opened here would be there when the work is over."""
    infrastructures = [make_registered(name) for name in federation.clouds]

    def work(nova: Nova) -> tuple[list[str], list[object]]:
        return names(nova), [one.connection for one in connections.all(initialized_only=True)]

    outcomes = in_each_cloud(infrastructures, work)
    assert [outcome.result for outcome in outcomes] == [([name], []) for name in federation.clouds]
