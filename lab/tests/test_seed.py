"""What the clouds hold from the start, and how it comes back."""

import pytest

from lab import AnswerError, Lab, LabError, seed
from lab.openstack import Json
from lab.tests.conftest import Ask

pytestmark = pytest.mark.lab


def endpoints(lab: Lab, ask: Ask, keystone_url: str, user: str) -> dict[tuple[str, str], str]:
    """The catalogue that a user's token shows: service type and region to URL."""
    catalogue = ask(f"{keystone_url}/auth/catalog", lab.token(user)).body["catalog"]
    return {
        (service["type"], endpoint["region_id"]): endpoint["url"]
        for service in catalogue
        for endpoint in service["endpoints"]
    }


def test_the_central_catalogue(lab: Lab, ask: Ask) -> None:
    found = endpoints(lab, ask, lab.keystone_url, "spain2-member")
    # `scripts/serve --lab` registers its own, which other tests may have left.
    found = {(service, region): url for (service, region), url in found.items() if region != "Federation"}
    regions = ("Spain2", "Lannion2", "Isengard", "Moria")
    assert found == {("identity", region): lab.keystone_url for region in regions} | {
        ("compute", region): lab.nova_url(region) for region in ("Spain2", "Lannion2", "Isengard")
    }


def test_the_catalogue_of_mordor(lab: Lab, ask: Ask) -> None:
    assert endpoints(lab, ask, lab.mordor_keystone_url, "mordor-member") == {
        ("identity", "Mordor"): lab.mordor_keystone_url,
        ("compute", "Mordor"): lab.nova_url("Mordor"),
    }


@pytest.mark.parametrize("user", seed.USERS, ids=lambda user: user.name)
def test_a_user_has_one_role_in_one_project(lab: Lab, ask: Ask, user: seed.User) -> None:
    token = lab.token(user.name)
    url = lab.keystone_url if user.keystone == "keystone" else lab.mordor_keystone_url
    projects = ask(f"{url}/auth/projects", token).body["projects"]
    assert [project["name"] for project in projects] == [user.project]
    region = "Mordor" if user.keystone == "mordor-keystone" else "Spain2"
    # Only an administrator is told that there is nothing to delete.
    refusal = ask(f"{lab.nova_url(region)}/flavors/no-such", token, method="DELETE")
    assert refusal.status == (404 if user.role == "admin" else 403)


def test_an_unscoped_token_shows_no_catalogue(lab: Lab, ask: Ask) -> None:
    token = lab.unscoped_token("unscoped-admin")
    assert ask(f"{lab.keystone_url}/auth/catalog", token).status == 403
    projects = ask(f"{lab.keystone_url}/auth/projects", token).body["projects"]
    assert [project["name"] for project in projects] == ["spain2"]


def test_a_token_of_one_keystone_is_worthless_at_the_other(lab: Lab, ask: Ask) -> None:
    assert ask(f"{lab.mordor_keystone_url}/auth/catalog", lab.token("spain2-admin")).status == 401
    assert ask(f"{lab.nova_url('Mordor')}/flavors", lab.token("spain2-admin")).status == 401


def test_the_flavors(seeded: Lab) -> None:
    for region, wanted in seed.FLAVORS.items():
        found = {
            flavor["id"]: (
                flavor["name"],
                flavor["vcpus"],
                flavor["ram"],
                flavor["disk"],
                flavor["swap"],
                flavor["OS-FLV-EXT-DATA:ephemeral"],
                flavor["os-flavor-access:is_public"],
                flavor["description"],
                flavor["extra_specs"],
            )
            for flavor in seeded.flavors(region)
        }
        assert found == {
            one.id: (
                one.name,
                one.vcpus,
                one.ram,
                one.disk,
                one.swap,
                one.ephemeral,
                one.public,
                one.description,
                one.extra_specs,
            )
            for one in wanted
        }


