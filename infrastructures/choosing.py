"""Finding the nodes that a caller names, if they may use them."""

from collections.abc import Callable, Collection

from rest_framework.exceptions import NotFound, PermissionDenied

from infrastructures.models import Infrastructure
from infrastructures.querysets import InfrastructureQuerySet


def _absent(names: str) -> Exception:
    return NotFound(f"There is no node {names}.")


def find_nodes(
    names: Collection[str],
    *,
    among: InfrastructureQuerySet | None = None,
    absent: Callable[[str], Exception] = _absent,
) -> list[Infrastructure]:
    """Return the nodes with these names, each once, by name.

    Args:
        among: the nodes to choose from; by default any.
        absent: makes the error for the names that no node has, joined as in `a, b`.

    Raises:
        NotFound, or what *absent* makes: there is no node with one of the names.
        PermissionDenied: one of them is not *among* those to choose from.

    Cost: one query, two with *among*.
    """
    nodes = list(Infrastructure.objects.filter(name__in=names)) if names else []
    known = {node.name for node in nodes}
    if missing := sorted(set(names) - known):
        raise absent(", ".join(missing))
    if among is not None and nodes:
        theirs = set(among.filter(name__in=names).values_list("name", flat=True))
        if foreign := sorted(known - theirs):
            raise PermissionDenied(f"You do not operate the node {', '.join(foreign)}.")
    return nodes


def find_nodes_or_all(
    names: Collection[str],
    *,
    among: InfrastructureQuerySet | None = None,
    absent: Callable[[str], Exception] = _absent,
) -> list[Infrastructure]:
    """Return what `find_nodes` does, or without names all nodes that we hold credentials for."""
    if names:
        return find_nodes(names, among=among, absent=absent)
    nodes = Infrastructure.objects.all() if among is None else among
    return list(nodes.with_credentials())
