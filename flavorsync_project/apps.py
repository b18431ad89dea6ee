"""The project itself as an app: its system checks."""

from django.apps import AppConfig


class FlavorSyncProjectConfig(AppConfig):
    """Registers the system checks."""

    name = "flavorsync_project"
    verbose_name = "Flavor Sync"

    def ready(self) -> None:
        """Import the checks, which registers them."""
        from flavorsync_project import checks  # noqa: F401, PLC0415