def test_who_may_use_a_private_flavor(seeded: Lab) -> None:
    projects = seeded.project_ids("Spain2")
    expected = sorted([projects["spain2"], projects["lannion2"]])
    assert seeded.flavor_access("Spain2", "spain2-secret") == expected
    assert seeded.flavor_access("Mordor", "mordor-ring") == []
    with pytest.raises(AnswerError) as refusal:
        seeded.flavor_access("Spain2", "1")
    assert refusal.value.status == 404


def test_reset_undoes_whatever_was_done(seeded: Lab) -> None:
    before = seeded.flavors("Spain2")
    seeded.delete_flavor("Spain2", "1")
    seeded.create_flavor("Spain2", "m1.tiny", flavor_id="another", ram=777)
    seeded.delete_flavor("Spain2", "5")
    seeded.create_flavor("Spain2", "extra", extra_specs={"a": "b"})
    seeded.delete_flavor("Spain2", "spain2-secret")
    secret = seed.FLAVORS["Spain2"][-1]
    seeded.create_flavor(
        "Spain2",
        secret.name,
        flavor_id=secret.id,
        vcpus=secret.vcpus,
        ram=secret.ram,
        disk=secret.disk,
        public=False,
        access=["spain2"],
    )
    seeded.reset("Spain2")
    assert seeded.flavors("Spain2") == before
    assert len(seeded.flavor_access("Spain2", "spain2-secret")) == 2


def by_id(lab: Lab) -> dict[str, Json]:
    return {flavor["id"]: flavor for flavor in lab.flavors("Mordor")}


def test_a_reset_asks_no_cloud(seeded: Lab) -> None:
    seeded.delete_flavor("Mordor", "mordor-ring")
    with seeded.counting("lab") as served:
        seeded.reset()
    assert not any(served.values())
    assert {flavor["id"] for flavor in seeded.flavors("Mordor")} == {flavor.id for flavor in seed.FLAVORS["Mordor"]}


def test_a_lab_without_snapshots_is_seeded_again(seeded: Lab) -> None:
    before = by_id(seeded)
    folder = seeded.daemons()["nova-Mordor"].folder
    (folder / "seeded.sqlite").unlink()
    with pytest.raises(LabError, match="nova-Mordor was never seeded: use 'up'"):
        seeded.reset("Mordor")
    assert by_id(seeded) == before
    seeded.delete_flavor("Mordor", "mordor-ring")
    seeded.delete_flavor("Mordor", "1")
    seeded.create_flavor("Mordor", "m1.tiny", flavor_id="1", ram=777)
    seeded.create_flavor("Mordor", "extra")
    seeded.up()
    assert by_id(seeded) == before
    seeded.delete_flavor("Mordor", "mordor-ring")
    seeded.reset("Mordor")
    assert by_id(seeded) == before


def test_a_flavor_is_created_with_all_that_belongs_to_it(seeded: Lab) -> None:
    created = seeded.create_flavor(
        "Mordor",
        "mordor.tower",
        vcpus=2,
        ram=1024,
        disk=3,
        ephemeral=4,
        swap=5,
        public=False,
        description="Tall",
        extra_specs={"fiware:tier": "gold"},
        access=["mordor"],
    )
    [shown] = [flavor for flavor in seeded.flavors("Mordor") if flavor["id"] == created["id"]]
    assert shown == created
    assert shown["extra_specs"] == {"fiware:tier": "gold"}
    assert seeded.flavor_access("Mordor", created["id"]) == [seeded.project_ids("Mordor")["mordor"]]
    seeded.delete_flavor("Mordor", created["id"])
    assert created["id"] not in [flavor["id"] for flavor in seeded.flavors("Mordor")]


def test_what_there_is_not_is_said(lab: Lab) -> None:
    with pytest.raises(LabError, match="no user 'frodo', only spain2-admin"):
        lab.token("frodo")
    with pytest.raises(LabError, match="no Nova for a region 'Moria'"):
        lab.nova_url("Moria")
    with pytest.raises(LabError, match="no Nova for a region 'Isengard', only Spain2"):
        lab.flavors("Isengard")
    with pytest.raises(LabError, match="no service 'nova'"):
        lab.kill("nova")
