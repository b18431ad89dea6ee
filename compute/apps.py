"""The compute app."""

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    """The OpenStack face."""

    name = "compute"
