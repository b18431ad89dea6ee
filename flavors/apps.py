"""The flavors app."""

from django.apps import AppConfig


class FlavorsConfig(AppConfig):
    """Registers the app under its own name."""

    name = "flavors"
