"""Who may do what: one table of every operation for every kind of caller, on their own things and on others'."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from flavorsync_project.tests.world import ACCOUNTS, ACTORS, FOREIGN, KEYSTONE_TOKENS, OWN, PUBLIC, UNREGISTERED, World
from testing.federation import WIRES
from testing.wire import Api, Wire

# Each column is of people who may do the same, whichever way they prove who they are: by a token of Keyrock, by one of
# Keystone, and by a local account. Where the account may do something else, its answer is behind a colon.
# Of the flavors `private` and `public` are in the node that `own` operates, Mordor; `foreign-private` and
# `foreign-public` in Rohan, which `oth` does; `installed` is promoted and in Mordor, `promoted` promoted and nowhere.
# `root` is a local account that may do everything but operates no node, and `imp` presents what nobody issued.
COLUMNS = {
    "ano": ["anonymous"],
    "imp": ["impostor", "impostor-of-keystone", "impostor-of-an-account"],
    "bas": ["basic", "keystone-basic", "visitor"],
    "mgr": ["manager", "keystone-manager", "curator"],
    "own": ["owner", "keystone-owner", "operator"],
    "oth": ["neighbour", "keystone-neighbour", "other-operator"],
    "root": ["root"],
}
TABLE = """
operation                                | of what              | body            | ano imp bas mgr own     oth     root

GET    /v1                               |                      |                 | 200 401 200 200 200     200     200

# The catalogue is for everybody; private flavors are there for who operates their nodes.
GET    /v1/flavors                       |                      |                 | 200 401 200 200 200     200     200
GET    /v1/flavors/{id}                  | public               |                 | 200 401 200 200 200     200     200
GET    /v1/flavors/{id}                  | foreign-public       |                 | 200 401 200 200 200     200     200
GET    /v1/flavors/{id}                  | private              |                 | 404 401 404 404 200     404     404
GET    /v1/flavors/{id}                  | foreign-private      |                 | 404 401 404 404 404     200     404
GET    /v1/flavors/{id}                  | missing              |                 | 404 401 404 404 404     404     404

# Creating takes a node of one's own.
POST   /v1/flavors                       |                      | new             | 401 401 403 403 201     201     400
POST   /v1/flavors                       |                      | new own         | 401 401 403 403 201     403     403
POST   /v1/flavors                       |                      | new foreign     | 401 401 403 403 403     201     403
POST   /v1/flavors                       |                      | new nowhere     | 401 401 403 403 409     409     409
POST   /v1/flavors                       |                      | new public      | 401 401 403 403 201     201     400
POST   /v1/flavors                       |                      | new promoted    | 401 401 403 403 401     401     400
POST   /v1/flavors                       |                      | broken          | 401 401 400 400 400     400     400

# Publishing is for who operates the node; another one's private flavor is not even there.
PUT    /v1/flavors/{id}                  | private              | publish         | 401 401 403 404 200     404     404
PUT    /v1/flavors/{id}                  | foreign-private      | publish         | 401 401 403 404 404     200     404
PUT    /v1/flavors/{id}                  | public               | publish         | 401 401 403 200 200     200     200
PUT    /v1/flavors/{id}                  | public               | unpublish       | 401 401 403 409 409     403     409
PUT    /v1/flavors/{id}                  | foreign-public       | unpublish       | 401 401 403 409 403     409     409
PUT    /v1/flavors/{id}                  | private              | resize          | 401 401 403 404 200     404     404
PUT    /v1/flavors/{id}                  | foreign-private      | resize          | 401 401 403 404 404     200     404
PUT    /v1/flavors/{id}                  | public               | resize          | 401 401 403 409 409     403     409
PUT    /v1/flavors/{id}                  | foreign-public       | resize          | 401 401 403 409 403     409     409

# Promoting takes the role or the permission, and nothing else does.
PUT    /v1/flavors/{id}                  | public               | promote         | 401 401 401 200 401     401     200
PUT    /v1/flavors/{id}                  | foreign-public       | promote         | 401 401 401 200 401     401     200
PUT    /v1/flavors/{id}                  | private              | promote         | 401 401 401 404 401     401     404
PUT    /v1/flavors/{id}                  | foreign-private      | promote         | 401 401 401 404 401     401     404

# Installing is for who operates the node where it comes to be.
PUT    /v1/flavors/{id}                  | foreign-public       | install own     | 401 401 403 403 200     403     403
PUT    /v1/flavors/{id}                  | public               | install foreign | 401 401 403 403 403     200     403
PUT    /v1/flavors/{id}                  | private              | install foreign | 401 401 403 404 403     404     404
PUT    /v1/flavors/{id}                  | foreign-private      | install own     | 401 401 403 404 404     403     404
PUT    /v1/flavors/{id}                  | missing              | install own     | 401 401 403 404 404     404     404

