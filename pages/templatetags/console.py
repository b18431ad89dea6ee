"""Template tags and filters of all pages: the navigation, differences, addresses and relative times."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.db.models import Model
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flavors.admin.looks import address_of_cell
from flavorsync_project.moments import moment
from pages import navigation as sections
from pages.differences import Told, told, told_changes
from pages.history import address_of

# What a list without a single row says, by its model
EMPTY = {
    "flavors.flavor": "The catalogue has no flavor yet: add one, load a document, or ask a node what it has.",
    "infrastructures.infrastructure": "No node is registered yet. Add one: a name, the URL of its Keystone, and an "
    "account that may manage flavors there.",
    "infrastructures.replacement": "Nothing is under way. A change of a flavor in a node is here until it is finished.",
    "synchronisation.syncrun": "Nothing has been compared yet. “Compare all nodes now” changes nothing in them.",
    "synchronisation.removal": "Nothing is to leave a node. What is retired or deleted is here until it is gone.",
    "telling.subscriber": "Nobody is told what happens yet. Add a subscriber: a webhook, or an e-mail address.",
    "admin.logentry": "Nothing has been changed in these pages yet.",
}

register = template.Library()


@register.simple_tag(takes_context=True)
def navigation(context: Any) -> sections.Navigation:
    """Return the sections of the console for the user."""
    return sections.navigation(context["request"])


@register.filter
def differences(kept: Any) -> list[Told]:
    """Return differences, new or stored ones, in the form that pages show, with units."""
    return told(each if isinstance(each, dict) else each.as_json() for each in kept or ())


register.filter("changes", told_changes)


@register.simple_tag
def cell(flavorid: str, node: str) -> str:
    """Return the address of the page about a flavor in a node."""
    return address_of_cell(flavorid, node)


@register.simple_tag
def nothing_in(model: type[Model]) -> str:
    """Return what an empty list says: why it may be empty, or what to do first."""
    return EMPTY.get(model._meta.label_lower, "There is none yet.")


@register.simple_tag
def labelled(cells: Iterable[str], headers: Iterable[Mapping[str, Any]]) -> list[SafeString]:
    """Return the cells of a row of an admin's list with their roles, and with their columns' titles as labels."""
    return [_labelled(str(cell), str(header["text"])) for cell, header in zip(cells, headers, strict=True)]


def _labelled(cell: str, title: str) -> SafeString:
    """Return a cell, which Django has escaped, with its role and label."""
    role, label = ("rowheader", "") if cell.startswith("<th") else ("cell", title if "<input" not in title else "")
    told = format_html(' role="{}" data-label="{}"', role, heading(label))
    return SafeString(f"{cell[:3]}{told}{cell[3:]}")


@register.filter(is_safe=True)
def heading(text: str) -> str:
    """Return a column's title with a capital first letter, unless it has one after that: vCPUs."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


register.filter("moment", moment)
register.filter("address", address_of)
