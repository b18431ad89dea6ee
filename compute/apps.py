"""The compute app."""

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    """Registers the app under its own name."""

    name = "compute"
