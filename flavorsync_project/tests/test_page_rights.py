"""Who sees which page, and who does what there: one table of each, whichever way somebody has signed in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied

from flavors.admin.looks import address_of_cell
from flavors.models import Flavor, Sighting
from flavorsync_project.tests.test_page_queries import routes_of
from flavorsync_project.tests.world import (
    ACTORS,
    FOREIGN,
    FOREIGN_RUN,
    OWN,
    PRIVATE,
    PROMOTED,
    PUBLIC,
    UNREGISTERED,
    World,
)
from identity import signed_in
from identity.models import User
from identity.roles import Role
from infrastructures.models import Check, Infrastructure
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from testing.federation import WIRES
from testing.infrastructures import PASSWORD
from testing.wire import Api

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
/flavors/public                              | 200 200 200 200 200 200
/flavors/private                             | 404 404 404 404 404 404
/admin/                                      | 302 302 200 200 200 200
/admin/nodes/{OWN}/                          | 302 302 200 200 200 200
/admin/nodes/{OWN}/now/                      | 302 302 200 200 403 200
/admin/flavors/{PUBLIC}/                     | 302 302 200 200 200 200
/admin/flavors/flavor/                       | 302 302 200 200 200 200
/admin/flavors/flavor/coverage/              | 302 302 200 200 200 200
/admin/flavors/flavor/compare/               | 302 302 200 200 200 200
/admin/flavors/flavor/scs/                   | 302 302 200 200 200 200
/admin/flavors/flavor/own/                   | 302 302 403 200 200 200
/admin/flavors/flavor/own/new/               | 302 302 403 200 200 200
/admin/synchronisation/removal/              | 302 302 200 403 403 200
/admin/synchronisation/syncrun/              | 302 302 200 200 200 200
/admin/synchronisation/syncrun/71/change/    | 302 302 200 200 302 200
/admin/synchronisation/syncrun/72/change/    | 302 302 200 200 200 200
/admin/synchronisation/syncrun/73/change/    | 302 302 200 302 200 200
/admin/synchronisation/syncrun/71/progress/  | 302 302 200 200 404 200
/admin/infrastructures/infrastructure/       | 302 302 403 200 200 200
/admin/infrastructures/infrastructure/add/   | 302 302 403 403 403 200
/admin/infrastructures/infrastructure/register/ | 302 302 403 200 200 200
/admin/flavors/flavor/add/                   | 302 302 403 403 403 200
/admin/identity/user/                        | 302 302 403 403 403 200
/admin/auth/group/                           | 302 302 403 403 403 200
/admin/admin/logentry/                       | 302 302 403 403 403 200
/admin/flavors/                              | 302 302 200 200 200 200
/admin/flavors/flavor/{PUBLIC}/change/       | 302 302 200 200 200 200
/admin/flavors/flavor/{PUBLIC}/history/      | 302 302 200 200 200 200
/admin/flavors/flavor/{PUBLIC}/delete/       | 302 302 403 403 403 200
/admin/flavors/flavor/csv/                   | 302 302 200 200 200 200
/admin/flavors/flavor/yaml/                  | 302 302 200 200 200 200
/admin/flavors/flavor/load/                  | 302 302 403 403 403 200
/admin/flavors/flavor/coverage/cell/?flavor=public&node=Mordor | 302 302 200 200 200 200
/admin/flavors/flavor/coverage/cell/ignore/?flavor=promoted&node=Mordor | 302 302 200 200 403 200
/admin/infrastructures/infrastructure/{OWN}/change/  | 302 302 403 200 302 200
/admin/infrastructures/infrastructure/{OWN}/history/ | 302 302 302 200 302 200
/admin/infrastructures/infrastructure/{OWN}/delete/  | 302 302 403 403 403 200
/admin/infrastructures/infrastructure/{OWN}/unregister/ | 302 302 403 200 403 403
/admin/infrastructures/replacement/          | 302 302 403 403 403 200
/admin/infrastructures/replacement/add/      | 302 302 403 403 403 403
/admin/infrastructures/replacement/0/change/ | 302 302 403 403 403 302
/admin/infrastructures/replacement/0/delete/ | 302 302 403 403 403 403
/admin/infrastructures/replacement/0/history/ | 302 302 302 302 302 302
/admin/synchronisation/removal/add/          | 302 302 403 403 403 403
/admin/synchronisation/removal/0/change/     | 302 302 302 403 403 302
/admin/synchronisation/removal/0/delete/     | 302 302 403 403 403 403
/admin/synchronisation/removal/0/history/    | 302 302 302 302 302 302
/admin/synchronisation/syncrun/add/          | 302 302 403 403 403 403
/admin/synchronisation/syncrun/71/delete/    | 302 302 403 403 403 403
/admin/synchronisation/syncrun/71/history/   | 302 302 200 200 302 200
/admin/telling/subscriber/                   | 302 302 403 403 403 200
/admin/telling/subscriber/add/               | 302 302 403 403 403 200
/admin/telling/subscriber/0/change/          | 302 302 403 403 403 302
/admin/telling/subscriber/0/delete/          | 302 302 403 403 403 302
/admin/telling/subscriber/0/history/         | 302 302 302 302 302 302
/admin/identity/user/add/                    | 302 302 403 403 403 200
/admin/identity/user/{ACCOUNT}/change/       | 302 302 403 403 403 200
/admin/identity/user/{ACCOUNT}/password/     | 302 302 403 403 403 200
/admin/identity/user/{ACCOUNT}/history/      | 302 302 403 403 403 200
/admin/identity/user/{ACCOUNT}/delete/       | 302 302 403 403 403 200
/admin/auth/group/add/                       | 302 302 403 403 403 200
/admin/auth/group/{GROUP}/change/            | 302 302 403 403 403 200
/admin/auth/group/{GROUP}/history/           | 302 302 403 403 403 200
/admin/auth/group/{GROUP}/delete/            | 302 302 403 403 403 200
/admin/admin/logentry/add/                   | 302 302 403 403 403 403
/admin/admin/logentry/0/change/              | 302 302 403 403 403 302
/admin/admin/logentry/0/delete/              | 302 302 403 403 403 403
/admin/admin/logentry/0/history/             | 302 302 302 302 302 302
/admin/autocomplete/                         | 302 302 403 403 403 403
/admin/jsi18n/                               | 302 302 200 200 200 200
/admin/login/                                | 200 200 302 302 302 302
/admin/password_change/done/                 | 302 302 200 200 200 200
"""
# These take a POST alone, ask what a form begins with, or differ between local accounts and others.
TOLD_BY_OTHER_TESTS = {
    "flavors_flavor_change_one",  # DEEDS
    "flavors_flavor_compare_now",  # test_everybody_synchronises_what_they_may_over_the_api
    "flavors_flavor_mend",  # the same, and synchronisation/tests/test_admin_plans.py
    "flavors_flavor_cells_ignore",  # synchronisation/tests/test_ignoring_many.py
    "flavors_flavor_cell_rename",  # synchronisation/tests/test_renaming.py
    "flavors_flavor_resize",  # DEEDS
    "index",  # /admin/ is in the table: the overview has its place
    "logout",  # identity/tests/test_signing_out.py
    "password_change",  # identity/tests/test_signing_in.py
    "synchronisation_syncrun_cancel",  # synchronisation/tests/test_cancelling.py
    "view_on_site",  # Django's own: no model of ours has such a page
}


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
    page = page.format(
        OWN=key_of(OWN),
        PUBLIC=Flavor.objects.get(flavorid=PUBLIC).pk,
        ACCOUNT=User.objects.get(username="visitor").pk,
        GROUP=Group.objects.earliest("pk").pk,
    )
    expected = {
        actor: int(status)
        for actors, status in zip(COLUMNS.values(), statuses.split(), strict=True)
        for actor in actors
    }
    assert {actor: client.get(page).status_code for actor, client in visitors.items()} == expected


