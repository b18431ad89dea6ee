"""A federation of the lab's clouds for tests: its people, its nodes, and whether catalogue and Novas agree."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from django.contrib.auth.models import Permission

from flavors.models import Flavor, Installation
from identity.models import User
from infrastructures.models import Infrastructure
from lab import Lab, seed
from lab.client import send
from testing.flavors import document_of
from testing.infrastructures import half_way
from testing.wire import Answer, Api, Document, Json, Wire, Xml

FLAVORS = "/v1/flavors"
INFRASTRUCTURES = "/v1/infrastructures"
REGISTER = "register_infrastructure"
PROMOTE = "promote_flavor"
CLOUDS = {"Spain2": "spain2", "Lannion2": "lannion2", "Mordor": "mordor"}
"""Each cloud's project; our credentials are its administrator's."""

SIZES = {"name": "insane", "vcpus": 640, "ram": 1232896, "disk": 1262485504, "swap": 0}
SEEDED = {region: {flavor.id for flavor in flavors} for region, flavors in seed.FLAVORS.items()}
RICH = {
    "vcpus": 3,
    "ram": 3072,
    "disk": 30,
    "swap": 64,
    "OS-FLV-EXT-DATA:ephemeral": 7,
    "os-flavor-access:is_public": False,
    "rxtx_factor": 2.5,
    "description": "Everything that a flavor can have: ünïcode, too",
}
EXTRA_SPECS = {"hw:cpu_policy": "dedicated", "quota:disk_total_iops_sec": "5000"}

Whole = dict[str, Any]
"""All that Nova keeps of a flavor except its access list, as Nova shows it."""


class FederationXml(Xml):
    """The contract's XML, infrastructures included."""

    def write(self, document: Document) -> bytes:
        """Return a flavor or an infrastructure in XML."""
        if "infrastructure" not in document:
            return super().write(document)
        element = ET.Element("infrastructure")
        for name, value in document["infrastructure"].items():
            ET.SubElement(element, name).text = str(value)
        return ET.tostring(element)

    def read(self, body: bytes) -> Document:
        """Return the document; every element must be where the contract has it."""
        root = ET.fromstring(body)
        if root.tag != "infrastructure":
            return super().read(body)
        assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
        assert (root.attrib, [child.tag for child in root]) == ({}, ["name"])
        return {"infrastructure": {"name": root[0].text}}


WIRES: dict[str, Wire] = {"json": Json(), "xml": FederationXml()}


# People


@dataclass(frozen=True)
class People:
    """The API as each kind of caller uses it."""

    nobody: Api
    basic: Api
    manager: Api
    spain2: Api
    mordor: Api


def by_token(name: str) -> dict[str, str]:
    """Return the header with the IdM's token of that name."""
    return {"X-Auth-Token": seed.idm_token(name)}


def by_account(name: str, *permissions: str) -> dict[str, str]:
    """Create a local account, and return its headers."""
    account = User.objects.create_user(name, password=f"password of {name}")
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert account.user_permissions.count() == len(permissions)
    return {"user": name, "password": f"password of {name}"}


def with_tokens(api: Api) -> People:
    """Return the users of the IdM."""
    names = {"basic": "basic", "manager": "manager", "spain2": "owner-spain2", "mordor": "owner-mordor"}
    return People(nobody=api, **{who: api.having(by_token(name)) for who, name in names.items()})


def with_accounts(api: Api) -> People:
    """Return local accounts that may do the same."""
    permissions = {"basic": (), "manager": (PROMOTE,), "spain2": (REGISTER,), "mordor": (REGISTER,)}
    return People(nobody=api, **{who: api.having(by_account(who, *may)) for who, may in permissions.items()})


def with_keystone(api: Api, lab: Lab) -> People:
    """Return users of the lab's central Keystone who may do the same, in a federation without another IdM."""
    users = {
        "basic": "spain2-member",
        "manager": "flavor-manager",
        "spain2": "spain2-operator",
        "mordor": "mordor-operator",
    }
    return People(nobody=api, **{who: api.having(by_keystone(lab, user)) for who, user in users.items()})


def by_keystone(lab: Lab, user: str) -> dict[str, str]:
    """Return the header with a fresh token of a user of the lab."""
    return {"X-Auth-Token": lab.token(user)}


# Nodes


def registration(lab: Lab, node: str, **overrides: object) -> dict[str, object]:
    """Return the body that registers a cloud of the lab."""
    project = CLOUDS[node]
    return {
        "name": node,
        "keystone_url": lab.mordor_keystone_url if node == "Mordor" else lab.keystone_url,
        "username": f"{project}-admin",
        "password": seed.PASSWORD,
        "tenant": project,
        **overrides,
    }


