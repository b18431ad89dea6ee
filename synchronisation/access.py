"""Access lists of the catalogue, brought to the nodes.

The catalogue names projects by their ids in the central Keystone. A cloud with a Keystone of its own has other ids:
there a project is the one that is called the same, in a domain that is called the same. A project that such a node
does not have is written down with what was last seen of the flavor there.

What a node's operator has granted there stays; it is told from ours by what the catalogue has granted and revoked.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from flavors.models import Flavor, Grant, Installation, Sighting
from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import credentials_of, region_of
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, CredentialsMissing, FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.projects import ProjectName, find_project, name_of_project
from infrastructures.openstack.records import Credentials
from infrastructures.replacements.changes import alone_with, keep_watching

Granted = Mapping[str, bool]
"""Whether a flavor is open to a project, or is no longer, by the projects' ids in the node."""


def bring_access(*, infrastructure: Infrastructure, nova: Nova, flavors: Collection[Flavor]) -> str:
    """Grant and revoke in a node what the catalogue has, for those of these flavors that it has; return what failed.

    Cost: none where all are open to every project; else one query, and where anything was granted one more, and for
    each of these flavors one upstream call and one for each change. In a cloud with a Keystone of its own two queries
    more for each flavor, and two calls to it for each project; and as many to the central one, the first time.
    """
    private = {flavor.pk for flavor in flavors if not flavor.is_public}
    granted = _granted(private) if private else {}
    if not granted:
        return ""
    there = Installation.objects.filter(infrastructure=infrastructure, flavor__in=granted)
    projects, failed = _Projects(infrastructure), []
    for flavor, flavorid in there.values_list("flavor", "flavorid"):
        try:
            known, lacking = projects.known_here(granted[flavor])
            _bring(infrastructure, nova, flavorid, known)
            projects.note_lacking(flavor, lacking)
        except (CloudError, Conflict) as error:
            failed.append(f"The access to flavor {flavorid}: {error.detail}")
    return " ".join(failed)


def _granted(flavors: Collection[int]) -> dict[int, list[Grant]]:
    granted: dict[int, list[Grant]] = defaultdict(list)
    for grant in Grant.objects.order_by("project"):
        if grant.flavor_id in flavors:
            granted[grant.flavor_id].append(grant)
    return dict(granted)


class _Projects:
    """The projects of a node, found by what they are called in the central Keystone if that is not the node's own."""

    def __init__(self, infrastructure: Infrastructure) -> None:
        self._node = infrastructure
        self._is_central = region_of(infrastructure).is_central
        self._ids: dict[ProjectName, str | None] = {}

    def known_here(self, grants: Sequence[Grant]) -> tuple[Granted, list[str]]:
        """Return the grants by the node's own ids, and which of the projects the node does not have.

        Raises:
            CloudError: a Keystone did not say.
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
        """Write down which projects the node does not have. Cost: none in a node of the central Keystone, else one."""
        if not self._is_central:
            seen = Sighting.objects.filter(flavor=flavor, infrastructure=self._node)
            seen.update(lacking_projects=lacking or None)

    def _find(self, called: ProjectName) -> str | None:
        if called not in self._ids:
            self._ids[called] = find_project(credentials_of(self._node), called)
        return self._ids[called]


def _called(grant: Grant) -> ProjectName | None:
    """Return what a project is called, as the central Keystone says the first time; None if it has none of that id.

    Raises:
        CloudError: it did not say.
    """
    if grant.name:
        return ProjectName(grant.name, grant.domain)
    error: CloudError | None = None
    for credentials in _of_the_central_keystone():
        try:
            called = name_of_project(credentials, grant.project)
        except CloudError as refused:
            error = refused  # another account may know
            continue
        if called:
            Grant.objects.filter(pk=grant.pk, name="").update(name=called.name, domain=called.domain)
        return called
    if error:
        raise error
    return None


def _of_the_central_keystone() -> Iterator[Credentials]:
    """Yield our accounts there. One query."""
    for node in Infrastructure.objects.with_credentials():
        if region_of(node).is_central:
            with suppress(CredentialsMissing):
                yield credentials_of(node)


def _bring(infrastructure: Infrastructure, nova: Nova, flavorid: str, granted: Granted) -> None:
    if not granted:
        return
    with alone_with(infrastructure, flavorid):
        has = set(nova.projects_of(flavorid))
        changes = {project: is_open for project, is_open in granted.items() if is_open != (project in has)}
        for project, is_open in sorted(changes.items()):
            if is_open:
                nova.grant_access(flavorid, project)
            else:
                with suppress(FlavorNotFound):  # somebody else has just revoked it
                    nova.revoke_access(flavorid, project)
        if changes:
            keep_watching(infrastructure=infrastructure, nova=nova, flavorid=flavorid)
