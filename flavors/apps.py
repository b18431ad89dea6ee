"""The flavors app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class FlavorsConfig(AppConfig):
    """Registers the app and its documents, and maintains the triggers of the catalogue's revision."""

    name = "flavors"

    def ready(self) -> None:
        """Put every trigger in place after each migration."""
        # These need the models.
        from flavors import vocabulary  # noqa: F401, PLC0415
        from flavors.lists.revision import install_after_migration  # noqa: PLC0415

        post_migrate.connect(install_after_migration, sender=self)