def test_the_table_has_every_page_of_the_admin_site() -> None:
    pages = [line.partition(" ")[0].format(OWN=1, PUBLIC=1, ACCOUNT=1, GROUP=1) for line in TABLE.strip().splitlines()]
    told = {str(resolve(page.partition("?")[0]).url_name) for page in pages}
    there = {str(route.name) for route in routes_of(admin.site.urls[0])}
    assert there - told == TOLD_BY_OTHER_TESTS


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


# What people do in the pages, the same over the API, and who may: as in COLUMNS, or one of these alone.

REGISTRATION = {"name": UNREGISTERED, "keystone_url": "https://keystone.isengard.example.org/v3",
                "tenant": "t", "username": "u", "password": PASSWORD}  # fmt: skip
NEW = {"name": "new", "id": "new", "vcpus": 1, "ram": 64, "disk": 0, "swap": 0}
CHANGE_ONE = "/admin/flavors/flavor/compare/change/"


@dataclass(frozen=True)
class Deed:
    """A form and what it asks for besides, the same as a request to the API, and who may do it."""

    form: Callable[[], str]
    asked: Mapping[str, Any]
    request: tuple[str, str, Mapping[str, Any] | None]
    may: tuple[str, ...]
    is_confirmed: bool = False


def node_page(node: str, page: str) -> Callable[[], str]:
    return lambda: reverse(f"admin:infrastructures_infrastructure_{page}", args=[key_of(node)])


