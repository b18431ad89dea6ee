"""The infrastructures app."""

from django.apps import AppConfig


class InfrastructuresConfig(AppConfig):
    """Registers the app under its own name."""

    name = "infrastructures"

    def ready(self) -> None:
        """Import the checks and the OpenAPI documents, which registers them."""
        from infrastructures import checks, vocabulary  # noqa: F401, PLC0415
