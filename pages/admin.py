"""What needs several apps in the admin site: the history, whose entries lead to pages; and what is not shown there."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.utils.html import format_html
from django_tasks_db.models import DBTaskResult

from flavorsync_project.moments import column
from identity.admin import HistoryAdmin
from pages.history import address_of

# The queue's internals
admin.site.unregister(DBTaskResult)
admin.site.unregister(LogEntry)


@admin.register(LogEntry)
class LinkedHistoryAdmin(HistoryAdmin):
    """The history, whose entries lead to what was changed."""

    list_display = [column("action_time", "when"), "about", "what", "user"]
    list_display_links = None

    @admin.display(description="what was changed", ordering="object_repr")
    def about(self, entry: LogEntry) -> str:
        """Return the name of what was changed, and its kind, with a link to its page."""
        url, kind = address_of(entry), entry.content_type.name if entry.content_type else ""
        name = format_html('<a href="{}">{}</a>', url, entry.object_repr) if url else entry.object_repr
        return format_html('{} <span class="quiet">{}</span>', name, kind)
