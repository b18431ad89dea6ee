"""The infrastructures app."""

from django.apps import AppConfig


class InfrastructuresConfig(AppConfig):
    """Registers the app under its own name."""

    name = "infrastructures"

    def ready(self) -> None:
        """Register the checks, the documents, and what is encrypted."""
        # These need the models.
        from flavorsync_project.encryption import keep_encrypted  # noqa: PLC0415
        from infrastructures import checks, vocabulary  # noqa: F401, PLC0415
        from infrastructures.models import Infrastructure  # noqa: PLC0415

        keep_encrypted(Infrastructure, "encrypted_password")
