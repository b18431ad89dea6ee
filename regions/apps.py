"""The regions app."""

from django.apps import AppConfig


class RegionsConfig(AppConfig):
    """Registers the app under its own name."""

    name = "regions"
