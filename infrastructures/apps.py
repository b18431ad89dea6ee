"""The infrastructures app."""

from django.apps import AppConfig


class InfrastructuresConfig(AppConfig):
    """The registered clouds, and the changes of flavors in them."""

    name = "infrastructures"
    verbose_name = "Nodes"

    def ready(self) -> None:
        """Register the system checks, the XML vocabulary, and the encrypted field."""
        # These imports need the models.
        from flavorsync_project.encryption import keep_encrypted  # noqa: PLC0415
        from infrastructures import checks, vocabulary  # noqa: F401, PLC0415
        from infrastructures.models import Infrastructure  # noqa: PLC0415

        keep_encrypted(Infrastructure, "encrypted_password")
