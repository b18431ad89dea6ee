"""The app of the pages that need several other apps, and the staff's admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps


class PagesConfig(AppConfig):
    """The overview, and the pages of nodes and flavors."""

    name = "pages"


class ConsoleConfig(apps.AdminConfig):
    """Django's admin, with our site as the default."""

    default = False
    default_site = "pages.site.Console"
