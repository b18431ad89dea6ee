"""A flavor that is missing in Nova only because it is being replaced is not missing for a reader."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from requests import PreparedRequest

from infrastructures.clouds import region_of
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import CloudUnavailable, FlavorNotFound
from infrastructures.replacements import journal
from infrastructures.replacements.reading import MAX_READS
from regions import services
from testing.cloud import KEYSTONE, NOVA, TOKEN, Cloud, access_document, flavor_document
from testing.infrastructures import make_infrastructure, make_nova_flavor, make_replacement

pytestmark = pytest.mark.django_db

GONE = {"status_code": 404, "json": {"itemNotFound": {"code": 404, "message": "Flavor 42 could not be found."}}}
THERE = {"json": {"flavor": flavor_document()}}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        cloud.nova("GET", "/flavors/42/os-flavor-access", {"json": access_document("p1", "p2")})
        yield cloud


def where() -> dict[str, Any]:
    infrastructure = make_infrastructure(keystone_url=KEYSTONE)
    assert region_of(infrastructure).keystone_url == KEYSTONE
    return {"infrastructure": infrastructure, "token": TOKEN}


def test_a_flavor_that_was_missing_for_a_moment_is_found(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", GONE, THERE)
    assert services.get_flavor(**where(), flavorid="42").id == "42"
    assert cloud.calls.count("GET /flavors/42") == 2


def test_a_flavor_that_stays_missing_is_not_found(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", GONE)
    with pytest.raises(FlavorNotFound):
        services.get_flavor(**where(), flavorid="42")


def test_a_flavor_that_cannot_be_made_again_yet_is_not_said_not_to_be(cloud: Cloud) -> None:
    asked = where()
    make_replacement(infrastructure=asked["infrastructure"])
    cloud.nova("GET", "/flavors/42", GONE)
    cloud.nova("POST", "/flavors", {"status_code": 503})
    with pytest.raises(CloudUnavailable, match="flavor 42 is being replaced, and is not back yet"):
        services.get_flavor(**asked, flavorid="42")


def test_a_list_is_read_again_when_a_replacement_has_begun_meanwhile(cloud: Cloud) -> None:
    asked = where()
    cloud.nova("GET", "/flavors/42", THERE)
    lists: list[dict[str, Any]] = [{"flavors": []}, {"flavors": [flavor_document()]}]

    def begin(request: PreparedRequest, context: Any) -> dict[str, Any]:
        if len(lists) == 2:
            Replacement.objects.create(
                infrastructure=asked["infrastructure"],
                flavorid="42",
                old=make_nova_flavor().as_json(),
                new=make_nova_flavor(ram=8192).as_json(),
            )
        answer: dict[str, Any] = lists.pop(0)
        return answer

    cloud.http.get(f"{NOVA}/flavors/detail", json=begin)
    assert [flavor.id for flavor in services.list_flavors(**asked)] == ["42"]
    assert not Replacement.objects.exists()


def test_a_list_is_read_again_when_a_replacement_has_ended_meanwhile(cloud: Cloud) -> None:
    asked = where()
    old, new = make_nova_flavor().as_json(), make_nova_flavor(ram=8192).as_json()
    Replacement.objects.create(infrastructure=asked["infrastructure"], flavorid="42", old=old, new=new)

    def end(request: PreparedRequest, context: Any) -> dict[str, Any]:
        # Nova has read its flavors while this one was missing, and answers when it is there again.
        ended, _ = Replacement.objects.all().delete()
        return {"flavors": [] if ended else [flavor_document()]}

    cloud.http.get(f"{NOVA}/flavors/detail", json=end)
    assert [flavor.id for flavor in services.list_flavors(**asked)] == ["42"]


def replace_and_end(infrastructure: Infrastructure) -> None:
    """Have a replacement begin and come to its end, as `replace_flavor` does."""
    old, new = make_nova_flavor(), make_nova_flavor(ram=8192)
    entry = journal.begin_replacement(infrastructure, old=old, new=new, before=None, requested_by="somebody")
    journal.note_end(infrastructure.pk)
    journal.close([entry])


def test_a_list_is_read_again_when_a_replacement_has_begun_and_ended_meanwhile(cloud: Cloud) -> None:
    asked = where()
    lists: list[dict[str, Any]] = [{"flavors": []}, {"flavors": [flavor_document()]}]

    def answer(request: PreparedRequest, context: Any) -> dict[str, Any]:
        if len(lists) == 2:
            replace_and_end(asked["infrastructure"])
        return lists.pop(0)

    cloud.http.get(f"{NOVA}/flavors/detail", json=answer)
    assert [flavor.id for flavor in services.list_flavors(**asked)] == ["42"]


def test_a_list_that_is_never_left_alone_lacks_nothing_that_was_seen_meanwhile(cloud: Cloud) -> None:
    """At each reading another flavor is being replaced."""
    asked, read = where(), 0

    def answer(request: PreparedRequest, context: Any) -> dict[str, Any]:
        nonlocal read
        read += 1
        replace_and_end(asked["infrastructure"])
        documents = [flavor_document(id=str(number), name=f"name {number}") for number in range(3)]
        return {"flavors": [document for document in documents if document["id"] != str(read % 3)]}

    cloud.http.get(f"{NOVA}/flavors/detail", json=answer)
    assert [flavor.id for flavor in services.list_flavors(**asked)] == ["0", "1", "2"]
    assert read == MAX_READS


def test_a_list_is_read_once_while_a_flavor_is_watched_and_there(cloud: Cloud) -> None:
    asked = where()
    make_replacement(
        infrastructure=asked["infrastructure"],
        new=make_nova_flavor().as_json(),
        is_met=True,
        unsure_until=timezone.now() + timedelta(minutes=5),
    )
    cloud.nova("GET", "/flavors/42", THERE)
    cloud.nova("GET", "/flavors/detail", {"json": {"flavors": [flavor_document()]}})
    services.list_flavors(**asked)
    assert cloud.calls.count("GET /flavors/detail?is_public=None") == 1


def test_a_list_is_read_once_when_nothing_is_being_replaced(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/detail", {"json": {"flavors": [flavor_document()]}})
    services.list_flavors(**where())
    assert cloud.calls.count("GET /flavors/detail?is_public=None") == 1
