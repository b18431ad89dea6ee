"""Settings of an identity provider, and a session to it that no other test has used."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from identity import exchange
from identity.tests.server import IdmServer
from testing.accounts import APP_ID, KEYROCK_URL


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
