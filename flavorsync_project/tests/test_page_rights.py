"""Who sees which page: one table of every kind of page, whichever way somebody has signed in."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from rest_framework.exceptions import PermissionDenied

from flavorsync_project.tests.world import ACTORS, FOREIGN, OWN, World
from identity import signed_in
from identity.models import User
from identity.roles import Role
from infrastructures.models import Infrastructure
from synchronisation.models import SyncNode, SyncRun

# As in the table of the API's operations: a token of Keyrock, one of Keystone, and a local account, which here is one
# that `create_operator` makes. 302 leads to where one signs in.
COLUMNS = {
    "ano": ["anonymous"],
    "bas": ["basic", "keystone-basic", "visitor"],
    "mgr": ["manager", "keystone-manager", "curator"],
    "own": ["owner", "keystone-owner", "operator"],
    "oth": ["neighbour", "keystone-neighbour", "other-operator"],
    "root": ["root"],
}
ROLES = {
    "curator": Role.INFRASTRUCTURE_MANAGER,
    "operator": Role.INFRASTRUCTURE_OWNER,
    "other-operator": Role.INFRASTRUCTURE_OWNER,
}
TABLE = """
/                                            | 200 200 200 200 200 200
/v1/docs                                     | 200 200 200 200 200 200
/admin/                                      | 302 302 200 200 200 200
/admin/flavors/flavor/                       | 302 302 200 200 200 200
/admin/flavors/flavor/coverage/              | 302 302 200 200 200 200
/admin/flavors/flavor/compare/               | 302 302 200 200 200 200
/admin/synchronisation/removal/              | 302 302 200 403 403 200
/admin/synchronisation/syncrun/              | 302 302 200 200 200 200
/admin/synchronisation/syncrun/71/change/    | 302 302 200 200 302 200
/admin/synchronisation/syncrun/72/change/    | 302 302 200 200 200 200
/admin/synchronisation/syncrun/73/change/    | 302 302 200 302 200 200
/admin/synchronisation/syncrun/71/progress/  | 302 302 200 200 404 200
/admin/infrastructures/infrastructure/       | 302 302 403 200 200 200
/admin/infrastructures/infrastructure/add/   | 302 302 403 403 403 200
/admin/flavors/flavor/add/                   | 302 302 403 403 403 200
/admin/identity/user/                        | 302 302 403 403 403 200
/admin/auth/group/                           | 302 302 403 403 403 200
/admin/admin/logentry/                       | 302 302 403 403 403 200
"""


@pytest.fixture
def visitors(world: World) -> dict[str, Client]:
    """Everybody with a browser, signed in as far as they may."""
    return {actor: _visitor(actor) for actors in COLUMNS.values() for actor in actors}


def _visitor(actor: str) -> Client:
    client = Client()
    account = User.objects.filter(username=actor, external_id=None).first()
    if account:
        if role := ROLES.get(actor):
            account.is_staff = True
            account.user_permissions.clear()
            account.groups.set(Group.objects.filter(name=role))
            account.save()
        client.force_login(account)
    elif token := ACTORS[actor].get("X-Auth-Token"):
        _begin(client, token)
    return client


def _begin(client: Client, token: str) -> None:
    request: Any = HttpRequest()
    request.session, request.META["REMOTE_ADDR"] = client.session, "192.0.2.1"
    try:
        signed_in.begin(request, presented=[token])
    except PermissionDenied:
        return
    request.session.save()
    client.cookies["sessionid"] = request.session.session_key


@pytest.mark.parametrize("line", TABLE.strip().splitlines(), ids=lambda line: line.partition(" ")[0])
def test_who_sees_which_page(visitors: dict[str, Client], line: str) -> None:
    page, statuses = (part.strip() for part in line.split("|"))
    expected = {
        actor: int(status)
        for actors, status in zip(COLUMNS.values(), statuses.split(), strict=True)
        for actor in actors
    }
    assert {actor: client.get(page).status_code for actor, client in visitors.items()} == expected


def test_operators_see_their_runs_and_nodes_alone(visitors: dict[str, Client]) -> None:
    """Run 72 is over both nodes."""
    pages = ("/admin/synchronisation/syncrun/72/change/", "/admin/infrastructures/infrastructure/")
    for actors, theirs, others in ((COLUMNS["own"], OWN, FOREIGN), (COLUMNS["oth"], FOREIGN, OWN)):
        for actor in actors:
            for page in pages:
                text = visitors[actor].get(page).content.decode()
                assert theirs in text, (actor, page)
                assert others not in text, (actor, page)
            foreign = reverse("admin:infrastructures_infrastructure_change", args=[key_of(others)])
            assert visitors[actor].get(foreign).status_code == 302
            own = reverse("admin:infrastructures_infrastructure_change", args=[key_of(theirs)])
            assert visitors[actor].get(own).status_code == 200
            assert visitors[actor].post(own, {"name": "mine"}).status_code == 403
            assert visitors[actor].post(f"{own}delete/".replace("change/", ""), {"post": "yes"}).status_code == 403
    assert Infrastructure.objects.count() == 2


def test_everybody_synchronises_what_they_may_over_the_api(visitors: dict[str, Client]) -> None:
    """Managers all nodes, operators their own, and nobody else any."""
    started = {}
    for actor, client in visitors.items():
        before = set(SyncRun.objects.values_list("pk", flat=True))
        client.post("/admin/flavors/flavor/coverage/compare/")
        nodes = SyncNode.objects.exclude(run__in=before).values_list("name", flat=True)
        started[actor] = set(nodes)
        SyncRun.objects.exclude(pk__in=before).delete()
    assert started == {
        **{key: set() for key in (*COLUMNS["ano"], *COLUMNS["bas"])},
        **{key: {OWN, FOREIGN} for key in (*COLUMNS["mgr"], "root")},
        **{key: {OWN} for key in COLUMNS["own"]},
        **{key: {FOREIGN} for key in COLUMNS["oth"]},
    }


def key_of(node: str) -> int:
    return Infrastructure.objects.get(name=node).pk


def test_everybody_sees_what_is_theirs(visitors: dict[str, Client]) -> None:
    """People may compare the nodes that they operate; a manager as such operates none."""
    Infrastructure.objects.update(username="u", tenant="t")
    seen = {}
    for actor in ("manager", *COLUMNS["own"], *COLUMNS["oth"]):
        page = visitors[actor].get("/admin/flavors/flavor/compare/").content.decode()
        seen[actor] = {name for name in (OWN, FOREIGN) if f">{name}<" in page}
    assert seen == {
        "manager": set(),
        **{actor: {OWN} for actor in COLUMNS["own"]},
        **{actor: {FOREIGN} for actor in COLUMNS["oth"]},
    }
