"""Whose nodes are meant, and what may be done there."""

from collections.abc import Sequence
from typing import Any

from rest_framework.exceptions import PermissionDenied, ValidationError

from flavors.permissions import PROMOTE
from flavorsync_project.api.errors import Conflict, Unauthorized
from infrastructures.models import Infrastructure
from infrastructures.registration import REGISTER


def operated_nodes(user: Any, node: str | None = None) -> list[Infrastructure]:
    """Return the nodes that *user* operates and we can enter, or the one of them called *node*."""
    operated = Infrastructure.objects.operated_by(user).with_credentials()
    return list(operated if node is None else operated.filter(name=node))


def require_operator(user: Any) -> None:
    if not user.has_perm(REGISTER) and not Infrastructure.objects.operated_by(user).exists():
        raise PermissionDenied("This takes an operator of a node.")


def require_own(user: Any, node: str) -> None:
    """Raise `PermissionDenied` for the node of somebody else; not for one that there is not."""
    named = Infrastructure.objects.filter(name=node)
    if named.exists() and not named.operated_by(user).exists():
        raise PermissionDenied(f"You do not operate the node {node}.")


def require_promotable(user: Any, *, public: bool) -> None:
    if not public:
        raise ValidationError({"promoted": ["a flavor that is not public cannot be promoted"]})
    if not user.has_perm(PROMOTE):
        raise unprivileged()


def unprivileged() -> Unauthorized:
    return Unauthorized(
        "Promoting takes the role InfrastructureManager.", www_authenticate='Bearer realm="Flavor Sync"'
    )


def chosen_nodes(user: Any, names: Sequence[str]) -> list[Infrastructure]:
    if names:
        return named_nodes(user, names)
    operated = list(Infrastructure.objects.operated_by(user))
    if len(operated) != 1:
        raise ValidationError({"nodes": [f"is required: you operate {len(operated)} nodes"]})
    return operated


def named_nodes(user: Any, names: Sequence[str]) -> list[Infrastructure]:
    """Return the nodes of these names, each once.

    Raises:
        Conflict: there is no node of one of the names.
        PermissionDenied: one of them is not the user's.
    """
    known = {infrastructure.name: infrastructure for infrastructure in Infrastructure.objects.filter(name__in=names)}
    for name in names:
        if name not in known:
            raise Conflict(f"nodes: there is no node {name}")
    operated = set(Infrastructure.objects.operated_by(user).filter(name__in=names).values_list("name", flat=True))
    for name in names:
        if name not in operated:
            raise PermissionDenied(f"You do not operate the node {name}.")
    return [known[name] for name in dict.fromkeys(names)]
