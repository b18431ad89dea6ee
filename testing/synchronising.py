"""A scripted federation for tests of the synchronisation's API: its people, its clouds, and runs."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flavors.models import Flavor
from identity.models import User
from identity.roles import Role
from infrastructures.models import Infrastructure
from synchronisation.lists import node_list
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.recording import record_ends, record_plans, record_starts
from testing.accounts import make_answer, make_organization, make_role
from testing.cloud import Federation
from testing.federation import PROMOTE, REGISTER, by_account
from testing.flavors import document_of, make_flavor
from testing.infrastructures import make_registered
from testing.wire import Answer, Api

STATUS = "/v1/sync/status"
RUNS = "/v1/sync/runs"
NODES = ("Mordor", "Rohan", "Spain2")


@contextmanager
def clouds_that_lack_a_flavor(count: int) -> Iterator[Federation]:
    """Yield so many registered clouds, and promote a flavor, `tiny`, that none of them has."""
    make_flavor(flavorid="tiny")
    with Federation() as federation:
        for number in range(count):
            federation.add(f"Node{number:02}")
            make_registered(f"Node{number:02}")
        yield federation


@dataclass(frozen=True)
class Callers:
    """The API, for each who may or may not synchronise; `mordor` and `spain2` operate these nodes, `landless` none."""

    nobody: Api
    basic: Api
    manager: Api
    mordor: Api
    spain2: Api
    landless: Api


_IDM_USERS: Mapping[str, dict[str, Any]] = {
    "basic": {},
    "manager": {"roles": [make_role(Role.INFRASTRUCTURE_MANAGER)]},
    "mordor": {"organizations": [make_organization("Mordor FIDASH", Role.INFRASTRUCTURE_OWNER)]},
    "spain2": {"organizations": [make_organization("Spain2", Role.INFRASTRUCTURE_OWNER)]},
    "landless": {"organizations": [make_organization("Shire", Role.INFRASTRUCTURE_OWNER)]},
}
_PERMISSIONS = {"basic": (), "manager": (PROMOTE,), "mordor": (), "spain2": (REGISTER,), "landless": (REGISTER,)}


def judge(request: Any, context: Any) -> str:
    """Answer about a token as Keyrock does."""
    (token,) = request.qs["access_token"]
    return json.dumps(make_answer(username=token, **_IDM_USERS[token]))


def with_tokens(api: Api) -> Callers:
    """Return users of the IdM."""
    return Callers(nobody=api, **{who: api.having({"X-Auth-Token": who}) for who in _IDM_USERS})


def with_accounts(api: Api) -> Callers:
    """Return local accounts that may do the same."""
    callers = Callers(nobody=api, **{who: api.having(by_account(who, *may)) for who, may in _PERMISSIONS.items()})
    for who, node in (("mordor", "Mordor"), ("spain2", "Spain2")):
        Infrastructure.objects.get(name=node).operators.add(User.objects.get(username=who))
    return callers


def start(api: Api, **members: object) -> Answer:
    """Send a POST of a run."""
    return api.send("POST", RUNS, api.wire.write({"run": members}))


def promote(flavorid: str, **overrides: Any) -> Flavor:
    """Return a stored promoted flavor that is called like its id."""
    return make_flavor(flavorid=flavorid, name=flavorid, **overrides)


def in_nova(id: str, **overrides: Any) -> dict[str, Any]:
    """Return what `promote(id)` is like in a Nova that has it."""
    return document_of(Flavor(flavorid=id, name=id, vcpus=1, ram=2, disk=10), **overrides)


def make_run(*nodes: str, **overrides: Any) -> SyncRun:
    """Return a stored run over these nodes, which it has not begun with."""
    found = [(Infrastructure.objects.filter(name=name).values_list("pk", flat=True).first(), name) for name in nodes]
    values = {"requested_by": "sauron", "repairs": True, "attempts": 1, **overrides}
    run = SyncRun.objects.create(listed=node_list(found), node_count=len(found), **values)
    for key, name in found:
        SyncNode.objects.create(run=run, infrastructure_id=key, name=name)
    return run


def compared(run: SyncRun, node: str, *outcomes: SyncOutcome, ended: bool = False) -> None:
    """Have a run found this in a node; *ended*: and have done with it."""
    part = run.nodes.get(name=node)
    record_starts([part])
    flavors = [Flavor(flavorid=outcome.flavorid, name=outcome.name) for outcome in outcomes]
    for outcome in outcomes:
        outcome.node = part
    kept = [outcome for outcome in outcomes if outcome.action != "nothing" or outcome.state == "ignored"]
    record_plans(run, {part: (flavors, kept)})
    if ended:
        record_ends({part: ""})


def an_outcome(id: str, **overrides: Any) -> SyncOutcome:
    """Return what a run found of `promote(id)` and did about it, not stored: by default it was there."""
    return SyncOutcome(
        **{
            "flavorid": id,
            "name": id,
            "state": SyncOutcome.State.IN_SYNC,
            "action": SyncOutcome.Action.NOTHING,
            **overrides,
        }
    )
