"""Access lists of the catalogue, brought to the nodes whose projects they are about: those of the central Keystone.

What a node's operator has granted there stays; it is told from ours by what the catalogue has granted and revoked.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress

from flavors.models import Flavor, Grant, Installation
from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import region_of
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.replacements.changes import alone_with, keep_watching

Granted = Mapping[str, bool]
"""Whether a flavor is open to a project, or is no longer, by the projects' ids."""


def bring_access(*, infrastructure: Infrastructure, nova: Nova, flavors: Collection[Flavor]) -> str:
    """Grant and revoke in a node what the catalogue has, for those of these flavors that it has; return what failed.

    Nothing is done in a cloud with a Keystone of its own: its projects are others.

    Cost: none where all are open to every project; else one query, and where anything was granted one more, and for
    each of these flavors one upstream call and one for each change.
    """
    private = {flavor.pk for flavor in flavors if not flavor.is_public}
    granted = _granted(private) if private else {}
    if not granted or not region_of(infrastructure).is_central:
        return ""
    there = Installation.objects.filter(infrastructure=infrastructure, flavor__in=granted)
    failed = []
    for flavor, flavorid in there.values_list("flavor", "flavorid"):
        try:
            _bring(infrastructure, nova, flavorid, granted[flavor])
        except (CloudError, Conflict) as error:
            failed.append(f"The access to flavor {flavorid}: {error.detail}")
    return " ".join(failed)


def _granted(flavors: Collection[int]) -> dict[int, Granted]:
    granted: dict[int, dict[str, bool]] = defaultdict(dict)
    for flavor, project, revoked in Grant.objects.order_by().values_list("flavor", "project", "revoked"):
        if flavor in flavors:
            granted[flavor][project] = not revoked
    return dict(granted)


def _bring(infrastructure: Infrastructure, nova: Nova, flavorid: str, granted: Granted) -> None:
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
