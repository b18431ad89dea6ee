"""The people of the federation, as an IdM knows them: the stand-in for Keyrock, and the OpenID provider."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lab import seed
from lab.files import write

Json = dict[str, Any]

VARIABLE: Final = "FLAVORSYNC_LAB_PEOPLE"
"""Names the file to both IdMs, which read it anew each time: roles are given and taken while they run."""

_MANAGER_ROLE = {"id": "0c1d2e3f-1111-4a4a-8b8b-000000000001", "name": "InfrastructureManager"}
_OWNER_ROLE = {"id": "0c1d2e3f-3333-4a4a-8b8b-000000000003", "name": "InfrastructureOwner"}
# A role with the same name, made by somebody else in their own application
_OTHER_MANAGER_ROLE = _MANAGER_ROLE | {"id": "0c1d2e3f-4444-4a4a-8b8b-000000000004"}


def _organization(node: str, number: int) -> Json:
    return {
        "id": f"0c1d2e3f-2222-4a4a-8b8b-{number:012}",
        "name": f"{node} FIDASH",
        "description": f"{node} infrastructure owners",
        "website": None,
        "roles": [_OWNER_ROLE],
    }


def _user(
    name: str,
    number: int,
    *,
    roles: tuple[Json, ...] = (),
    organizations: tuple[Json, ...] = (),
    application: str = seed.IDM_APPLICATION,
) -> Json:
    identifier = f"b6a5f0de-3c3b-4a52-9f3e-3a1b7b7a{number:04}"
    return {
        "organizations": organizations,
        "displayName": "",
        "roles": roles,
        "app_id": application,
        "trusted_apps": [],
        "isGravatarEnabled": "",
        "id": identifier,
        "authorization_decision": "",
        "app_azf_domain": "",
        "eidas_profile": {},
        "attributes": {},
        "shared_attributes": "",
        "username": name,
        "email": f"{name}@example.org",
        "given_name": name,
        "family_name": name,
        "image": "",
        "gravatar": "",
        "extra": None,
        "sub": identifier,
    }


KNOWN: Final[dict[str, Json]] = {
    "basic": _user("basic", 1),
    "manager": _user("manager", 2, roles=(_MANAGER_ROLE,)),
    "owner-spain2": _user("owner-spain2", 3, organizations=(_organization("Spain2", 2),)),
    "owner-mordor": _user("owner-mordor", 4, organizations=(_organization("Mordor", 3),)),
    "other-application": _user(
        "basic",
        1,
        roles=(_OTHER_MANAGER_ROLE,),
        application=seed.OTHER_IDM_APPLICATION,
    ),
    # A token of the application itself, not of a person, so there is no id
    "machine": {"app_id": seed.IDM_APPLICATION},
}
"""Whom the IdM knows from the start, by name, as Keyrock describes them."""


def file_of(instance: Path) -> Path:
    """Return where the people of an instance of the lab are."""
    return instance / "people.json"


def save(instance: Path, known: dict[str, Json] = KNOWN) -> None:
    """Have the IdMs of an instance know these people, and the federation's application."""
    client = {"client_id": seed.IDM_APPLICATION, "client_secret": seed.IDM_CLIENT_SECRET}
    write(file_of(instance), json.dumps(client | {"people": known}, indent=2))


def known() -> dict[str, Json]:
    """Return whom the IdM knows now: those of the file, if there is one, else those from the start."""
    if VARIABLE not in os.environ:
        return KNOWN
    people: dict[str, Json] = json.loads(Path(os.environ[VARIABLE]).read_text())["people"]
    return people


@contextmanager
def without_roles(instance: Path, name: str) -> Iterator[None]:
    """Have somebody no role meanwhile, neither of their own nor in an organization."""
    save(instance, KNOWN | {name: KNOWN[name] | {"roles": [], "organizations": []}})
    try:
        yield
    finally:
        save(instance)
