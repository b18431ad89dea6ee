"""The page of what is still to go from nodes."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from synchronisation.models import Removal
from testing.infrastructures import make_nova_flavor, make_registered

PAGE = "admin:synchronisation_removal"


@pytest.fixture
def removal(db: None) -> Removal:
    """A flavor that is kept in a node for its servers."""
    was = make_nova_flavor(id="nano", name="TestNano").as_json()
    return Removal.objects.create(
        infrastructure=make_registered("Spain2"), flavorid="nano", was=was, reason="It is used by 2 servers there."
    )


def test_it_tells_what_is_kept_where_and_why(admin_client: Client, removal: Removal) -> None:
    for page in (reverse(f"{PAGE}_changelist"), reverse(f"{PAGE}_change", args=[removal.pk])):
        text = admin_client.get(page).text
        assert all(told in text for told in ("nano", "TestNano", "Spain2", "It is used by 2 servers there."))


def test_it_is_only_looked_at(admin_client: Client, removal: Removal) -> None:
    assert admin_client.get(reverse(f"{PAGE}_add")).status_code == 403
    assert admin_client.post(reverse(f"{PAGE}_change", args=[removal.pk]), {"reason": "x"}).status_code == 403
    assert admin_client.post(reverse(f"{PAGE}_delete", args=[removal.pk]), {"post": "yes"}).status_code == 403
    removal.refresh_from_db()
    assert removal.reason == "It is used by 2 servers there."


def test_it_costs_the_same_queries_however_long(
    admin_client: Client, removal: Removal, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        Removal.objects.create(
            infrastructure=make_registered(f"Node{number}"), flavorid="nano", was=make_nova_flavor(id="nano").as_json()
        )
    with django_assert_max_num_queries(8):
        assert admin_client.get(reverse(f"{PAGE}_changelist")).text.count("TestNano") == 1
