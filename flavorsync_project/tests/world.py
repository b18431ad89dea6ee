"""A whole federation in memory: two IdMs, two clouds, a catalogue, and everybody who may call.

Mordor is operated by the actors `owner`, `keystone-owner` and `operator`; Rohan by `neighbour`, `keystone-neighbour`
and `other-operator`. Each cloud has a Keystone of its own, an administrator's token and a plain member's; the
federation's Keystone says who is calling, as Keyrock does.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests_mock
from django.contrib.auth.models import Permission
from django.core.cache import caches
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from flavors.models import Flavor, Installation
from flavors.permissions import PROMOTE
from identity.models import User
from identity.roles import Role
from infrastructures.models import Infrastructure
from infrastructures.registration import REGISTER
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from testing.accounts import (
    APP_ID,
    KEYROCK_URL,
    PASSWORD,
    keystone_error,
    make_answer,
    make_keystone_token,
    make_organization,
    make_project,
    make_role,
)
from testing.cloud import Federation, RegisteredCloud, flavor_document, token_document
from testing.infrastructures import make_registered

OWN, FOREIGN = "Mordor", "Rohan"
UNREGISTERED = "Isengard"
"""A node that `owner` and `operator` may register."""

# Users of the IdM, by their tokens: Keyrock's members of each.
IDM_USERS: Mapping[str, dict[str, Any]] = {
    "basic": {},
    "manager": {"roles": [make_role(Role.INFRASTRUCTURE_MANAGER)]},
    "owner": {
        "organizations": [
            make_organization(f"{name} FIDASH", Role.INFRASTRUCTURE_OWNER) for name in (OWN, UNREGISTERED)
        ]
    },
    "neighbour": {"organizations": [make_organization(f"{FOREIGN} FIDASH", Role.INFRASTRUCTURE_OWNER)]},
}

# Users of the federation's Keystone, by their tokens: the roles of each in its project `federation`.
KEYSTONE_URL = "https://keystone.federation.example.org/v3"
KEYSTONE_USERS: Mapping[str, Sequence[str]] = {
    "keystone-basic": ["member"],
    "keystone-manager": ["flavor_manager"],
    "keystone-owner": [f"operator_of_{OWN}", f"operator_of_{UNREGISTERED}"],
    "keystone-neighbour": [f"operator_of_{FOREIGN}"],
}

# Local accounts, with their permissions
ACCOUNTS: Mapping[str, Sequence[str]] = {
    "visitor": (),
    "operator": (REGISTER,),
    "other-operator": (REGISTER,),
    "curator": (PROMOTE,),
}


def _basic(name: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{PASSWORD}'.encode()).decode()}"}


ACTORS: Mapping[str, Mapping[str, str]] = {
    "anonymous": {},
    "impostor": {"X-Auth-Token": "a-token-of-nobody"},
    "impostor-of-keystone": {"X-Auth-Token": "gAAAAAB-a-token-of-nobody"},
    "impostor-of-an-account": _basic("nobody"),
    **{name: {"X-Auth-Token": name} for name in IDM_USERS},
    **{name: {"X-Auth-Token": f"gAAAAAB-{name}"} for name in KEYSTONE_USERS},
    **{name: _basic(name) for name in ACCOUNTS},
    "curator": {"user": "curator", "password": PASSWORD},
    "root": _basic("root"),
}
"""Everybody, with the headers that say who they are: tokens of the IdM and of Keystone, and local accounts."""

KEYSTONE_TOKENS: Mapping[str, Mapping[str, str]] = {
    "admin": {"X-Auth-Token-KeyStone": f"token-of-{OWN}"},
    "member": {"X-Auth-Token-KeyStone": f"member-of-{OWN}"},
    "foreign": {"X-Auth-Token-KeyStone": f"token-of-{FOREIGN}"},
    "none": {},
}

PRIVATE, FOREIGN_PRIVATE = "private", "foreign-private"
PUBLIC, FOREIGN_PUBLIC = "public", "foreign-public"
PROMOTED, INSTALLED = "promoted", "installed"
OWN_RUN, SHARED_RUN, FOREIGN_RUN = "71", "72", "73"


class OpenCloud(RegisteredCloud):
    """A cloud that its users enter, too: its administrator, and a member who may read."""

    def __init__(self, http: requests_mock.Mocker, name: str) -> None:
        super().__init__(http, name)
        self.administrator, self.member = f"token-of-{name}", f"member-of-{name}"
        http.get(f"https://keystone.{name.lower()}.example.org/v3/auth/tokens", text=self._validate)

    def has(self, *ids: str) -> None:
        """Have these flavors and no others."""
        self.flavors = {
            id: flavor_document(id=id, name=id, **{"os-flavor-access:is_public": True, "extra_specs": {}}) for id in ids
        }

    def _validate(self, request: Any, context: Any) -> str:
        if request.headers["X-Subject-Token"] in (self.administrator, self.member):
            return json.dumps(token_document(endpoints={self.name: self.endpoint}))
        context.status_code = 404
        return json.dumps({"error": {"code": 404, "message": "Could not find token"}})

    def _answer(self, request: Any, context: Any) -> str:
        if request.headers["X-Auth-Token"] == self.member:
            if request.method != "GET":
                context.status_code = 403
                return json.dumps({"forbidden": {"code": 403, "message": "Policy doesn't allow it to be performed."}})
            request.headers["X-Auth-Token"] = self.administrator
        return super()._answer(request, context)


class World:
    """The federation, which `fresh` brings back to its beginning."""

    def __init__(self, federation: Federation) -> None:
        self.http = federation.http
        self.clouds = {name: OpenCloud(federation.http, name) for name in (OWN, FOREIGN)}
        federation.http.get(f"{KEYROCK_URL}/user", text=_judge)
        federation.http.get(f"{KEYSTONE_URL}/auth/tokens", json=_judge_of_keystone)
        self._people()
        self._catalogue()

    @contextmanager
    def fresh(self) -> Iterator[None]:
        """Undo afterwards whatever happens meanwhile; begin with nothing in the caches."""
        for cache in caches.all():
            cache.clear()
        self.clouds[OWN].has(PRIVATE, PUBLIC, INSTALLED)
        self.clouds[FOREIGN].has(FOREIGN_PRIVATE, FOREIGN_PUBLIC)
        with transaction.atomic():
            yield
            transaction.set_rollback(True)

    def _people(self) -> None:
        for name, permissions in ACCOUNTS.items():
            codenames = [permission.partition(".")[2] for permission in permissions]
            account = User.objects.create_user(name, password=PASSWORD)
            account.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        User.objects.create_superuser("root", password=PASSWORD)

    def _catalogue(self) -> None:
        own, foreign = make_registered(OWN), make_registered(FOREIGN)
        own.operators.set(User.objects.filter(username="operator"))
        foreign.operators.set(User.objects.filter(username="other-operator"))
        for flavorid, node in {PUBLIC: own, FOREIGN_PUBLIC: foreign}.items():
            _publish(flavorid, node, promoted=False)
        _publish(INSTALLED, own, promoted=True)
        _publish(PROMOTED, None, promoted=True)
        for run, nodes in {OWN_RUN: [own], SHARED_RUN: [own, foreign], FOREIGN_RUN: [foreign]}.items():
            _synchronise(run, nodes)


def _synchronise(run: str, infrastructures: Sequence[Infrastructure]) -> None:
    """Store a run that is under way: the first node is done."""
    now = timezone.now()
    running = SyncRun.objects.create(
        pk=int(run), requested_by="schedule", repairs=True, state=SyncRun.State.RUNNING, started_at=now
    )
    first, *_ = [
        SyncNode.objects.create(run=running, infrastructure=infrastructure, name=infrastructure.name)
        for infrastructure in infrastructures
    ]
    SyncNode.objects.filter(pk=first.pk).update(
        state=SyncNode.State.DONE, started_at=now, compared_at=now, finished_at=now
    )
    SyncOutcome.objects.create(
        node=first,
        flavorid=PROMOTED,
        name=PROMOTED,
        state=SyncOutcome.State.DIFFERENT,
        differences=[
            {"member": "ram", "node": 2048, "catalogue": 4096},
            {"member": "rxtx_factor", "node": 1.0, "catalogue": 2.0},
            {"member": "is_public", "node": False, "catalogue": True},
            {"member": "extra_specs.hw:cpu_policy", "node": None, "catalogue": "shared"},
        ],
        action=SyncOutcome.Action.REPLACE,
        servers=3,
        result=SyncOutcome.Result.DONE,
        seconds=0.5,
    )


def _publish(flavorid: str, node: Infrastructure | None, *, promoted: bool) -> None:
    values = {"vcpus": 2, "ram": 4096, "disk": 20, "swap": 512, "ephemeral": 10, "rxtx_factor": 2.0}
    flavor = Flavor.objects.create(
        flavorid=flavorid, name=flavorid, description="for tests", public=True, promoted=promoted, **values
    )
    if node:
        Installation.objects.create(flavor=flavor, infrastructure=node, flavorid=flavorid)


def _judge(request: Any, context: Any) -> str:
    """Answer as Keyrock does."""
    (token,) = request.qs["access_token"]
    if token in IDM_USERS:
        return json.dumps(make_answer(username=token, **IDM_USERS[token]))
    context.status_code = 401
    return json.dumps("Invalid token: access token is invalid")


def _judge_of_keystone(request: Any, context: Any) -> dict[str, Any]:
    """Answer as Keystone does."""
    name = request.headers["X-Subject-Token"].removeprefix("gAAAAAB-")
    if name in KEYSTONE_USERS:
        return make_keystone_token(*KEYSTONE_USERS[name], project=make_project())
    context.status_code = 404
    return keystone_error(404, "Not Found")


def set_up(settings: Settings, federation: Federation) -> World:
    """Return the federation, and have the service use it."""
    settings.KEYROCK_URL = KEYROCK_URL
    settings.KEYROCK_APP_IDS = [APP_ID]
    settings.KEYSTONE_URL = KEYSTONE_URL
    settings.KEYSTONE_IDENTITY = True
    settings.KEYSTONE_MANAGERS = ["flavor_manager@project:federation/Default"]
    settings.KEYSTONE_OPERATORS = ["operator_of_{node}@project:federation/Default"]
    return World(federation)
