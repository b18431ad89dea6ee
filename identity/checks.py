"""System checks of the identity settings."""

from collections.abc import Callable, Iterator, Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register

from flavorsync_project.api.urls import is_safe_to_send_to
from identity.mappings import Entry, read_manager, read_operator

# The role admin implies these, so every administrator of any project has them: Keystone's docs, "Default Roles".
KEYSTONES_OWN_ROLES = ("manager", "member", "reader")


@register(Tags.security, deploy=True)
def check_applications(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Require that tokens issued to other applications are refused."""
    if settings.KEYROCK_APP_IDS or not settings.KEYROCK_URL:
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
    """Warn when tokens travel unencrypted, or cannot be checked at all."""
    if not settings.KEYROCK_URL and not settings.KEYSTONE_IDENTITY:
        return [
            checks.Warning(
                "Neither KEYROCK_URL nor KEYSTONE_IDENTITY is set: no token can be checked.", id="identity.W002"
            )
        ]
    return [
        checks.Warning(
            f"{setting} is not https: tokens travel unencrypted to the identity provider.",
            hint="Anybody on the way can steal them, or answer in its place.",
            id="identity.W001",
        )
        for setting in ("KEYROCK_URL", "KEYROCK_OIDC_DISCOVERY_URL")
        if (url := getattr(settings, setting)) and not is_safe_to_send_to(url)
    ]


@register(Tags.security)
def check_keystone(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Require a Keystone URL if Keystone is an identity provider, and readable mappings of its roles."""
    return [
        *_no_keystone(),
        *_entries("KEYSTONE_MANAGERS", read_manager),
        *_entries("KEYSTONE_OPERATORS", read_operator),
    ]


def _no_keystone() -> Iterator[CheckMessage]:
    if settings.KEYSTONE_IDENTITY and not settings.KEYSTONE_URL:
        yield checks.Error(
            "KEYSTONE_IDENTITY is set, but KEYSTONE_URL is not: there is no Keystone to ask about tokens.",
            id="identity.E003",
        )


def _entries(setting: str, read: Callable[[str], Entry]) -> Iterator[CheckMessage]:
    for text in getattr(settings, setting):
        try:
            entry = read(text)
        except ValueError as error:
            yield checks.Error(
                f"{setting} has {text!r}, which grants nothing: {error}.",
                hint="ROLE@system, ROLE@project:NAME/DOMAIN or ROLE@project:ID; {node} for the node of an operator.",
                id="identity.E002",
            )
        else:
            if entry.role in KEYSTONES_OWN_ROLES:
                yield checks.Warning(
                    f"{setting} has {text!r}: Keystone gives the role {entry.role} to every administrator there, too.",
                    hint="Make a role for this, such as flavor_manager.",
                    id="identity.W003",
                )
