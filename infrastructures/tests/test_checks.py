"""The system checks of the settings about OpenStack."""

import pytest
from django.core.checks import Tags, run_checks
from pytest_django import Settings


def found(*, deploy: bool = True) -> list[str | None]:
    messages = run_checks(tags=[Tags.security], include_deployment_checks=deploy)
    return [message.id for message in messages if (message.id or "").startswith("infrastructures.")]


@pytest.mark.parametrize("url", ["", "https://keystone.example.org/v3", "http://127.0.0.1:5000/v3"])
def test_a_keystone_that_can_be_spoken_to_safely_passes(settings: Settings, url: str) -> None:
    settings.KEYSTONE_URL = url
    assert found() == []


@pytest.mark.parametrize("url", ["http://keystone.example.org/v3", "keystone.example.org"])
def test_any_other_is_a_warning_in_deployment(settings: Settings, url: str) -> None:
    settings.KEYSTONE_URL = url
    assert found() == ["infrastructures.W001"]
    assert found(deploy=False) == []


@pytest.mark.parametrize(("verify", "ids"), [(True, []), ("/", []), (False, ["infrastructures.W002"])])
def test_unverified_certificates_are_a_warning_in_deployment(
    settings: Settings, verify: bool | str, ids: list[str]
) -> None:
    settings.OPENSTACK_VERIFY = verify
    assert found() == ids
    assert found(deploy=False) == []