def register(api: Api, **values: object) -> Answer:
    """Send the registration of an infrastructure."""
    return api.send("POST", INFRASTRUCTURES, api.wire.write({"infrastructure": values}))


def make_node(lab: Lab, node: str, *operators: str, **overrides: Any) -> Infrastructure:
    """Return a stored, registered cloud of the lab; *operators* are local accounts."""
    values = registration(lab, node, **overrides)
    infrastructure = Infrastructure(**{name: value for name, value in values.items() if name != "password"})
    infrastructure.set_password(str(values["password"]))
    infrastructure.full_clean()
    infrastructure.save()
    infrastructure.operators.set(User.objects.filter(username__in=operators))
    return infrastructure


def make_rich_flavor(lab: Lab, node: str, flavorid: str) -> Whole:
    """Create a flavor with everything that it can have, including a grant, directly in Nova; return it."""
    token = lab.token(f"{CLOUDS[node]}-admin")
    url = f"{lab.nova_url(node)}/flavors"
    send("POST", url, token=token, body={"flavor": {**RICH, "id": flavorid, "name": flavorid}})
    send("POST", f"{url}/{flavorid}/os-extra_specs", token=token, body={"extra_specs": EXTRA_SPECS})
    grant = {"addTenantAccess": {"tenant": lab.project_ids(node)[CLOUDS[node]]}}
    send("POST", f"{url}/{flavorid}/action", token=token, body=grant)
    return in_nova(lab, node)[flavorid]


def in_nova(lab: Lab, node: str) -> dict[str, Whole]:
    """Ask a Nova directly, and return what it has, by id."""
    return {
        flavor["id"]: {name: value for name, value in flavor.items() if name != "links"} for flavor in lab.flavors(node)
    }


# What must be true


def wire_flavor(**overrides: object) -> dict[str, object]:
    """Return a private flavor on the wire, by default what `SIZES` describes, in Mordor, called `insane`."""
    return {"id": "insane", **SIZES, "promoted": False, "public": False, "nodes": ["Mordor"], **overrides}


def refusal(status: int, message: str) -> tuple[int, Document]:
    """Return an error as an answer's result."""
    return status, {"error": {"message": message}}


def missing(flavorid: str) -> tuple[int, Document]:
    """Return the answer about a flavor that does not exist, or that the caller may not see."""
    return refusal(404, f"The flavor {flavorid} does not exist")


Ids = Mapping[str, Collection[str]]
Agree = Callable[..., None]


def assert_everything_agrees(lab: Lab, *, private: Ids | None = None, gone: Ids | None = None) -> None:
    """Check that each Nova has exactly its seed, *private*, and what the catalogue says is there, as it says.

    Also check that everybody sees the catalogue, and that nothing is left half done.

    Args:
        private: ids by node that only that Nova has.
        gone: ids by node that were deleted from its seed.
    """
    recorded: dict[str, dict[str, Flavor]] = {node: {} for node in CLOUDS}
    for installation in Installation.objects.select_related("flavor", "infrastructure"):
        recorded[installation.infrastructure.name][installation.flavorid] = installation.flavor
    for node, installed in recorded.items():
        there = in_nova(lab, node)
        unrecorded = {*SEEDED[node], *(private or {}).get(node, ())} - {*(gone or {}).get(node, ())}
        assert set(there) == unrecorded | set(installed), node
        assert {flavorid: there[flavorid] for flavorid in installed} == {
            flavorid: document_of(flavor) for flavorid, flavor in installed.items()
        }
    assert not half_way()
    shown = [_as_shown(flavor) for flavor in Flavor.objects.published().with_nodes()]
    assert Api(WIRES["json"], {}).get(FLAVORS).result == (200, {"flavors": shown})
    assert all(flavor["promoted"] or flavor["nodes"] for flavor in shown)


def _as_shown(flavor: Flavor) -> dict[str, object]:
    names = ("name", "vcpus", "ram", "disk", "swap", "promoted", "public", "nodes")
    return {"id": flavor.flavorid, **{name: getattr(flavor, name) for name in names}}


def put(lab: Lab, node: str, flavor: Flavor, **overrides: Any) -> None:
    """Put a flavor of the catalogue, changed by *overrides*, directly into a Nova."""
    values = document_of(flavor) | overrides
    extra_specs = values.pop("extra_specs")
    values.pop("OS-FLV-DISABLED:disabled")
    token, url = lab.token(f"{CLOUDS[node]}-admin"), f"{lab.nova_url(node)}/flavors"
    send("POST", url, token=token, body={"flavor": values})
    send("POST", f"{url}/{values['id']}/os-extra_specs", token=token, body={"extra_specs": extra_specs})
