"""The bodies that docs/api.md shows are what the serializers, the parsers and the renderers take and make."""

import io
import json
from typing import Any

import pytest
import requests_mock
from pytest_django import Settings
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed

from flavors.serializers import (
    FlavorCreationSerializer,
    FlavorSerializer,
    FlavorUpdateSerializer,
    PromotedFlavorCreationSerializer,
)
from flavorsync_project.api.parsers import JSONParser, XMLParser
from flavorsync_project.api.renderers import JSONRenderer, XMLRenderer
from identity import tokens
from infrastructures.serializers import InfrastructureRegistrationSerializer, InfrastructureSerializer
from regions.serializers import RegionSerializer
from testing.accounts import APP_ID, KEYROCK_URL
from testing.source import ROOT

EXAMPLES = ROOT / "docs" / "examples"

REQUESTS: dict[str, type[serializers.Serializer[Any]]] = {
    "flavor_create_request": FlavorCreationSerializer,
    "flavor_publish_request": FlavorUpdateSerializer,
    "flavor_promote_request": FlavorUpdateSerializer,
    "flavor_install_request": FlavorUpdateSerializer,
    "promotedflavor_create_request": PromotedFlavorCreationSerializer,
    "infrastructure_request": InfrastructureRegistrationSerializer,
}
ANSWERS: dict[str, tuple[str, type[serializers.Serializer[Any]]]] = {
    "flavor": ("flavor", FlavorSerializer),
    "flavor_installed": ("flavor", FlavorSerializer),
    "promotedflavor": ("flavor", FlavorSerializer),
    "region_flavor": ("flavor", FlavorSerializer),
    "infrastructure": ("infrastructure", InfrastructureSerializer),
}
LISTS: dict[str, tuple[str, type[serializers.Serializer[Any]]]] = {
    "flavors": ("flavors", FlavorSerializer),
    "promotedflavors": ("flavors", FlavorSerializer),
    "region_flavors": ("flavors", FlavorSerializer),
    "regions": ("Infrastructures", RegionSerializer),
}
IDM: dict[str, tuple[str, set[str], set[str]]] = {
    "idm_user_basic": ("basic", set(), set()),
    "idm_user_manager": ("manager", {"InfrastructureManager"}, set()),
    "idm_user_owner": ("owner", {"InfrastructureOwner"}, {"Spain2"}),
}
INVALID = {"idm_user_other_application", "idm_machine_token"}


def _bytes(name: str) -> bytes:
    return (EXAMPLES / name).read_bytes()


def _json(name: str) -> Any:
    return JSONParser().parse(io.BytesIO(_bytes(f"{name}.json")))


def _names_of(suffix: str) -> set[str]:
    return {path.stem for path in EXAMPLES.glob(f"*{suffix}")}


def test_every_example_is_checked_here_and_named_on_the_page() -> None:
    checked = {*REQUESTS, *ANSWERS, *LISTS, *IDM, *INVALID, "error"}
    assert _names_of(".json") == checked
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    unnamed = [path.name for path in EXAMPLES.iterdir() if f"](examples/{path.name})" not in page]
    assert not unnamed, f"docs/api.md does not name {unnamed}"


@pytest.mark.parametrize(("name", "serializer"), REQUESTS.items(), ids=REQUESTS)
def test_a_request_is_taken_as_it_is(name: str, serializer: type[serializers.Serializer[Any]]) -> None:
    ((_, values),) = _json(name).items()
    read = serializer(data=values)
    assert read.is_valid(), read.errors
    assert set(values) <= set(read.fields)


@pytest.mark.parametrize(("name", "kind"), [*ANSWERS.items(), *LISTS.items()], ids=[*ANSWERS, *LISTS])
def test_an_answer_has_the_members_that_the_api_writes(
    name: str, kind: tuple[str, type[serializers.Serializer[Any]]]
) -> None:
    root, serializer = kind
    document = _json(name)
    assert list(document) == [root]
    items = document[root] if name in LISTS else [document[root]]
    assert items
    for item in items:
        assert list(item) == list(serializer().fields)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_in_order_of_name_then_id(name: str) -> None:
    (items,) = _json(name).values()
    assert items == sorted(items, key=lambda item: (item["name"], item["id"]))


@pytest.mark.parametrize("name", sorted(_names_of(".xml")))
def test_both_formats_say_the_same(name: str) -> None:
    if name in REQUESTS:
        assert XMLParser().parse(io.BytesIO(_bytes(f"{name}.xml"))) == _json(name)
    else:
        assert XMLRenderer().render(_json(name)) == _bytes(f"{name}.xml").decode()
        assert json.loads(JSONRenderer().render(_json(name))) == _json(name)


@pytest.fixture
def says(settings: Settings, requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    """An IdM that answers, and the application whose tokens count."""
    settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = KEYROCK_URL, [APP_ID]
    return requests_mock


@pytest.mark.parametrize(("name", "expected"), IDM.items(), ids=IDM)
def test_what_the_idm_says_makes_its_user(
    says: requests_mock.Mocker, name: str, expected: tuple[str, set[str], set[str]]
) -> None:
    says.get(f"{KEYROCK_URL}/user", content=_bytes(f"{name}.json"))
    user = tokens.validate("a token")
    assert (user.username, set(user.roles), set(user.owned_nodes)) == expected


@pytest.mark.parametrize("name", sorted(INVALID))
def test_what_is_said_of_an_invalid_token_lets_nobody_in(says: requests_mock.Mocker, name: str) -> None:
    says.get(f"{KEYROCK_URL}/user", content=_bytes(f"{name}.json"))
    with pytest.raises(AuthenticationFailed):
        tokens.validate("a token")
