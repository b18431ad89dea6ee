"""Settings of an identity provider, and a session to it that no other test has used."""

from collections.abc import Iterator

import pytest
import requests_mock
from pytest_django import Settings

from identity import exchange
from identity.tests.people import SECRET, KeystoneOfPeople
from identity.tests.server import IdmServer
from testing.accounts import APP_ID, KEYROCK_URL, KEYSTONE_URL, MANAGERS, OPERATORS


@pytest.fixture(autouse=True)
def _identity_provider(settings: Settings) -> Iterator[None]:
    settings.KEYROCK_URL = KEYROCK_URL
    settings.KEYROCK_APP_IDS = [APP_ID]
    settings.ROOT_URLCONF = "identity.tests.urls"
    exchange.close()
    yield
    exchange.close()


@pytest.fixture
def server(settings: Settings) -> Iterator[IdmServer]:
    """A real server on this machine that KEYROCK_URL names, and that does as it is told."""
    with IdmServer() as idm:
        settings.KEYROCK_URL = idm.url
        settings.OPENSTACK_TIMEOUT = 5.0
        yield idm


@pytest.fixture
def ways_to_sign_in(settings: Settings) -> None:
    """Let people sign in to the pages with Keystone and with Keyrock."""
    settings.ROOT_URLCONF = "flavorsync_project.urls"
    settings.KEYSTONE_URL, settings.KEYSTONE_IDENTITY = KEYSTONE_URL, True
    settings.KEYSTONE_MANAGERS, settings.KEYSTONE_OPERATORS = [*MANAGERS], OPERATORS
    settings.KEYROCK_CLIENT_SECRET = SECRET


@pytest.fixture
def keystone(requests_mock: requests_mock.Mocker) -> KeystoneOfPeople:
    """A Keystone that knows frodo, who has no role there yet."""
    return KeystoneOfPeople(requests_mock)
