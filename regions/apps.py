"""The regions app."""

from django.apps import AppConfig


class RegionsConfig(AppConfig):
    """The regions and their own flavors."""

    name = "regions"

    def ready(self) -> None:
        """Leave the regions' other paths out of the API's description, so that it lists each operation once."""
        from flavorsync_project.api import openapi  # noqa: PLC0415 — it needs the apps to be loaded

        openapi.OTHER_NAMES += ["/v1/nodes", "/v1/region/"]