DELETE /v1/flavors/{id}                  | private              |                 | 401 401 403 403 204     404     404
DELETE /v1/flavors/{id}                  | foreign-private      |                 | 401 401 403 403 404     204     404
DELETE /v1/flavors/{id}                  | public               |                 | 401 401 403 403 204     403     403
DELETE /v1/flavors/{id}                  | foreign-public       |                 | 401 401 403 403 403     204     403
DELETE /v1/flavors/{id}                  | installed            |                 | 401 401 403 403 204     403     403
DELETE /v1/flavors/{id}                  | promoted             |                 | 401 401 403 403 403     403     403
DELETE /v1/flavors/{id}                  | missing              |                 | 401 401 403 403 404     404     404

# One of the nodes by name: not one that is somebody else's, whether it has the flavor or not.
DELETE /v1/flavors/{id}                  | public?node=Mordor   |                 | 401 401 403 403 204     403     403
DELETE /v1/flavors/{id}                  | public?node=Rohan    |                 | 401 401 403 403 403     404     403
DELETE /v1/flavors/{id}                  | public?node=Nowhere  |                 | 401 401 403 403 404     404     404
DELETE /v1/flavors/{id}                  | foreign-public?node=Rohan |         | 401 401 403 403 403     204     403
DELETE /v1/flavors/{id}                  | foreign-private?node=Rohan |         | 401 401 403 403 404     204     404
PUT    /v1/flavors/{id}                  | public?node=Rohan    | publish         | 401 401 403 403 403     404     403
GET    /v1/flavors/{id}                  | public?node=Rohan    |                 | 404 401 404 404 404     404     404

# The promoted flavors: read with any credential, written with the role or the permission.
GET    /v1/promotedflavors               |                      |                 | 401 401 200 200 200     200     200
GET    /v1/promotedflavors/{id}          | promoted             |                 | 401 401 200 200 200     200     200
GET    /v1/promotedflavors/{id}          | public               |                 | 401 401 404 404 404     404     404
POST   /v1/promotedflavors               |                      | new             | 401 401 405 201 405     405     201
POST   /v1/promotedflavors               |                      | published       | 401 401 405 201 405     405     201
POST   /v1/promotedflavors               |                      | otherwise       | 401 401 405 409 405     405     409
POST   /v1/promotedflavors               |                      | broken          | 401 401 405 400 405     405     400
PUT    /v1/promotedflavors/{id}          | promoted             | resize          | 401 401 405 200 405     405     200
PUT    /v1/promotedflavors/{id}          | promoted             | unpublish       | 401 401 405 409 405     405     409
PUT    /v1/promotedflavors/{id}          | promoted             | install own     | 401 401 405 405 405     405     405
PUT    /v1/promotedflavors/{id}          | public               | resize          | 401 401 405 404 405     405     404
DELETE /v1/promotedflavors/{id}          | promoted             |                 | 401 401 405 204 405     405     204
DELETE /v1/promotedflavors/{id}          | installed            |                 | 401 401 405 405 405     405     405
DELETE /v1/promotedflavors/{id}          | public               |                 | 401 401 405 405 405     405     405

# A region's Nova decides by the Keystone token; without a caller's own credential it is not asked.
GET    /v1/regions                       |                      |                 | 401 401 200 200 200     200     200
GET    /v1/regions/{region}/flavors      | as admin             |                 | 401 401 200 200 200     200     200
GET    /v1/regions/{region}/flavors      | as member            |                 | 401 401 200 200 200     200     200
GET    /v1/regions/{region}/flavors      | as foreign           |                 | 401 401 401 401 401     401     401
GET    /v1/regions/{region}/flavors      | as none              |                 | 401 401 401 401 401     401     401
GET    /v1/regions/{region}/flavors/{id} | private as member    |                 | 401 401 200 200 200     200     200
GET    /v1/regions/{region}/flavors/{id} | private as foreign   |                 | 401 401 401 401 401     401     401
GET    /v1/regions/{region}/flavors/{id} | missing as member    |                 | 401 401 404 404 404     404     404
POST   /v1/regions/{region}/flavors      | as admin             | new             | 401 401 201 201 201     201     201
POST   /v1/regions/{region}/flavors      | as member            | new             | 401 401 403 403 403     403     403
POST   /v1/regions/{region}/flavors      | as foreign           | new             | 401 401 401 401 401     401     401
POST   /v1/regions/{region}/flavors      | as none              | new             | 401 401 401 401 401     401     401
PUT    /v1/regions/{region}/flavors/{id} | private as admin     | resize          | 401 401 200 200 200     200     200
PUT    /v1/regions/{region}/flavors/{id} | private as member    | resize          | 401 401 403 403 403     403     403
PUT    /v1/regions/{region}/flavors/{id} | private as foreign   | resize          | 401 401 401 401 401     401     401
PUT    /v1/regions/{region}/flavors/{id} | private as none      | resize          | 401 401 401 401 401     401     401
DELETE /v1/regions/{region}/flavors/{id} | private as admin     |                 | 401 401 204 204 204     204     204
DELETE /v1/regions/{region}/flavors/{id} | private as member    |                 | 401 401 403 403 403     403     403
DELETE /v1/regions/{region}/flavors/{id} | private as foreign   |                 | 401 401 401 401 401     401     401
DELETE /v1/regions/{region}/flavors/{id} | private as none      |                 | 401 401 401 401 401     401     401

