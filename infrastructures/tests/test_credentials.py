"""The credentials of a cloud's record: what the OpenStack boundary is given of them, and what hangs on them."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db.models.signals import pre_delete
from pytest_django import Settings

from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import credentials_of, open_nova
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import CredentialsRefused
from infrastructures.openstack.records import Credentials, Region
from infrastructures.registration import unregister_infrastructure
from infrastructures.replacements.replacing import replace_flavor
from infrastructures.tests.fake_nova import FakeNova
from testing.cloud import Federation, flavor_document
from testing.infrastructures import PASSWORD, a_registered, make_infrastructure, make_nova_flavor, make_registered

CENTRAL = "https://central.example.org"


def test_the_boundary_is_given_all_of_the_record(settings: Settings) -> None:
    settings.KEYSTONE_URL = CENTRAL
    infrastructure = a_registered(
        "Mordor", region="RegionOne", nova_url="https://nova", user_domain="Users", project_domain="Projects"
    )
    assert credentials_of(infrastructure) == Credentials(
        region=Region(
            name="Mordor",
            keystone_url="https://keystone.mordor.example.org/v3",
            region_name="RegionOne",
            central_keystone_url=CENTRAL,
        ),
        nova_url="https://nova",
        tenant="operators",
        username="mordor-operator",
        password=PASSWORD,
        user_domain="Users",
        project_domain="Projects",
    )


def test_domains_are_called_default_unless_they_are_named() -> None:
    credentials = credentials_of(a_registered())
    assert (credentials.user_domain, credentials.project_domain) == ("Default", "Default")


@pytest.mark.django_db
def test_those_that_can_be_entered_are_told_from_the_others() -> None:
    make_infrastructure("Without")
    make_registered("With")
    assert [str(infrastructure) for infrastructure in Infrastructure.objects.with_credentials()] == ["With"]


@pytest.mark.django_db
def test_who_has_not_signed_in_operates_nothing() -> None:
    make_registered()
    assert not Infrastructure.objects.operated_by(AnonymousUser()).exists()


@pytest.mark.django_db
def test_a_changed_password_is_used_at_once_and_the_old_one_never_again() -> None:
    with Federation() as federation:
        cloud = federation.add("Spain2", flavor_document())
        infrastructure = make_registered("Spain2", password="the old one")
        with pytest.raises(CredentialsRefused):
            open_nova(infrastructure)
        infrastructure.set_password(PASSWORD)
        infrastructure.save()
        stored = Infrastructure.objects.get()
        assert open_nova(stored).get_flavor("42").id == "42"
        open_nova(stored)
        assert cloud.authentications == 2
        shown = [request.text for request in federation.http.request_history if "/auth/tokens" in request.url]
        assert ["the old one" in text for text in shown] == [True, False]


# Unregistering


@pytest.mark.django_db
def test_a_cloud_that_is_registered_again_is_entered_anew() -> None:
    with Federation() as federation:
        cloud = federation.add("Spain2")
        for _ in range(2):
            infrastructure = make_registered("Spain2")
            open_nova(infrastructure)
            unregister_infrastructure(infrastructure=infrastructure)
        assert cloud.authentications == 2
    assert not Infrastructure.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", [True, False], ids=["is there", "comes this very moment"])
def test_a_cloud_with_a_flavor_of_the_catalogue_stays(before: bool) -> None:
    infrastructure = make_registered("Spain2")

    def install(**_: Any) -> None:
        flavor = apps.get_model("flavors", "Flavor").objects.create(name="m1.tiny", vcpus=1, ram=1, disk=1, public=True)
        flavor.installations.create(infrastructure=infrastructure, flavorid=flavor.flavorid)

    if before:
        install()
    else:
        # Django has looked for such flavors by then.
        pre_delete.connect(install, sender=Infrastructure)
    try:
        with pytest.raises(Conflict) as caught:
            unregister_infrastructure(infrastructure=infrastructure)
    finally:
        pre_delete.disconnect(install, sender=Infrastructure)
    assert str(caught.value.detail) == (
        "Spain2 cannot be unregistered: a flavor of the catalogue is installed there, or is being replaced."
    )
    assert Infrastructure.objects.get().get_password() == PASSWORD


# Replacing


@pytest.mark.django_db
def test_a_replacement_that_our_credentials_may_not_make_is_over() -> None:
    nova = FakeNova(make_nova_flavor())
    nova.refused = {"delete": CredentialsRefused}
    with pytest.raises(CredentialsRefused):
        replace_flavor(
            infrastructure=make_infrastructure(), nova=nova, flavorid="42", changes={"ram": 1}, requested_by="somebody"
        )
    assert nova.flavors == {"42": make_nova_flavor()}
    assert not Replacement.objects.exists()
