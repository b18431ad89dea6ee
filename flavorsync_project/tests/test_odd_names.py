"""Whatever an IdM takes for a user's name: what they do is done, written down, and shown."""

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from flavorsync_project.tests.world import OWN, PRIVATE, UNREGISTERED, World
from identity.models import User
from identity.roles import Role
from infrastructures.models import Infrastructure
from synchronisation.models import SyncRun
from testing.accounts import KEYROCK_URL, make_answer, make_organization

NAMES = {
    "long": "x" * 300,
    "half a character": "half \ud800 and \udfff",
    "control characters": "two\nlines\0",
    "markup": "<b>&amp;",
    "empty": "",
}
CREDENTIALS = {"keystone_url": "https://k.example.org/v3", "username": "u", "password": "p", "tenant": "t"}


@pytest.fixture(params=NAMES)
def owner(request: pytest.FixtureRequest, world: World) -> APIClient:
    """An owner of two nodes whose name is odd, and of an organization whose name is."""
    organizations = [
        make_organization(name, Role.INFRASTRUCTURE_OWNER) for name in (OWN, UNREGISTERED, NAMES[request.param])
    ]
    answer = json.dumps(make_answer(username=NAMES[request.param], organizations=organizations))
    world.http.get(f"{KEYROCK_URL}/user", text=answer)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_X_AUTH_TOKEN="odd")
    return client


def test_what_they_do_is_done_and_shown(owner: APIClient, world: World) -> None:
    with world.fresh():
        assert owner.get("/v1/flavors").status_code == 200
        started = owner.post("/v1/sync/runs", {"run": {}}, format="json")
        assert started.status_code == 202, started.content
        shown(owner, f"/v1/sync/runs/{started.json()['run']['id']}")
        shown(owner, "/v1/sync/runs")
        changed = owner.put(f"/v1/flavors/{PRIVATE}", {"flavor": {"ram": 4096}}, format="json")
        assert changed.status_code == 200, changed.content
        registered = {"infrastructure": {"name": UNREGISTERED, **CREDENTIALS}}
        assert owner.post("/v1/infrastructures", registered, format="json").status_code == 201
        staff = Client()
        staff.force_login(User.objects.get(username="root"))
        run, cloud = SyncRun.objects.latest("pk"), Infrastructure.objects.get(name=UNREGISTERED)
        for page in (f"synchronisation/syncrun/{run.pk}/change/", f"infrastructures/infrastructure/{cloud.pk}/change/"):
            assert staff.get(f"/admin/{page}").status_code == 200


def shown(client: APIClient, path: str) -> Any:
    """Read it in both formats."""
    for media_type in ("application/json", "application/xml"):
        assert client.get(path, HTTP_ACCEPT=media_type).status_code == 200
