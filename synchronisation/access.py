"""Applying the catalogue's access lists to the nodes.

The catalogue names projects by their ids in the central Keystone. A cloud with a Keystone of its own has other ids:
there a project is matched by its name and its domain's name. A project that such a node lacks is recorded in the
flavor's sighting there.

What a node's operator has granted stays: only projects that the catalogue has granted or revoked are changed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from flavors.models import Flavor, Grant, Installation, Sighting
from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import credentials_of, region_of
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, CredentialsMissing, FlavorNotFound, FlavorRefused, Forbidden
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.projects import ProjectName, find_project, name_of_project
from infrastructures.openstack.records import Credentials
from infrastructures.replacements.changes import alone_with, keep_watching

Granted = Mapping[str, bool]
"""Whether a flavor is granted (true) or revoked, by the projects' ids in the node."""


def bring_access(*, infrastructure: Infrastructure, nova: Nova, flavors: Collection[Flavor]) -> str:
    """Grant and revoke access as in the catalogue, for those of these flavors that a node has; return what failed.

    Cost: none if all are open to every project; else one query, and if anything was granted one more, and for each of
    these flavors one upstream call and one for each change. In a cloud with a Keystone of its own two more queries
    for each flavor, and two calls to it for each project; and as many to the central one, the first time.
    """
    private = {flavor.pk for flavor in flavors if not flavor.is_public}
    granted = _granted(private) if private else {}
    if not granted:
        return ""
    there = Installation.objects.filter(infrastructure=infrastructure, flavor__in=granted)
    projects = _Projects(infrastructure)
    failed: list[str] = []
    for flavor, flavorid in there.values_list("flavor", "flavorid"):
        try:
            known, lacking = projects.known_here(granted[flavor])
            refused = _bring(infrastructure, nova, flavorid, known)
            projects.note_lacking(flavor, lacking)
        except (CloudError, Conflict) as error:
            refused = [str(error.detail)]
        failed += [f"The access to flavor {flavorid}: {reason}" for reason in refused]
    return " ".join(failed)


def _granted(flavors: Collection[int]) -> dict[int, list[Grant]]:
    granted: dict[int, list[Grant]] = defaultdict(list)
    for grant in Grant.objects.order_by("project"):
        if grant.flavor_id in flavors:
            granted[grant.flavor_id].append(grant)
    return dict(granted)


class _Projects:
    """The projects of a node, found by name if the node's Keystone is not the central one."""

    def __init__(self, infrastructure: Infrastructure) -> None:
        self._node = infrastructure
        self._is_central = region_of(infrastructure).is_central
        self._ids: dict[ProjectName, str | None] = {}

    def known_here(self, grants: Sequence[Grant]) -> tuple[Granted, list[str]]:
        """Return the grants by the node's own ids, and the projects that the node lacks.

        Raises:
            CloudError: a Keystone did not answer.
        """
        if self._is_central:
            return {grant.project: not grant.revoked for grant in grants}, []
        known: dict[str, bool] = {}
        lacking = []
        for grant in grants:
            called = _called(grant)
            project = self._find(called) if called else None
            if project:
                known[project] = not grant.revoked
            elif not grant.revoked:
                lacking.append(str(called or grant.project))
        return known, lacking

    def note_lacking(self, flavor: int, lacking: list[str]) -> None:
        """Record which projects the node lacks. Cost: no query in a node of the central Keystone, else one."""
        if not self._is_central:
            seen = Sighting.objects.filter(flavor=flavor, infrastructure=self._node)
            seen.update(lacking_projects=lacking or None)

    def _find(self, called: ProjectName) -> str | None:
        if called not in self._ids:
            self._ids[called] = find_project(credentials_of(self._node), called)
        return self._ids[called]


def _called(grant: Grant) -> ProjectName | None:
    """Return a project's name, asking the central Keystone the first time; None if it has no project with that id.

    Raises:
        CloudError: it did not answer.
    """
    if grant.name:
        return ProjectName(grant.name, grant.domain)
    error: CloudError | None = None
    for credentials in _of_the_central_keystone():
        try:
            called = name_of_project(credentials, grant.project)
        except CloudError as refused:
            error = refused  # another account may be allowed to see the project
            continue
        if called:
            Grant.objects.filter(pk=grant.pk, name="").update(name=called.name, domain=called.domain)
        return called
    if error:
        raise error
    return None


def _of_the_central_keystone() -> Iterator[Credentials]:
    """Yield our credentials for the central Keystone. One query."""
    for node in Infrastructure.objects.with_credentials():
        if region_of(node).is_central:
            with suppress(CredentialsMissing):
                yield credentials_of(node)


def _bring(infrastructure: Infrastructure, nova: Nova, flavorid: str, granted: Granted) -> list[str]:
    """Grant and revoke, and return why Nova refused some, which is no reason to leave the others."""
    refused: list[str] = []
    if not granted:
        return refused
    with alone_with(infrastructure, flavorid):
        has = set(nova.projects_of(flavorid))
        changes = {project: is_open for project, is_open in granted.items() if is_open != (project in has)}
        for project, is_open in sorted(changes.items()):
            try:
                _change(nova, flavorid, project, is_open=is_open)
            except (FlavorRefused, Forbidden) as error:
                refused.append(str(error.detail))
        if changes:
            keep_watching(infrastructure=infrastructure, nova=nova, flavorid=flavorid)
    return refused


def _change(nova: Nova, flavorid: str, project: str, *, is_open: bool) -> None:
    if is_open:
        nova.grant_access(flavorid, project)
        return
    with suppress(FlavorNotFound):  # it has just been revoked by somebody else
        nova.revoke_access(flavorid, project)
