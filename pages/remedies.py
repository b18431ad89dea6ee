"""What can be done about what a page shows: links and buttons, each to a page that says first what will happen."""

from collections.abc import Collection
from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True)
class Remedy:
    """What can be done about something: a link or, with *posts*, a button."""

    label: str
    url: str
    posts: tuple[tuple[str, object], ...] = ()


def check(node: int) -> Remedy:
    """Return the button that tries to enter a node."""
    posts = (("action", "check_connections"), ("_selected_action", node))
    return Remedy("Check connection", reverse("admin:infrastructures_infrastructure_changelist"), posts)


def mend(label: str, *, nodes: Collection[int] = (), flavors: Collection[int] = ()) -> Remedy:
    """Return the button that shows what a repair of flavors in nodes would do; without any, of all."""
    posts = [("nodes", pk) for pk in nodes] + [("flavors", pk) for pk in flavors]
    return Remedy(label, reverse("admin:flavors_flavor_mend"), tuple(posts) or (("nodes", ""),))
