"""The regions app."""

from django.apps import AppConfig


class RegionsConfig(AppConfig):
    """Registers the app, and the other names of its paths."""

    name = "regions"

    def ready(self) -> None:
        """Let the API's description name each operation only once."""
        from flavorsync_project.api import openapi  # noqa: PLC0415 — it needs the apps to be loaded

        openapi.OTHER_NAMES += ["/v1/nodes", "/v1/region/"]
