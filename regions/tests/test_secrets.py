"""No token and no password is in anything that we print, answer or raise, down to the level DEBUG."""

import io
import logging
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from logging.config import dictConfig
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.core.signals import got_request_exception
from pytest_django import Settings

from identity.models import User
from infrastructures.models import Replacement
from lab import seed
from regions.tests.clouds import Cloud
from testing import proxy as faults
from testing.flavors import make_infrastructure
from testing.proxy import FLAVORS, NovaProxy
from testing.wire import Answer, Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

URL = "/v1/regions/Isengard/flavors"
FORMATS = ["line", "json"]
SENTINEL = "sentinel=0123456789&abcdef"
PASSWORD = "sentinel-password-0123"
IDM_TOKEN = seed.idm_token("basic")


def shapes(secret: str) -> list[str]:
    """Return what a secret looks like wherever it may turn up."""
    basic = b64encode(f"operator:{secret}".encode()).decode()
    return [secret, quote(secret, safe=""), repr(secret)[1:-1], basic]


@pytest.fixture
def printed() -> Iterator[io.StringIO]:
    """What our settings' handler prints in either format, with every logger of the process at the level DEBUG."""
    stream = io.StringIO()
    manager = logging.Logger.manager
    loggers = [logging.getLogger(), *(one for one in manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    configuration: dict[str, Any] = {**django_settings.LOGGING, "root": {"handlers": FORMATS, "level": "DEBUG"}}
    console = configuration["handlers"]["console"] | {"stream": stream}
    configuration["handlers"] = {name: {**console, "formatter": name} for name in FORMATS}
    dictConfig(configuration)
    for logger in loggers:
        if logger is not logging.root:
            logger.setLevel(logging.DEBUG)
    yield stream
    for logger, level, handlers, propagate in before:
        logger.level, logger.handlers, logger.propagate = level, handlers, propagate
        logger.manager._clear_cache()  # type: ignore[attr-defined]


@pytest.fixture
def raised() -> Iterator[list[BaseException]]:
    """Every exception that a view let through."""
    errors: list[BaseException] = []

    def keep(**_: Any) -> None:
        if error := sys.exc_info()[1]:
            errors.append(error)

    got_request_exception.connect(keep)
    yield errors
    got_request_exception.disconnect(keep)


@pytest.fixture
def ask(admin: Api, proxy: NovaProxy, spain2: Cloud, settings: Settings) -> Callable[[], Iterator[Answer]]:
    """Send requests of every kind, with good and bad credentials, to a cloud that works and one that does not."""
    settings.OPENSTACK_TIMEOUT = 2.4

    def ask() -> Iterator[Answer]:
        User.objects.create_user(username="operator", password=PASSWORD)
        local = Api(admin.wire, {"User": "operator", "Password": PASSWORD})
        keystone = {"X-Auth-Token-KeyStone": admin.headers["X-Auth-Token-KeyStone"]}
        make_infrastructure("Nowhere", keystone_url="http://127.0.0.1:1/v3")

        yield local.get("/v1/regions")
        yield Api(admin.wire, {"User": "operator", "Password": SENTINEL}).get("/v1/regions")
        yield local.having(keystone).get(URL)
        basic = b64encode(f"operator:{PASSWORD}".encode()).decode()
        yield Api(admin.wire, {"Authorization": f"Basic {basic}"}).get("/v1/regions")
        yield Api(admin.wire, keystone).get(f"{URL}?access_token={IDM_TOKEN}&limit=1")
        yield Api(admin.wire, keystone).get(f"/v1/unheard-of?access_token={IDM_TOKEN}")
        yield Api(admin.wire, {"X-Auth-Token": SENTINEL}).get("/v1/regions")
        yield Api(admin.wire, {}).get(f"/v1/regions?access_token={quote(SENTINEL)}")
        yield Api(admin.wire, {"X-Auth-Token": IDM_TOKEN}).get(f"/v1/regions?access_token={quote(SENTINEL)}")
        yield admin.having({"X-Auth-Token-KeyStone": SENTINEL}).get(URL)
        yield admin.get("/v1/regions/Nowhere/flavors")
        yield admin.post(URL, name="made", vcpus=1, ram=1, disk=1)
        yield admin.put(f"{URL}/5", ram=77)
        for fault in (faults.silent, faults.html, faults.half_body, faults.failing(401), faults.failing(500)):
            proxy.plan("GET", "", fault)
            yield admin.get(f"{URL}/5")
            proxy.heal()
        proxy.plan("POST", FLAVORS, faults.hanging_up)
        yield admin.put(f"{URL}/5", ram=78)
        proxy.heal()
        yield admin.put(f"{URL}/5", ram=79)
        settings.KEYROCK_URL = "http://127.0.0.1:1"
        yield Api(admin.wire, {"X-Auth-Token": SENTINEL}).get("/v1/regions")

    return ask


@pytest.mark.usefixtures("lab")
def test_no_secret_is_printed_answered_or_raised(
    printed: io.StringIO,
    raised: list[BaseException],
    ask: Callable[[], Iterator[Answer]],
    admin: Api,
) -> None:
    answers = list(ask())
    assert {answer.status for answer in answers} >= {200, 201, 400, 401, 404, 502, 503}
    said = "\n".join(
        [
            printed.getvalue(),
            *(f"{answer.headers} {answer.body}" for answer in answers),
            *("".join(traceback.format_exception(error)) for error in raised),
        ]
    )
    # It has looked where the secrets would be: the HTTP clients' own records, and a redacted query.
    assert "DEBUG" in printed.getvalue()
    assert "urllib3.connectionpool" in printed.getvalue()
    assert "GET /v2.1/flavors/" in printed.getvalue()
    keystone = admin.headers["X-Auth-Token-KeyStone"]
    for secret in (SENTINEL, PASSWORD, IDM_TOKEN, keystone):
        assert [shape for shape in shapes(secret) if shape in said] == []


def test_no_secret_is_stored(admin: Api, proxy: NovaProxy, spain2: Cloud, db: None) -> None:
    """The journal names who asked for an update, and holds no token."""
    proxy.plan("POST", FLAVORS, faults.failing(500))
    assert admin.put(f"{URL}/5", ram=77).status == 502
    record = str(Replacement.objects.values().get())
    assert "'requested_by': 'basic'" in record
    assert admin.headers["X-Auth-Token-KeyStone"] not in record
    assert IDM_TOKEN not in record
