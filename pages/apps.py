"""The app of the pages that need several other apps, and the staff's admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps


class PagesConfig(AppConfig):
    """The overview, and the pages of nodes and flavors."""

    name = "pages"


class ConsoleConfig(apps.SimpleAdminConfig):
    """Django's admin, with our site as the default. The URLs load its pages, which no command but `check` waits for."""

    default = False
    default_site = "pages.site.Console"
