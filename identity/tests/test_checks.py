"""The system checks of the identity settings."""

import pytest
from django.core import checks
from pytest_django import Settings

from testing.accounts import KEYSTONE_URL, MANAGERS, OPERATORS


def found(*, deploy: bool) -> set[str]:
    messages = checks.run_checks(tags=[checks.Tags.security], include_deployment_checks=deploy)
    return {message.id for message in messages if message.id and message.id.startswith("identity.")}


def test_a_complete_configuration_passes() -> None:
    assert found(deploy=True) == set()


def test_an_open_list_of_applications_is_an_error_in_deployment(settings: Settings) -> None:
    settings.KEYROCK_APP_IDS = []
    assert found(deploy=True) == {"identity.E001"}
    assert found(deploy=False) == set()


@pytest.mark.parametrize(
    ("url", "warning"), [("http://idm.example.org", "identity.W001"), ("", "identity.W002"), ("idm", "identity.W001")]
)
def test_an_unencrypted_or_missing_provider_is_a_warning_in_deployment(
    settings: Settings, url: str, warning: str
) -> None:
    settings.KEYROCK_URL = url
    assert found(deploy=True) == {warning}
    assert found(deploy=False) == set()


def test_an_unencrypted_discovery_is_a_warning_in_deployment(settings: Settings) -> None:
    """It says where the application's secret is sent."""
    settings.KEYROCK_OIDC_DISCOVERY_URL = "http://idm.example.org/.well-known/openid-configuration"
    assert found(deploy=True) == {"identity.W001"}


def test_keystone_alone_is_a_complete_configuration(settings: Settings) -> None:
    settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = "", []
    settings.KEYSTONE_IDENTITY, settings.KEYSTONE_URL = True, KEYSTONE_URL
    settings.KEYSTONE_MANAGERS, settings.KEYSTONE_OPERATORS = MANAGERS, OPERATORS
    assert found(deploy=True) == set()


@pytest.mark.parametrize("deploy", [True, False])
def test_an_identity_that_cannot_be_asked_is_an_error(settings: Settings, deploy: bool) -> None:
    settings.KEYSTONE_IDENTITY, settings.KEYSTONE_URL = True, ""
    assert found(deploy=deploy) == {"identity.E003"}


@pytest.mark.parametrize(
    ("setting", "entry", "wrong"),
    [
        ("KEYSTONE_MANAGERS", "flavor_manager", "it is not ROLE@system"),
        ("KEYSTONE_MANAGERS", "flavor_manager@project:{node}/nodes", "a manager manages all nodes"),
        (
            "KEYSTONE_OPERATORS",
            "flavor_operator@project:federation/Default",
            "it must name the role's node exactly once",
        ),
        ("KEYSTONE_OPERATORS", "flavor_operator@project:{node}", "lacks its domain"),
    ],
)
def test_a_malformed_entry_is_an_error_that_names_it(settings: Settings, setting: str, entry: str, wrong: str) -> None:
    setattr(settings, setting, [*(MANAGERS if setting == "KEYSTONE_MANAGERS" else OPERATORS), entry])
    (message,) = [message for message in checks.run_checks() if message.id == "identity.E002"]
    assert message.msg.startswith(f"{setting} has {entry!r}, which grants nothing: ")
    assert wrong in message.msg


def test_a_role_that_keystone_gives_to_every_administrator_is_a_warning(settings: Settings) -> None:
    settings.KEYSTONE_MANAGERS = ["manager@system", "admin@system"]
    (message,) = [message for message in checks.run_checks() if message.id == "identity.W003"]
    assert "'manager@system'" in message.msg


def test_a_provider_on_this_machine_needs_no_encryption(settings: Settings) -> None:
    settings.KEYROCK_URL = "http://127.0.0.1:3000"
    assert found(deploy=True) == set()
