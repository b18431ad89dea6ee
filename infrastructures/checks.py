"""System checks of a deployment's OpenStack settings."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from flavorsync_project.api.urls import is_safe_to_send_to


@register(Tags.security, deploy=True)
def check_keystone_url(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Warn when Keystone tokens would travel unencrypted."""
    if not settings.KEYSTONE_URL or is_safe_to_send_to(settings.KEYSTONE_URL):
        return []
    return [
        Warning(
            "KEYSTONE_URL is not https: tokens travel unencrypted to the federation's Keystone.",
            hint="Anybody on the way can steal them, or answer in its place.",
            id="infrastructures.W001",
        )
    ]


@register(Tags.security, deploy=True)
def check_certificates(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Warn when certificates are not verified, so that anybody could pose as a cloud."""
    if settings.OPENSTACK_VERIFY is not False:
        return []
    return [
        Warning(
            "OPENSTACK_VERIFY is false: anybody on the way can pose as a cloud and steal its password.",
            hint="Name a file with the certificate authorities that the clouds use.",
            id="infrastructures.W002",
        )
    ]
