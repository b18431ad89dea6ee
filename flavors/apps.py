"""The flavors app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class FlavorsConfig(AppConfig):
    """Registers the app and its documents, and keeps the triggers of the catalogue's revision."""

    name = "flavors"

    def ready(self) -> None:
        """Have every migration end with all the triggers."""
        # These need the models.
        from flavors import vocabulary  # noqa: F401, PLC0415
        from flavors.lists.revision import install_after_migration  # noqa: PLC0415

        post_migrate.connect(install_after_migration, sender=self)