# An owner registers the nodes of their own organizations, a local account any; each unregisters their own.
POST   /v1/infrastructures               |                      | own node        | 401 401 403 403 201     403:201 201
POST   /v1/infrastructures               |                      | other node      | 401 401 403 403 403:201 403:201 201
POST   /v1/infrastructures               |                      | foreign node    | 401 401 403 403 403:409 409     409
POST   /v1/infrastructures               |                      | broken node     | 401 401 403 403 400     403:400 400
DELETE /v1/infrastructures/{name}        | Mordor               |                 | 401 401 403 403 409     403     403
DELETE /v1/infrastructures/{name}        | Rohan                |                 | 401 401 403 403 403     409     403
DELETE /v1/infrastructures/{name}        | Nowhere              |                 | 401 401 404 404 404     404     404

# Run 71 is over Mordor, 73 over Rohan, 72 over both.
GET    /v1/sync/status                   |                      |                 | 401 401 403 200 200     200     200
GET    /v1/sync/runs                     |                      |                 | 401 401 403 200 200     200     200
GET    /v1/sync/runs/{id}                | 71                   |                 | 401 401 403 200 200     404     200
GET    /v1/sync/runs/{id}                | 72                   |                 | 401 401 403 200 200     200     200
GET    /v1/sync/runs/{id}                | 73                   |                 | 401 401 403 200 404     200     200
GET    /v1/sync/runs/{id}                | missing              |                 | 401 401 403 404 404     404     404
POST   /v1/sync/runs                     |                      | run             | 401 401 403 202 202     202     202
POST   /v1/sync/runs                     |                      | run own         | 401 401 403 202 202     403     202
POST   /v1/sync/runs                     |                      | run foreign     | 401 401 403 202 403     403     202
POST   /v1/sync/runs                     |                      | run nowhere     | 401 401 403 409 409     409     409
DELETE /v1/sync/runs/{id}                | 71                   |                 | 401 401 403 202 202     404     202
DELETE /v1/sync/runs/{id}                | 72                   |                 | 401 401 403 202 403     403     202
DELETE /v1/sync/runs/{id}                | 73                   |                 | 401 401 403 202 404     202     202
DELETE /v1/sync/runs/{id}                | missing              |                 | 401 401 403 404 404     404     404
POST   /v1/sync/runs                     |                      | broken run      | 401 401 403 400 400     400     400
"""

NEW = {"name": "new", "vcpus": 1, "ram": 512, "disk": 1}
PUBLISHED = {"name": PUBLIC, "vcpus": 2, "ram": 4096, "disk": 20, "swap": 512}
NODE = {
    "keystone_url": "https://keystone.example.org/v3",
    "username": "admin",
    "password": "sesame",
    "tenant": "admin",
}
BODIES: Mapping[str, Any] = {
    "new": {"flavor": NEW},
    "new own": {"flavor": {**NEW, "nodes": [OWN]}},
    "new foreign": {"flavor": {**NEW, "nodes": [FOREIGN]}},
    "new nowhere": {"flavor": {**NEW, "nodes": ["Nowhere"]}},
    "new public": {"flavor": {**NEW, "public": True}},
    "new promoted": {"flavor": {**NEW, "public": True, "promoted": True}},
    "broken": {"flavor": {**NEW, "vcpus": 0}},
    "published": {"flavor": {"id": PUBLIC, **PUBLISHED}},
    "otherwise": {"flavor": {"id": PUBLIC, **PUBLISHED, "ram": 8192}},
    "publish": {"flavor": {"public": True}},
    "unpublish": {"flavor": {"public": False}},
    "promote": {"flavor": {"public": True, "promoted": True}},
    "resize": {"flavor": {"ram": 8192}},
    "install own": {"flavor": {"nodes": [OWN]}},
    "install foreign": {"flavor": {"nodes": [FOREIGN]}},
    "run": {"run": {}},
    "run own": {"run": {"nodes": [OWN]}},
    "run foreign": {"run": {"nodes": [OWN, FOREIGN]}},
    "run nowhere": {"run": {"nodes": [OWN, "Nowhere"]}},
    "broken run": {"run": {"dry_run": "perhaps"}},
    "own node": {"infrastructure": {"name": UNREGISTERED, **NODE}},
    "other node": {"infrastructure": {"name": "Gondor", **NODE}},
    "foreign node": {"infrastructure": {"name": FOREIGN, **NODE}},
    "broken node": {"infrastructure": {"name": UNREGISTERED, **NODE, "keystone_url": "ftp://example.org"}},
}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    method: str
    template: str
    of_what: str
    body: str
    expected: Mapping[str, int]

    def __str__(self) -> str:
        return " ".join(part for part in (self.method, self.template, self.of_what, self.body) if part)

    @property
    def path(self) -> str:
        """Return the path, of the thing that the row is about."""
        thing = self.of_what.partition("as ")[0].strip()
        return re.sub(r"\{(id|name)\}", thing, self.template).replace("{region}", OWN)

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the Keystone token that the row is about."""
        return KEYSTONE_TOKENS[self.of_what.partition("as ")[2] or "none"]


