"""The infrastructures app."""

from django.apps import AppConfig


class InfrastructuresConfig(AppConfig):
    """Registers the app under its own name."""

    name = "infrastructures"

    def ready(self) -> None:
        """Import the checks, which registers them."""
        from infrastructures import checks  # noqa: F401, PLC0415
