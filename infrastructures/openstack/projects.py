"""Looking up a Keystone's projects by id and by name, as far as our account there may see them."""

import re
from dataclasses import dataclass
from typing import Any

from flavorsync_project.api.urls import keystone_v3
from infrastructures.openstack import shapes
from infrastructures.openstack.errors import FlavorNotFound, Forbidden
from infrastructures.openstack.keystone import SERVICE, session_of
from infrastructures.openstack.records import Credentials
from infrastructures.openstack.translation import translated

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True)
class ProjectName:
    """A project's name and domain, which unlike its id are the same in several Keystones."""

    name: str
    domain: str

    def __str__(self) -> str:
        return f"{self.name} of the domain {self.domain}"


def name_of_project(credentials: Credentials, project: str) -> ProjectName | None:
    """Return the name of the project with this id, None if there is none. Cost: two upstream calls.

    Raises:
        CloudError: Keystone did not answer, or our account may not see projects.
    """
    if not _ID.fullmatch(project):
        return None
    try:
        found = _get(credentials, f"projects/{project}")["project"]
        with translated(credentials.region.name, SERVICE):
            name = shapes.line(found["name"], "a project's name")
            domain = shapes.line(found["domain_id"], "a domain's id")
        if not _ID.fullmatch(domain):
            return None
        found = _get(credentials, f"domains/{domain}")["domain"]
    except FlavorNotFound:
        return None
    with translated(credentials.region.name, SERVICE):
        return ProjectName(name, shapes.line(found["name"], "a domain's name"))


def find_project(credentials: Credentials, called: ProjectName) -> str | None:
    """Return the id of the project with this name, None if there is none. Cost: two upstream calls, or one.

    Raises:
        CloudError: as `name_of_project`.
    """
    domain = _only(credentials, "domains", name=called.domain)
    return _only(credentials, "projects", name=called.name, domain_id=domain) if domain else None


def _only(credentials: Credentials, kind: str, *, name: str, **query: str) -> str | None:
    """Return the id of the item with this name, checked here too: a Keystone may ignore the filter."""
    found = _get(credentials, kind, name=name, **query)
    with translated(credentials.region.name, SERVICE):
        return next((shapes.line(each["id"], "an id") for each in found[kind] if each["name"] == name), None)


def _get(credentials: Credentials, path: str, **query: str) -> Any:
    region = credentials.region
    try:
        with translated(region.name, SERVICE):
            _, session = session_of(credentials)
            url, headers = f"{keystone_v3(region.keystone_url)}/{path}", {"Accept": "application/json"}
            return session.get(url, params=query, headers=headers).json()
    except Forbidden as error:
        reason = "its Keystone does not let our account see which projects there are."
        raise Forbidden(region.name, reason, request_id=error.request_id) from error
