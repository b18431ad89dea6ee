"""The identity app: who is calling, and what may they do."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Local accounts, the users of identity providers, and what their roles permit."""

    name = "identity"

    def ready(self) -> None:
        """Register the checks and the documentation of the credentials; keep tokens out of the logs."""
        # These import models and Django REST Framework, which needs the apps to be loaded.
        from identity import checks, schema, tokens  # noqa: F401, PLC0415

        tokens.hide_tokens_in_logs()
