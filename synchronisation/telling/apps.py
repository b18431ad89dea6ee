"""The Django app that tells people and programs what happens."""

from django.apps import AppConfig


class TellingConfig(AppConfig):
    """Reads what runs and the catalogue have become; nothing that happens waits for it."""

    name = "synchronisation.telling"
    verbose_name = "Subscribers"

    def ready(self) -> None:
        """Have the secrets of webhooks encrypted anew with the others."""
        from flavorsync_project.encryption import keep_encrypted  # noqa: PLC0415
        from synchronisation.telling.models import Subscriber  # noqa: PLC0415 — it needs the apps

        keep_encrypted(Subscriber, "encrypted_secret")
