"""The federation in memory, for tests of all of the API together."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from pytest_django import DjangoDbBlocker, Settings

from flavorsync_project.tests.world import World, set_up
from testing.cloud import Federation


@pytest.fixture
def world(db: None, settings: Settings) -> Iterator[World]:
    """Everybody and everything of `world.py`."""
    with Federation() as federation, _one_connection():
        yield set_up(settings, federation)


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Have the database be where none is."""
    wrapper = connections["default"]
    elsewhere = {"NAME": "/nowhere/db.sqlite3"} if wrapper.vendor == "sqlite" else {"HOST": "127.0.0.1", "PORT": 1}
    monkeypatch.setattr(wrapper, "settings_dict", wrapper.settings_dict | elsewhere)
    monkeypatch.setattr(wrapper, "connection", None)
    with django_db_blocker.unblock():
        yield


@contextmanager
def _one_connection() -> Iterator[None]:
    """Keep the connection that the test's transaction is in, as Django's own test client does for its requests."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
