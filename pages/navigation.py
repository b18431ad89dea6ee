"""The navigation of the staff's console: its sections, by task and not by table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from flavors.admin.staff import VIEW, may_install

IsAllowed = Callable[[HttpRequest], bool]


@dataclass(frozen=True)
class Item:
    """A page of a section; `routes` are the prefixes of its routes' names and of those of the pages beneath it."""

    title: str
    route: str
    routes: tuple[str, ...]
    is_allowed: IsAllowed


@dataclass(frozen=True)
class Section:
    """A task, and its pages."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Link:
    """A link of the navigation; `is_current` if the page belongs to it, `is_here` if it is the page itself."""

    title: str
    url: str
    is_current: bool
    is_here: bool


@dataclass(frozen=True)
class Navigation:
    """The sections, the pages of the current section, and the list that the page belongs to, if any."""

    sections: tuple[Link, ...]
    items: tuple[Link, ...]
    parent: Link | None

    @property
    def title(self) -> str:
        """The title of the current list, or ""."""
        return next((item.title for item in self.items if item.is_here), "")


def _sees(model: str) -> IsAllowed:
    """Return a function that says whether the model's admin lets a user view its list."""

    def is_allowed(request: HttpRequest) -> bool:
        listed = {each._meta.label_lower: found for each, found in admin.site._registry.items()}
        return model in listed and listed[model].has_view_permission(request)

    return is_allowed


def _has_view(request: HttpRequest) -> bool:
    return request.user.has_perm(VIEW)


def _has_own(request: HttpRequest) -> bool:
    return _has_view(request) and may_install(request.user)


def _listed(title: str, model: str, *routes: str) -> Item:
    name = model.replace(".", "_")
    return Item(title, f"{name}_changelist", (f"{name}_", *routes), _sees(model))


SECTIONS = (
    Section("Overview", (Item("Overview", "overview", ("overview",), lambda _: True),)),
    Section(
        "Flavors",
        (
            _listed("Catalogue", "flavors.flavor", "flavor"),
            _listed("Leaving the nodes", "synchronisation.removal"),
            Item("Sovereign Cloud Stack", "flavors_flavor_scs", ("flavors_flavor_scs",), _has_view),
        ),
    ),
    Section(
        "Nodes",
        (
            _listed("Nodes", "infrastructures.infrastructure", "node"),
            Item(
                "Compare two", "flavors_flavor_compare", ("flavors_flavor_compare", "flavors_flavor_change_"), _has_view
            ),
            Item(
                "Own flavors",
                "flavors_flavor_own",
                ("flavors_flavor_own", "flavors_flavor_make", "flavors_flavor_resize"),
                _has_own,
            ),
            _listed("Changes under way", "infrastructures.replacement"),
        ),
    ),
    Section(
        "Coverage",
        (
            Item(
                "Coverage map",
                "flavors_flavor_coverage",
                ("flavors_flavor_coverage", "flavors_flavor_cell", "flavors_flavor_mend"),
                _has_view,
            ),
        ),
    ),
    Section(
        "Runs",
        (_listed("Runs", "synchronisation.syncrun"), _listed("Subscribers", "telling.subscriber")),
    ),
    Section(
        "Access",
        (
            _listed("Accounts", "identity.user"),
            _listed("Groups", "auth.group"),
            _listed("History", "admin.logentry"),
        ),
    ),
)
# `flavors_flavor_change` is a flavor's form, `flavors_flavor_change_one` a change from the comparison.
_ROUTES = {route: item for section in SECTIONS for item in section.items for route in item.routes}


def navigation(request: HttpRequest) -> Navigation:
    """Return the navigation of a staff page. Cost: none, once the user's permissions are cached."""
    route = request.resolver_match.url_name or "" if request.resolver_match else ""
    here, is_list = _item_of(route), request.method != "POST"  # a POST to a list shows an action's page
    sections, items, parent = [], [], None
    for section in SECTIONS:
        allowed = [item for item in section.items if item.is_allowed(request)]
        if not allowed:
            continue
        is_current = here in section.items
        sections.append(Link(section.title, _address(allowed[0]), is_current, is_here=False))
        if is_current:
            items = list(_links(allowed, here, route if is_list else ""))
            parent = next((link for link in items if link.is_current and not link.is_here), None)
    return Navigation(tuple(sections), tuple(items), parent)


def _address(item: Item) -> str:
    return reverse(item.route if item.route == "overview" else f"admin:{item.route}")


def _item_of(route: str) -> Item | None:
    found = [prefix for prefix in _ROUTES if route.startswith(prefix)]
    return _ROUTES[max(found, key=len)] if found else None


def _links(items: list[Item], here: Item | None, route: str) -> Iterator[Link]:
    for item in items:
        yield Link(item.title, _address(item), item is here, is_here=item.route == route)
