"""A cloud's refusals: only OpenStack's own words, shortened, in one line, and without our secrets."""

import io
import json
import logging
from collections.abc import Iterator
from logging.config import DictConfigurator
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings

from flavorsync_project.telemetry.request_id import traced
from infrastructures.openstack.entering import OperatorsNova
from infrastructures.openstack.errors import CloudError, CloudUnavailable, FlavorConflict, FlavorRefused
from infrastructures.openstack.keystone import open_token
from infrastructures.openstack.refusals import clipped
from testing.cloud import TOKEN, Cloud, fault, flavor_document, issued
from testing.infrastructures import PASSWORD, make_credentials, make_nova_flavor, make_region

NOT_OPENSTACK = "Spain2: its Nova did not answer as OpenStack does."
INTERNAL = "no route to billing.internal"
LOGGING: dict[str, Any] = django_settings.LOGGING
FORGED = "2026-01-01 00:00:00,000 INFO req-1 flavorsync.access POST /v1/flavors 201"


def refused(cloud: Cloud, status: int, **answer: Any) -> CloudError:
    """Return how a creation fails that Nova answers so."""
    cloud.nova("POST", "/flavors", {"status_code": status, **answer})
    cloud.nova("GET", "/flavors/42", {"exc": requests.exceptions.ConnectionError})  # where it looks what became of it
    with pytest.raises(CloudError) as caught:
        cloud.open().create_flavor(make_nova_flavor())
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        {"message": INTERNAL},
        {"message": INTERNAL, "code": "404 Not Found", "title": "Not Found"},
        {"error": {"message": INTERNAL, "code": 404}},
        {"errors": [{"title": INTERNAL, "detail": INTERNAL}]},
        {"fault": {"message": INTERNAL, "code": 404}},
        {"badRequest": INTERNAL},
        {"badRequest": {"message": [INTERNAL]}},
        {"badRequest": {"message": INTERNAL}, "other": 1},
        [INTERNAL],
        INTERNAL,
        None,
    ],
    ids=str,
)
def test_words_of_another_program_are_not_repeated(cloud: Cloud, body: Any) -> None:
    """And what is not OpenStack's says nothing of a flavor: it is neither gone nor taken."""
    for status in (400, 403, 404, 409):
        error = refused(cloud, status, json=body)
        assert (type(error), str(error.detail)) == (CloudUnavailable, NOT_OPENSTACK), status


@pytest.mark.parametrize("text", [f"<html>{INTERNAL}</html>", "", "[" * 100_000])
def test_nor_are_those_of_a_page(cloud: Cloud, text: str) -> None:
    assert str(refused(cloud, 409, text=text).detail) == NOT_OPENSTACK


@pytest.mark.parametrize("status", [405, 413, 429, 500, 503])
def test_of_a_failure_nothing_is_repeated(cloud: Cloud, status: int) -> None:
    error = refused(cloud, status, json=fault(status, INTERNAL))
    assert str(error.detail) == f"Spain2: its Nova answered {status}."


def test_novas_own_words_are(cloud: Cloud) -> None:
    error = refused(cloud, 409, json=fault(409, "Flavor with name m1.custom already exists."))
    assert (type(error), str(error.detail)) == (FlavorConflict, "Spain2: Flavor with name m1.custom already exists.")


def test_they_are_cut(cloud: Cloud) -> None:
    error = refused(cloud, 400, json=fault(400, "x" * 2_000_000))
    assert type(error) is FlavorRefused
    assert str(error.detail) == f"Spain2: {'x' * 999}…"


def test_they_are_one_line() -> None:
    assert clipped("a\r\nb\tc\x1b[2J\x85\u2028\u202e\ud800é😀") == r"a\r\nb\tc\x1b[2J\x85\u2028\u202e\ud800é😀"
    assert clipped("\n" * 1000) == r"\n" * 499 + "\\…"


# Secrets, and the log


@pytest.fixture(params=["line", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What our settings print of everything that is logged."""
    handler = logging.StreamHandler(stream := io.StringIO())
    configurator = DictConfigurator(LOGGING)
    for name in LOGGING["handlers"]["console"]["filters"]:
        handler.addFilter(configurator.configure_filter(dict(LOGGING["filters"][name])))
    formatter = dict(LOGGING["formatters"][request.param])
    handler.setFormatter(configurator.configure_formatter(formatter))
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def fail_and_log(work: Any) -> CloudError:
    """Return how *work* fails, having logged it as a view's failure is."""
    with pytest.raises(CloudError) as caught:
        work()
    logging.getLogger("tests").error("%d %s", caught.value.status_code, caught.value.detail, exc_info=caught.value)
    return caught.value


def test_a_cloud_that_repeats_our_secrets_does_not_get_them_into_the_log_nor_to_its_users(
    cloud: Cloud, log: io.StringIO
) -> None:
    cloud.keystone("POST", "/auth/tokens", issued("the-operators-token"))
    said = f"who sends {PASSWORD} and the-operators-token may not; {PASSWORD!r}"
    cloud.nova("GET", "/flavors/42", {"status_code": 400, "json": fault(400, said)})
    with traced():
        error = fail_and_log(lambda: OperatorsNova(make_credentials()).get_flavor("42"))
    assert str(error.detail) == "Spain2: who sends *** and *** may not; '***'"
    assert PASSWORD not in log.getvalue()
    assert "the-operators-token" not in log.getvalue()
    assert "who sends ***" in log.getvalue()


def test_nor_does_a_keystone(cloud: Cloud, log: io.StringIO) -> None:
    cloud.keystone("POST", "/auth/tokens", {"status_code": 401, "json": {"error": {"message": f"no {PASSWORD}"}}})
    cloud.keystone("GET", "/auth/tokens", {"status_code": 403, "json": {"error": {"message": f"no {TOKEN}"}}})
    with traced():
        fail_and_log(lambda: OperatorsNova(make_credentials()))
        fail_and_log(lambda: open_token(TOKEN, make_region()))
    assert PASSWORD not in log.getvalue()
    assert TOKEN not in log.getvalue()


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 400, "json": fault(400, f"no\r\n{FORGED}")},
        {"json": {"flavor": flavor_document(vcpus=f"no\n{FORGED}")}},
        {"text": f"no\n{FORGED}"},
    ],
    ids=["a refusal", "a value", "another document"],
)
def test_no_answer_makes_a_line_of_the_log(cloud: Cloud, log: io.StringIO, answer: dict[str, Any]) -> None:
    cloud.nova("GET", "/flavors/42", answer)
    with traced():
        fail_and_log(lambda: cloud.open().get_flavor("42"))
    assert log.getvalue()
    assert not [line for line in log.getvalue().splitlines() if line.startswith(FORGED[:10])]


def test_what_keystone_says_cannot_fill_the_log(cloud: Cloud, log: io.StringIO) -> None:
    document = issued(expires_at="x" * 1_000_000)
    cloud.keystone("POST", "/auth/tokens", document)
    with traced():
        fail_and_log(lambda: OperatorsNova(make_credentials()))
    assert len(log.getvalue()) < 100_000


def test_a_half_of_a_surrogate_pair_can_be_logged(log: io.StringIO) -> None:
    logging.getLogger("tests").error("half: %s", "\ud800")
    printed = log.getvalue()
    assert r"half: \ud800" in printed
    assert printed.encode() if not printed.startswith("{") else json.loads(printed)
