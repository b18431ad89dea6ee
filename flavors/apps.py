"""The flavors app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from flavors.revision import install_after_migration


class FlavorsConfig(AppConfig):
    """Registers the app under its own name, and keeps the triggers of the catalogue's revision."""

    name = "flavors"

    def ready(self) -> None:
        """Have every migration end with all the triggers."""
        post_migrate.connect(install_after_migration, sender=self)
