"""The Django app that tells people and programs what happens."""

from django.apps import AppConfig


class TellingConfig(AppConfig):
    """Reads what runs and the catalogue have become; nothing that happens waits for it."""

    name = "synchronisation.telling"
    verbose_name = "Subscribers"
