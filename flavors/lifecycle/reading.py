"""The flavors that a caller sees: the catalogue's, and the private ones of the nodes that they operate."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from flavors.lifecycle.private import (
    PrivateFlavor,
    find_private,
    private_flavors_as_far_as_known,
)
from flavors.lifecycle.rights import operated_nodes
from flavors.models import Flavor
from identity.callers import Caller
from infrastructures.openstack.nova import Nova


@dataclass(frozen=True)
class Listed:
    """Flavors (a query if no node was asked), and the names of the nodes that did not say what they have."""

    flavors: QuerySet[Flavor] | list[Flavor | PrivateFlavor]
    unreachable: Sequence[str] = ()


def list_flavors(*, user: Caller, promoted: bool | None, public: bool | None, node: str | None) -> Listed:
    """Return the catalogue, and the private flavors of the nodes that *user* operates.

    Raises:
        CloudError: none of those nodes could be asked.

    Cost: three queries when the result is read. Unless `promoted` or `public` is true: one more for a user who has
    signed in, and for an operator one more still, and one upstream call in each of their nodes, side by side.
    """
    catalogue = Flavor.objects.published().in_state(promoted=promoted, node=node).with_nodes()
    if promoted or public:
        return Listed(catalogue.none() if public is False else catalogue)  # what is promoted is public
    operated = operated_nodes(user, node)
    if not operated:
        return Listed(catalogue if public is None else [])
    private, unreachable = private_flavors_as_far_as_known(operated, Nova.list_flavors)
    shown = [*(catalogue if public is None else ()), *private]
    return Listed(sorted(shown, key=lambda flavor: (flavor.name, flavor.flavorid)), unreachable)


def find_flavor(*, user: Caller, flavorid: str, node: str | None) -> Flavor | PrivateFlavor:
    """Return the flavor of the catalogue, else the private one in a node that *user* operates.

    If several private ones have this id and different values, return the first by node.

    Raises:
        NotFound: there is none that *user* may see.
        CloudError: one of the user's nodes could not be asked.

    Cost: three queries for one of the catalogue; else six, and one upstream call in each of the
    user's nodes, side by side; if there is none, three more queries and the calls again.
    """
    return _find(user, flavorid, node)[0]


def _find(user: Caller, flavorid: str, node: str | None) -> list[Flavor] | list[PrivateFlavor]:
    flavor = find_in_catalogue(flavorid, node)
    return [flavor] if flavor else find_private(operated_nodes(user, node), flavorid)


def find_in_catalogue(flavorid: str, node: str | None) -> Flavor | None:
    """Return the published flavor of this id, in *node* when one is named; None when there is none."""
    flavor = Flavor.objects.published().with_nodes().filter(flavorid=flavorid).first()
    return flavor if flavor and (node is None or node in flavor.nodes) else None
