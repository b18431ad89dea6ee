"""The site of the staff: Django's admin, without its list of all models."""

from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse


class Console(AdminSite):
    """The site of the staff; `pages.navigation` has its sections, and `pages.urls` the overview, its first page."""

    site_title = site_header = "Flavor Sync"
    site_url = None
    enable_nav_sidebar = False  # the header has the navigation, which goes by task

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what every page needs, without the list of all models, which is slow and not shown."""
        return {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "site_url": self.site_url,
            "has_permission": self.has_permission(request),
            "available_apps": [],
            "is_popup": False,
            "is_nav_sidebar_enabled": False,
        }

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the form, or change the password; not of whoever an identity provider knows: they have none here."""
        if getattr(request.user, "external_id", None) is not None:
            raise PermissionDenied
        return super().password_change(request, extra_context)