def _rows() -> list[Row]:
    header, *lines = [line for line in TABLE.splitlines() if line and not line.startswith("#")]
    columns = [COLUMNS[column] for column in header.rpartition("|")[2].split()]
    assert sorted(actor for actors in columns for actor in actors) == sorted(ACTORS)
    rows = []
    for line in lines:
        operation, of_what, body, statuses = (cell.strip() for cell in line.split("|"))
        method, template = operation.split()
        expected = dict(_answers(columns, statuses.split()))
        rows.append(Row(method, template, of_what, body, expected))
    return rows


def _answers(columns: list[list[str]], cells: list[str]) -> Iterator[tuple[str, int]]:
    """Yield what each actor is answered."""
    for actors, cell in zip(columns, cells, strict=True):
        for actor in actors:
            by_token, _, by_account = cell.partition(":")
            yield actor, int(by_account or by_token) if actor in ACCOUNTS else int(by_token)


ROWS = _rows()


# Who may do what does not depend on the format: in XML it is one row of each operation.
IN_XML = {(row.method, row.template): row for row in ROWS}.values()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_who_may_do_what(world: World, row: Row) -> None:
    assert answered(world, row, WIRES["json"]) == row.expected


@pytest.mark.parametrize("row", IN_XML, ids=str)
def test_who_may_do_what_in_xml(world: World, row: Row) -> None:
    assert answered(world, row, WIRES["xml"]) == row.expected


def answered(world: World, row: Row, wire: Wire) -> dict[str, int]:
    """Return the statuses that everybody is answered, each in a world that nobody has changed."""
    body = wire.write(BODIES[row.body]) if row.body else b""
    statuses = {}
    for actor, credentials in ACTORS.items():
        with world.fresh():
            statuses[actor] = Api(wire, {**credentials, **row.headers}).send(row.method, row.path, body).status
    return statuses


def test_every_operation_is_in_the_table() -> None:
    document = yaml.safe_load(APIClient().get("/v1/schema").content)
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert {(row.template, row.method) for row in ROWS} == described


def test_every_route_of_the_api_is_an_operation_or_another_name_of_one() -> None:
    """What the document leaves out on purpose is the document itself, and its page."""
    document = yaml.safe_load(APIClient().get("/v1/schema").content)
    described = {re.sub(r"\{\w+\}", "X", path) for path in document["paths"]}
    routed = {_as_described(route) for route in _routes(get_resolver().url_patterns) if "v1" in route}
    assert routed - described == {"/v1/schema", "/v1/docs"}


def _routes(patterns: list[URLPattern | URLResolver], before: str = "") -> list[str]:
    found = []
    for pattern in patterns:
        route = before + str(pattern.pattern).removeprefix("^").removesuffix("$")
        found += _routes(pattern.url_patterns, route) if isinstance(pattern, URLResolver) else [route]
    return found


def _as_described(route: str) -> str:
    path = re.sub(r"\(\?P<\w+>\[\^/[^\]]*\]\+\)|<\w+>", "X", "/" + route.removesuffix("/?").removesuffix("\\Z"))
    path = re.sub(r"^/api/v1", "/v1", path)
    return re.sub(r"^/v1/(nodes|region(?=/))", "/v1/regions", path)
