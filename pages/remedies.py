"""Remedies for what a page shows: links and buttons. A repair is previewed before it starts."""

from collections.abc import Collection
from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True)
class Remedy:
    """A remedy: a link or, with *posts*, a button."""

    label: str
    url: str
    posts: tuple[tuple[str, object], ...] = ()


def check(node: int) -> Remedy:
    """Return the button that checks the connection to a node."""
    posts = (("action", "check_connections"), ("_selected_action", node))
    return Remedy("Check connection", reverse("admin:infrastructures_infrastructure_changelist"), posts)


def mend(label: str, *, nodes: Collection[int] = (), flavors: Collection[int] = ()) -> Remedy:
    """Return the button that previews a repair of flavors in nodes; without flavors or nodes, of all."""
    posts = [("nodes", pk) for pk in nodes] + [("flavors", pk) for pk in flavors]
    return Remedy(label, reverse("admin:flavors_flavor_mend"), tuple(posts) or (("nodes", ""),))


def ignore(*, nodes: Collection[int] = (), flavors: Collection[int] = ()) -> Remedy:
    """Return the button that shows what would be ignored: these flavors, or all, where they differ in these nodes."""
    posts = [("nodes", pk) for pk in nodes] + [("flavors", pk) for pk in flavors]
    return Remedy("Ignore…", reverse("admin:flavors_flavor_cells_ignore"), tuple(posts))
