"""Access lists reach the nodes, by project in all of them, and leave there what is the node's own."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from flavors.admin.looks import address_of_cell
from flavors.models import Flavor, Grant, Sighting
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import Forbidden
from infrastructures.openstack.records import NovaFlavor
from infrastructures.tests.fake_nova import FakeNova
from synchronisation.access import bring_access
from testing.cloud import Federation, registered_clouds
from testing.flavors import make_flavor, make_infrastructure, make_installation

pytestmark = pytest.mark.django_db

KEYSTONE = "https://keystone.example.org/v3"


class NovaWithAccess(FakeNova):
    """Keeps access lists, too."""

    def __init__(self, *flavors: NovaFlavor, projects: set[str]) -> None:
        super().__init__(*flavors)
        self.projects = projects
        self.refuses = ""

    def projects_of(self, flavorid: str) -> tuple[str, ...]:
        self.calls.append("projects")
        return tuple(sorted(self.projects))

    def grant_access(self, flavorid: str, project: str) -> None:
        if project == self.refuses:
            raise Forbidden(self.region.name, "not this one")
        self.projects.add(project)

    def revoke_access(self, flavorid: str, project: str) -> None:
        self.projects.remove(project)


@pytest.fixture
def spain2(settings: Settings) -> Infrastructure:
    """A node of the central Keystone."""
    settings.KEYSTONE_URL = KEYSTONE
    return make_infrastructure("Spain2", keystone_url=KEYSTONE)


@pytest.fixture
def private(spain2: Infrastructure) -> Flavor:
    """A flavor in Spain2 that is open to `ours`, and is no longer to `before`."""
    flavor = make_flavor(flavorid="private", is_public=False)
    flavor.grants.create(project="ours")
    flavor.grants.create(project="before", revoked=True)
    make_installation(flavor, "Spain2")
    return flavor


def bring(node: Infrastructure, nova: NovaWithAccess, *flavors: Flavor) -> str:
    return bring_access(infrastructure=node, nova=nova, flavors=flavors)


def test_what_is_granted_and_revoked_here_is_so_there(private: Flavor, spain2: Infrastructure) -> None:
    nova = NovaWithAccess(private.as_nova(), projects={"before", "theirs"})
    assert bring(spain2, nova, private) == ""
    assert nova.projects == {"ours", "theirs"}


def test_a_refusal_is_told(private: Flavor, spain2: Infrastructure) -> None:
    nova = NovaWithAccess(private.as_nova(), projects=set())
    nova.refuses = "ours"
    assert bring(spain2, nova, private) == "The access to flavor private: Spain2: not this one"


def test_a_project_that_is_refused_does_not_hold_up_the_others(private: Flavor, spain2: Infrastructure) -> None:
    """Above all not one whose access is revoked."""
    private.grants.create(project="a-typing-error")
    nova = NovaWithAccess(private.as_nova(), projects={"before", "theirs"})
    nova.refuses = "a-typing-error"
    assert bring(spain2, nova, private) == "The access to flavor private: Spain2: not this one"
    assert nova.projects == {"ours", "theirs"}


def test_only_what_the_node_has_and_is_not_public_is_looked_at(private: Flavor, spain2: Infrastructure) -> None:
    public = make_flavor(flavorid="public", name="public")
    public.grants.create(project="ours")
    elsewhere = make_flavor(flavorid="elsewhere", name="elsewhere", is_public=False)
    elsewhere.grants.create(project="ours")
    make_installation(public, "Spain2")
    nova = NovaWithAccess(private.as_nova(), projects={"ours"})
    assert bring(spain2, nova, private, public, elsewhere) == ""
    assert nova.calls == ["projects"]
    assert bring(spain2, nova, public) == ""
    assert nova.calls == ["projects"]


# Clouds with a Keystone of their own

CENTRAL, OWN = "https://keystone.spain2.example.org/v3", "https://keystone.mordor.example.org/v3"


@pytest.fixture
def federation(settings: Settings) -> Iterator[Federation]:
    """Spain2, of the central Keystone, and Mordor, which has its own; both have the project `ours` by name."""
    settings.KEYSTONE_URL = CENTRAL
    with registered_clouds("Spain2", "Mordor") as federation:
        has(federation, CENTRAL, "projects/c1", {"project": {"id": "c1", "name": "ours", "domain_id": "d1"}})
        has(federation, CENTRAL, "domains/d1", {"domain": {"id": "d1", "name": "Users"}})
        has(federation, OWN, "domains?name=Users", {"domains": [{"id": "d2", "name": "Users"}]})
        projects = [{"id": "m1", "name": "ours"}]
        has(federation, OWN, "projects?name=ours&domain_id=d2", {"projects": projects})
        yield federation


def has(federation: Federation, keystone: str, path: str, document: Mapping[str, Any], status: int = 200) -> None:
    federation.http.get(f"{keystone}/{path}", json=document, status_code=status)


@pytest.fixture
def opened(federation: Federation) -> Flavor:
    """A flavor in Mordor, which is open to a project of the central Keystone."""
    flavor = make_flavor(flavorid="private", is_public=False)
    flavor.grants.create(project="c1")
    node = Infrastructure.objects.get(name="Mordor")
    make_installation(flavor, "Mordor")
    now = timezone.now()
    Sighting.objects.create(flavor=flavor, infrastructure=node, state="in_sync", since=now, seen_at=now)
    return flavor


def bring_to_mordor(flavor: Flavor, *has: str) -> tuple[str, set[str]]:
    """Return what failed, and the projects that the flavor is open to there in the end."""
    nova = NovaWithAccess(flavor.as_nova(), projects=set(has))
    return bring(Infrastructure.objects.get(name="Mordor"), nova, flavor), nova.projects


def test_there_a_project_is_the_one_that_is_called_the_same(opened: Flavor) -> None:
    assert bring_to_mordor(opened, "theirs") == ("", {"m1", "theirs"})
    assert Grant.objects.values_list("name", "domain").get() == ("ours", "Users")
    opened.grants.update(revoked=True)
    assert bring_to_mordor(opened, "m1", "theirs") == ("", {"theirs"})


def test_what_a_project_is_called_is_asked_once(opened: Flavor, federation: Federation) -> None:
    bring_to_mordor(opened)
    has(federation, CENTRAL, "projects/c1", {}, 500)
    assert bring_to_mordor(opened) == ("", {"m1"})


def test_a_project_that_a_node_does_not_have_is_told_in_the_coverage(
    opened: Flavor, federation: Federation, admin_client: Client
) -> None:
    has(federation, OWN, "projects?name=ours&domain_id=d2", {"projects": []})
    assert bring_to_mordor(opened) == ("", set())
    sighting = Sighting.objects.get()
    assert sighting.lacking_projects == ["ours of the domain Users"]
    cell = address_of_cell(opened.flavorid, sighting.infrastructure.name)
    assert "projects that Mordor does not have: ours of the domain Users" in admin_client.get(cell).text
    has(federation, OWN, "projects?name=ours&domain_id=d2", {"projects": [{"id": "m1", "name": "ours"}]})
    bring_to_mordor(opened)
    assert Sighting.objects.get().lacking_projects is None
    assert "does not have" not in admin_client.get(cell).text


def test_neither_its_domain_nor_a_namesake_will_do(opened: Flavor, federation: Federation) -> None:
    """A Keystone that does not filter answers with others."""
    has(federation, OWN, "projects?name=ours&domain_id=d2", {"projects": [{"id": "m2", "name": "others"}]})
    assert bring_to_mordor(opened) == ("", set())
    has(federation, OWN, "domains?name=Users", {"domains": []})
    assert bring_to_mordor(opened) == ("", set())
    assert Sighting.objects.get().lacking_projects == ["ours of the domain Users"]


@pytest.mark.parametrize("project", ["gone", "../users"])
def test_a_project_that_the_central_keystone_does_not_have_is_told_too(
    opened: Flavor, federation: Federation, project: str
) -> None:
    has(federation, CENTRAL, "projects/gone", {"error": {"code": 404, "message": "Could not find project"}}, 404)
    opened.grants.update(project=project)
    assert bring_to_mordor(opened) == ("", set())
    assert Sighting.objects.get().lacking_projects == [project]


@pytest.mark.parametrize(("keystone", "path"), [(CENTRAL, "projects/c1"), (OWN, "domains?name=Users")])
def test_a_keystone_that_does_not_say_has_the_node_tried_again(
    opened: Flavor, federation: Federation, keystone: str, path: str
) -> None:
    has(federation, keystone, path, {"error": {"code": 403, "message": "You may not."}}, 403)
    failed, projects = bring_to_mordor(opened, "theirs")
    assert failed.startswith("The access to flavor private: ")
    assert "does not let our account see which projects there are" in failed
    assert projects == {"theirs"}


def test_without_a_node_of_the_central_keystone_nobody_says_what_it_is_called(opened: Flavor) -> None:
    Infrastructure.objects.filter(name="Spain2").update(encrypted_password="")
    assert bring_to_mordor(opened) == ("", set())
    assert Sighting.objects.get().lacking_projects == ["c1"]
