"""Giving another name to the flavor that stands in the way: in a node it has the name of a promoted flavor.

Nova cannot rename a flavor: it is deleted and created again under the same id, through the journal of replacements.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from django.core.exceptions import ValidationError as Invalid
from rest_framework.exceptions import ValidationError

from flavors.catalogue.comparison import NodeFlavors, differences_between
from flavors.catalogue.sightings import known_ids
from flavors.models import Flavor
from flavors.validators import validate_name
from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import open_nova, with_one_retry
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CredentialsRefused
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements.replacing import replace_flavor
from synchronisation.comparing import compare_nodes

SUFFIX = ".old"


@dataclass(frozen=True, kw_only=True)
class InTheWay:
    """The flavor of a node that has a promoted flavor's name.

    Members:
        servers: how many servers use it; None if we may not count them: `refusal` says so.
        refusal: why it cannot be renamed from here, or "".
        proposal: a name that is free.
    """

    flavor: NovaFlavor
    servers: int | None
    refusal: str
    proposal: str

    @property
    def digest(self) -> str:
        """A hash that changes with the flavor, and with whether servers use it."""
        told = [self.flavor.as_json(), bool(self.servers), self.refusal]
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def find_in_the_way(*, flavor: Flavor, infrastructure: Infrastructure) -> InTheWay | None:
    """Return the flavor that has a promoted flavor's name in a node, as it is now; None if the name is free there.

    Raises:
        CloudError: the node could not be asked.

    Cost: five queries; upstream, one call per page of Nova's list and one to count the servers.
    """
    nova = with_one_retry(lambda: open_nova(infrastructure))
    return _look(flavor, infrastructure, nova, with_one_retry(lambda: NodeFlavors.of(nova.list_flavors())))


def rename_in_the_way(
    *, flavor: Flavor, infrastructure: Infrastructure, digest: str, name: str, requested_by: str
) -> InTheWay:
    """Give the flavor in the way another name, and compare the node again; return it as it was before.

    Args:
        digest: that of the flavor in the way as it was shown.

    Raises:
        ValidationError: the name is not one that Nova accepts, or is taken in the node or in the catalogue.
        Conflict: the flavor is no longer as it was shown, or may not be renamed from here.
        CloudError: Nova refused or failed; the flavor keeps its name, or the replacement is settled later.

    Cost: as `find_in_the_way`, `replace_flavor` and `compare_nodes`.
    """
    nova = open_nova(infrastructure)
    there = NodeFlavors.of(nova.list_flavors())
    found = _look(flavor, infrastructure, nova, there)
    if found is None or found.digest != digest:
        raise Conflict(f"{infrastructure} has changed since this was shown.")
    if found.refusal:
        raise Conflict(found.refusal)
    _require_free(name, there, flavor=flavor, renamed=found.flavor)

    def changes(old: NovaFlavor) -> dict[str, str]:
        if old.row != found.flavor.row:
            raise Conflict(f"Somebody else has just changed flavor {old.id} in {infrastructure}.")
        return {"name": name}

    replace_flavor(
        infrastructure=infrastructure,
        nova=nova,
        flavorid=found.flavor.id,
        changes=changes,
        requested_by=requested_by,
    )
    compare_nodes(infrastructures=[infrastructure], flavors=[flavor])
    return found


def _look(flavor: Flavor, infrastructure: Infrastructure, nova: Nova, there: NodeFlavors) -> InTheWay | None:
    ids = known_ids([infrastructure])
    has = there.named(flavor.name)
    if has is None or has.id in (flavor.flavorid, ids.get((flavor.pk, infrastructure.pk))):
        return None
    known = Flavor.objects.filter(pk__in=[pk for (pk, _), there_as in ids.items() if there_as == has.id])
    catalogued = known.first() or Flavor.objects.published().filter(flavorid=has.id).first()
    servers, refusal = _counted(nova, has.id)
    if catalogued:
        refusal = f"It is the catalogue's flavor {catalogued}: repair that one in {infrastructure} first."
    return InTheWay(flavor=has, servers=servers, refusal=refusal, proposal=_proposal(flavor, has, there))


def _counted(nova: Nova, flavorid: str) -> tuple[int | None, str]:
    try:
        return nova.count_servers(flavorid), ""
    except CredentialsRefused as error:
        return None, f"We may not count the servers that use it, so it is left alone. {error.detail}"


def _proposal(flavor: Flavor, has: NovaFlavor, there: NodeFlavors) -> str:
    """Return the promoted flavor's own name if nothing but its case differs: then it can be adopted; or a free one."""
    differences = differences_between(flavor.as_nova(has.id), has, descriptions=there.keeps_descriptions)
    if [difference.member for difference in differences] == ["name"]:
        return flavor.name
    name, number = has.name + SUFFIX, 2
    while there.named(name):
        name, number = f"{has.name}{SUFFIX}{number}", number + 1
    return name


def _require_free(name: str, there: NodeFlavors, *, flavor: Flavor, renamed: NovaFlavor) -> None:
    try:
        validate_name(name)
    except Invalid as error:
        raise ValidationError({"name": error.messages}) from error
    has = there.named(name)
    if has and has.id != renamed.id:
        raise ValidationError({"name": [f"Flavor {has.id} there has this name."]})
    others = Flavor.objects.exclude(pk=flavor.pk).filter(name_key=name.lower())
    if others.exists() or (name.lower() == flavor.name.lower() and name != flavor.name):
        raise ValidationError({"name": ["A flavor of the catalogue has this name."]})
    if name == renamed.name:
        raise ValidationError({"name": ["It has this name already."]})
