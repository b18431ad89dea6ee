"""The pages that need several of the apps, and the admin site that holds all of the staff's."""

from django.apps import AppConfig
from django.contrib.admin import apps


class PagesConfig(AppConfig):
    """The overview, and the pages of nodes and flavors."""

    name = "pages"


class ConsoleConfig(apps.AdminConfig):
    """Django's admin, with our site in the place of its own."""

    default = False
    default_site = "pages.site.Console"
