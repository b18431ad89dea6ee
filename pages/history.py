"""Where the history of the admin site leads to."""

from django.contrib.admin.models import LogEntry
from django.urls import reverse

# The pages of our own, by the model of what was changed
PAGES = {"flavors.flavor": "flavor", "infrastructures.infrastructure": "node"}


def address_of(entry: LogEntry) -> str:
    """Return the address of what was changed; "" if it was deleted, or never had a page. Cost: none."""
    model = entry.content_type.model_class() if entry.content_type else None
    if model is None or entry.is_deletion():
        return ""
    route = PAGES.get(model._meta.label_lower)
    return reverse(route, args=[entry.object_id]) if route else entry.get_admin_url() or ""