def put(flavor: str, **changes: object) -> tuple[str, str, Mapping[str, Any]]:
    return "PUT", f"/v1/flavors/{flavor}", {"flavor": changes}


def one(do: str, flavor: str, node: str, into: str = "") -> dict[str, str]:
    return {"do": do, "flavorid": flavor, "flavor": flavor, "node": node, "into": into}


DEEDS = {
    "register": Deed(
        lambda: reverse("admin:infrastructures_infrastructure_register"),
        REGISTRATION | {"user_domain": "Default", "project_domain": "Default"},
        ("POST", "/v1/infrastructures", {"infrastructure": REGISTRATION}),
        (*COLUMNS["own"], "other-operator", "root"),
    ),
    "unregister": Deed(
        node_page("Empty", "unregister"), {}, ("DELETE", "/v1/infrastructures/Empty", None), ("operator",)
    ),
    "publish": Deed(
        lambda: CHANGE_ONE, one("publish", PRIVATE, OWN), put(PRIVATE, public=True), (*COLUMNS["own"],), True
    ),
    "install": Deed(
        lambda: CHANGE_ONE, one("install", PUBLIC, OWN, FOREIGN), put(PUBLIC, nodes=[FOREIGN]), (*COLUMNS["oth"],), True
    ),
    "make": Deed(
        lambda: reverse("admin:flavors_flavor_make"),
        NEW | {"nodes": OWN},
        ("POST", "/v1/flavors", {"flavor": NEW | {"nodes": [OWN]}}),
        (*COLUMNS["own"],),
    ),
    "resize": Deed(
        lambda: f"{reverse('admin:flavors_flavor_resize')}?node={OWN}&flavorid={PRIVATE}",
        {"name": "renamed", "vcpus": "1", "ram": "64", "disk": "0", "swap": "0"},
        put(PRIVATE, name="renamed", vcpus=1, ram=64, disk=0, swap=0),
        (*COLUMNS["own"],),
    ),
    "remove a private one": Deed(
        lambda: CHANGE_ONE,
        one("remove", PRIVATE, OWN),
        ("DELETE", f"/v1/flavors/{PRIVATE}?node={OWN}", None),
        (*COLUMNS["own"],),
        True,
    ),
    "remove a public one": Deed(
        lambda: CHANGE_ONE,
        one("remove", PUBLIC, OWN),
        ("DELETE", f"/v1/flavors/{PUBLIC}?node={OWN}", None),
        (*COLUMNS["own"],),
        True,
    ),
    "promote": Deed(
        lambda: CHANGE_ONE, one("promote", PUBLIC, OWN), put(PUBLIC, promoted=True), (*COLUMNS["mgr"], "root"), True
    ),
}


