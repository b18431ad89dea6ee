"""The identity app: who the caller is, and what they may do."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Local accounts, users of identity providers, and the permissions of their roles."""

    name = "identity"

    def ready(self) -> None:
        """Register the system checks; keep tokens out of the logs."""
        # These import models, which need the apps to be loaded.
        from identity import checks, tokens  # noqa: F401, PLC0415

        tokens.hide_tokens_in_logs()
