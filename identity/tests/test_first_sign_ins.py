"""People who sign in for the first time at the same moment, some of them called alike."""

from collections.abc import Callable
from typing import Any

import pytest
import requests_mock
from django.test import Client
from pytest_django import Settings

from identity.models import SignedIn
from testing.accounts import KEYSTONE_URL, MANAGERS, make_keystone_token, make_project
from testing.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


@pytest.fixture(autouse=True)
def keystone(requests_mock: requests_mock.Mocker, settings: Settings) -> None:
    """A Keystone in which everybody is a manager called frodo: who it is, the password says."""
    settings.ROOT_URLCONF = "flavorsync_project.urls"
    settings.KEYROCK_URL = ""
    settings.KEYSTONE_URL, settings.KEYSTONE_IDENTITY, settings.KEYSTONE_MANAGERS = KEYSTONE_URL, True, [*MANAGERS]
    requests_mock.post(f"{KEYSTONE_URL}/auth/tokens", status_code=201, json=_issue)
    requests_mock.get(f"{KEYSTONE_URL}/auth/tokens", json=_show)
    requests_mock.get(f"{KEYSTONE_URL}/auth/projects", json={"projects": []})
    requests_mock.get(f"{KEYSTONE_URL}/auth/system", json={"system": []})


def _issue(request: Any, context: Any) -> dict[str, Any]:
    password = request.json()["auth"]["identity"]["password"]["user"]["password"]
    context.headers["X-Subject-Token"] = f"gAAAAAB-{password}"
    return make_keystone_token()


def _show(request: Any, context: Any) -> dict[str, Any]:
    token = make_keystone_token("flavor_manager", project=make_project())
    token["token"]["user"]["id"] = request.headers["X-Subject-Token"].removeprefix("gAAAAAB-")
    return token


def whoever_is(id: str) -> Callable[[], int]:
    """Return the act of signing in as whoever has this id, which returns the status of the answer."""

    def sign_in() -> int:
        form = {"username": "frodo", "domain": "Default", "password": id}
        return Client(raise_request_exception=False).post("/sign-in/keystone", form).status_code

    return sign_in


def test_people_called_alike_are_all_let_in_and_told_apart() -> None:
    for number in range(ROUNDS):
        ids = {f"{number}-{one}" for one in range(6)}
        assert at_once(*map(whoever_is, ids)) == [302] * len(ids)
        rows = SignedIn.objects.filter(external_id__in={f"keystone:{id}" for id in ids})
        own = {f"frodo@Default (keystone {id})" for id in ids}
        assert len({row.username for row in rows} & own) >= len(ids) - 1
        assert not any(row.has_usable_password() for row in rows)
    assert SignedIn.objects.filter(username="frodo@Default").count() == 1


def test_somebody_who_signs_in_twice_at_once_has_one_row() -> None:
    for number in range(ROUNDS):
        assert at_once(*[whoever_is(f"frodo-{number}")] * 4) == [302] * 4
    assert SignedIn.objects.exclude(external_id=None).count() == ROUNDS
