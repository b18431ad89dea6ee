"""The infrastructures app."""

from django.apps import AppConfig


class InfrastructuresConfig(AppConfig):
    """Registers the app under its own name."""

    name = "infrastructures"
