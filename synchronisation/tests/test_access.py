"""Access lists reach the nodes of the central Keystone, and leave there what is the node's own."""

import pytest
from pytest_django import Settings

from flavors.models import Flavor
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import Forbidden
from infrastructures.openstack.records import NovaFlavor
from infrastructures.tests.fake_nova import FakeNova
from synchronisation.access import bring_access
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


def test_a_cloud_with_a_keystone_of_its_own_has_other_projects(private: Flavor, spain2: Infrastructure) -> None:
    mordor = make_infrastructure("Mordor", keystone_url="https://keystone.mordor.example.org/v3")
    make_installation(private, "Mordor")
    nova = NovaWithAccess(private.as_nova(), projects=set())
    assert bring(mordor, nova, private) == ""
    assert nova.calls == []


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
