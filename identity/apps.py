"""The identity app: who is calling, and what may they do."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Local accounts, the FIWARE IdM's users, and what their roles permit."""

    name = "identity"

    def ready(self) -> None:
        """Register the checks and the documentation of the credentials; keep tokens out of the logs."""
        # These import models and Django REST Framework, which needs the apps to be loaded.
        from identity import checks, keyrock, schema  # noqa: F401, PLC0415

        keyrock.hide_tokens_in_logs()
