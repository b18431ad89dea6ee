"""System checks of the identity settings."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register

from flavorsync_project.api.urls import is_safe_to_send_to


@register(Tags.security, deploy=True)
def check_applications(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Require that tokens of other people's applications are refused."""
    if settings.KEYROCK_APP_IDS:
        return []
    return [
        checks.Error(
            "KEYROCK_APP_IDS is empty: tokens of any application are accepted.",
            hint=(
                "Name the application of this federation. Any user of the IdM can make an application of their own"
                " with a role called InfrastructureManager."
            ),
            id="identity.E001",
        )
    ]


@register(Tags.security, deploy=True)
def check_encryption(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Warn when tokens would travel unencrypted, or could not be checked at all."""
    if not settings.KEYROCK_URL:
        return [checks.Warning("KEYROCK_URL is not set: no IdM token can be checked.", id="identity.W002")]
    if is_safe_to_send_to(settings.KEYROCK_URL):
        return []
    return [
        checks.Warning(
            "KEYROCK_URL is not https: tokens travel unencrypted to the identity provider.",
            hint="Anybody on the way can take them, and answer in its place.",
            id="identity.W001",
        )
    ]
