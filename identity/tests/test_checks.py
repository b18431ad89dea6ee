"""The system checks of the identity settings."""

import pytest
from django.core import checks
from pytest_django import Settings


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


def test_a_provider_on_this_machine_needs_no_encryption(settings: Settings) -> None:
    settings.KEYROCK_URL = "http://127.0.0.1:3000"
    assert found(deploy=True) == set()
