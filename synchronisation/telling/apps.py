"""The Django app that notifies people and programs of events."""

from django.apps import AppConfig


class TellingConfig(AppConfig):
    """Webhooks and e-mails about runs and the catalogue, which never wait for them."""

    name = "synchronisation.telling"
    verbose_name = "Subscribers"

    def ready(self) -> None:
        """Register the secrets of webhooks, so that they are re-encrypted with the others."""
        from flavorsync_project.encryption import keep_encrypted  # noqa: PLC0415
        from synchronisation.telling.models import Subscriber  # noqa: PLC0415 — it needs the apps

        keep_encrypted(Subscriber, "encrypted_secret")
