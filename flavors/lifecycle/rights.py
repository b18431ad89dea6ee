"""Which nodes a request means, and what the caller may do there."""

from collections.abc import Sequence

from rest_framework.exceptions import PermissionDenied, ValidationError

from flavors.permissions import PROMOTE
from flavorsync_project.api.errors import Conflict, Unauthorized
from identity.callers import Caller
from infrastructures.choosing import find_nodes
from infrastructures.models import Infrastructure
from infrastructures.registration import REGISTER


def operated_nodes(user: Caller, node: str | None = None) -> list[Infrastructure]:
    """Return the nodes that *user* operates and we can enter, or only the one named *node*."""
    operated = Infrastructure.objects.operated_by(user).with_credentials()
    return list(operated if node is None else operated.filter(name=node))


def require_operator(user: Caller) -> None:
    """Raise `PermissionDenied` if *user* operates no node and may not register any."""
    if not user.has_perm(REGISTER) and not Infrastructure.objects.operated_by(user).exists():
        raise PermissionDenied("Only operators of a node may do this.")


def require_own(user: Caller, node: str) -> None:
    """Raise `PermissionDenied` if the node is somebody else's, but not if it does not exist."""
    named = Infrastructure.objects.filter(name=node)
    if named.exists() and not named.operated_by(user).exists():
        raise PermissionDenied(f"You do not operate the node {node}.")


def require_promotable(user: Caller, *, public: bool) -> None:
    """Raise `ValidationError` if the flavor is not public, and `Unauthorized` if *user* may not promote."""
    if not public:
        raise ValidationError({"promoted": ["a flavor that is not public cannot be promoted"]})
    if not user.has_perm(PROMOTE):
        raise unprivileged()


def unprivileged() -> Unauthorized:
    """Return the error for a caller who may not promote."""
    return Unauthorized(
        "Promoting requires the role InfrastructureManager.", www_authenticate='Bearer realm="Flavor Sync"'
    )


def chosen_nodes(user: Caller, names: Sequence[str]) -> list[Infrastructure]:
    """Return what `named_nodes` does, or without names the one node that *user* operates.

    Raises:
        ValidationError: there is no name, and *user* does not operate exactly one node.
    """
    if names:
        return named_nodes(user, names)
    operated = list(Infrastructure.objects.operated_by(user))
    if len(operated) != 1:
        raise ValidationError({"nodes": [f"is required: you operate {len(operated)} nodes"]})
    return operated


def named_nodes(user: Caller, names: Sequence[str]) -> list[Infrastructure]:
    """Return the nodes with these names, each once, in their order.

    Raises:
        Conflict: there is no node with one of the names.
        PermissionDenied: one of them is not the user's.
    """
    nodes = find_nodes(
        names,
        among=Infrastructure.objects.operated_by(user),
        absent=lambda missing: Conflict(f"nodes: there is no node {missing}"),
    )
    return sorted(nodes, key=lambda node: names.index(node.name))
