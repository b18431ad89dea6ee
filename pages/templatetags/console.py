"""Template tags and filters of all pages: the navigation, differences and relative times."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.timezone import localtime, now

from flavors.admin.looks import address_of_cell
from pages import navigation as sections
from pages.differences import Told, told

register = template.Library()


@register.simple_tag(takes_context=True)
def navigation(context: Any) -> sections.Navigation:
    """Return the sections of the console for the user."""
    return sections.navigation(context["request"])


@register.filter
def differences(kept: Any) -> list[Told]:
    """Return differences, new or stored ones, in the form that pages show, with units."""
    return told(each if isinstance(each, dict) else each.as_json() for each in kept or ())


@register.simple_tag
def cell(flavorid: str, node: str) -> str:
    """Return the address of the page about a flavor in a node."""
    return address_of_cell(flavorid, node)


@register.filter
def moment(at: datetime | None) -> str:
    """Return a time in relative words, with the exact time as a tooltip."""
    if at is None:
        return "never"
    exact = date_format(localtime(at), "DATETIME_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, relative(at))


def relative(at: datetime) -> str:
    """Say how long ago a time was, or how soon it will be, in the largest unit."""
    current = now()
    if abs((current - at).total_seconds()) < 60:
        return "just now"
    ago = timesince(min(at, current), max(at, current), depth=1)
    return f"{ago} ago" if at < current else f"in {ago}"