@pytest.fixture
def everything(world: World, visitors: dict[str, Client]) -> World:
    """The federation, with one more node of `operator`, where nothing is installed."""
    empty = Infrastructure.objects.create(name="Empty")
    empty.operators.set(User.objects.filter(username="operator"))
    return world


@pytest.mark.parametrize("name", DEEDS)
def test_people_do_in_the_pages_what_the_api_lets_them_do(
    everything: World, visitors: dict[str, Client], name: str
) -> None:
    """The staff may more there: an administrator installs and publishes in all nodes."""
    deed = DEEDS[name]
    over_the_api, in_the_pages = set(), set()
    for actor, credentials in ACTORS.items():
        with everything.fresh():
            before = state(everything)
            method, path, document = deed.request
            body = WIRES["json"].write(document) if document else b""
            if Api(WIRES["json"], dict(credentials)).send(method, path, body).status < 300:
                over_the_api.add(actor)
                after = state(everything)
                assert after != before, actor
        if actor in visitors:
            with everything.fresh():
                do(visitors[actor], deed)
                if state(everything) != before:
                    in_the_pages.add(actor)
    assert over_the_api == set(deed.may)
    assert in_the_pages - {"root"} == over_the_api - {"root"}


def do(client: Client, deed: Deed) -> None:
    """Post the form; confirm what its page then shows."""
    answer = client.post(deed.form(), deed.asked)
    digest = (answer.context or {}).get("digest") if deed.is_confirmed else None
    if digest:
        client.post(deed.form(), {**deed.asked, "plan": digest})


def state(world: World) -> object:
    """Return what there is: nodes, flavors of the catalogue, and those of the clouds."""
    flavors = Flavor.objects.order_by("pk").values_list(
        "flavorid", "public", "promoted", "installations__infrastructure"
    )
    clouds = {
        name: sorted((id, flavor["name"]) for id, flavor in cloud.flavors.items())
        for name, cloud in world.clouds.items()
    }
    return list(Infrastructure.objects.values_list("name", flat=True)), sorted(flavors, key=str), clouds


def test_a_nodes_page_tells_of_its_cloud_to_its_operators_alone(visitors: dict[str, Client]) -> None:
    """Managers see why a node cannot be reached, as they do in the runs; the check and the accounts they do not see."""
    node = Infrastructure.objects.get(name=OWN)
    Check.objects.create(infrastructure=node, checked_at=timezone.now(), compute_endpoint="https://nova.example.org")
    seen = {
        actor
        for actor, client in visitors.items()
        if "https://nova.example.org" in client.get(f"/admin/nodes/{node.pk}/").content.decode()
    }
    assert seen == {*COLUMNS["own"], *COLUMNS["root"]}


def test_what_runs_say_of_a_node_is_told_to_whom_they_tell_it_over_the_api(visitors: dict[str, Client]) -> None:
    """The coverage is everybody's; why a node has no flavor, and in which run that was seen, is not."""
    flavor, now = Flavor.objects.get(flavorid=PROMOTED), timezone.now()
    node = SyncNode.objects.get(name=FOREIGN, run=int(FOREIGN_RUN))
    Sighting.objects.create(
        flavor=flavor,
        infrastructure=Infrastructure.objects.get(name=FOREIGN),
        state=Sighting.State.NAME_TAKEN,
        digest=flavor.digest,
        since=now,
        seen_at=now,
    )
    SyncOutcome.objects.filter(node=node, flavorid=flavor.flavorid).update(
        state=SyncOutcome.State.NAME_TAKEN,
        action=SyncOutcome.Action.CANNOT,
        result="",
        reason="because of Rohan",
    )
    pages = (f"/admin/flavors/{flavor.pk}/", address_of_cell(flavor.flavorid, FOREIGN))
    for page in pages:
        seen = {actor: client.get(page).content.decode() for actor, client in visitors.items()}
        told = {actor for actor, text in seen.items() if "because of Rohan" in text}
        assert told == {*COLUMNS["mgr"], *COLUMNS["oth"], "root"}, page
        assert {actor for actor, text in seen.items() if f"run {FOREIGN_RUN}" in text} == told, page
