"""Times as pages show them: in relative words, with the exact time as a tooltip."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.timezone import localtime, now


def moment(at: datetime | None) -> str:
    """Return a time in relative words, with the exact time as a tooltip; "never" for None."""
    if at is None:
        return "never"
    exact = date_format(localtime(at), "DATETIME_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, _relative(at))


def column(field: str, title: str) -> Callable[[Any], str]:
    """Return a column of an admin's list that shows the times of a field; empty where there is none."""

    @admin.display(description=title, ordering=field)
    def shown(row: Any) -> str:
        at = getattr(row, field)
        return moment(at) if at else ""

    shown.__name__ = field
    return shown


def _relative(at: datetime) -> str:
    """Say how long ago a time was, or how soon it will be, in the largest unit."""
    current = now()
    if abs((current - at).total_seconds()) < 60:
        return "just now"
    ago = timesince(min(at, current), max(at, current), depth=1)
    return f"{ago} ago" if at < current else f"in {ago}"
