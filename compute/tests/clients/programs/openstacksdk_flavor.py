"""openstacksdk: one step in the life of a flavor, by its name; prints the flavor in JSON afterwards."""

import json
import sys

import openstack

NAME = "of.the.client"


def create(cloud):
    flavor = cloud.create_flavor(NAME, ram=256, vcpus=2, disk=1, ephemeral=3, swap=64, rxtx_factor=1.5, is_public=False)
    cloud.set_flavor_specs(flavor.id, {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"})
    cloud.compute.update_flavor(flavor, description="made by openstacksdk")


def change(cloud):
    flavor = cloud.get_flavor(NAME)
    cloud.compute.update_flavor_extra_specs_property(flavor, "hw:cpu_policy", "shared")
    cloud.unset_flavor_specs(flavor.id, ["hw:numa_nodes"])


def open_to(cloud, project):
    cloud.add_flavor_access(cloud.get_flavor(NAME).id, project)


def close_to(cloud, project):
    cloud.remove_flavor_access(cloud.get_flavor(NAME).id, project)


def delete(cloud):
    assert cloud.delete_flavor(NAME)


def show(cloud):
    """All ways to read it say the same."""
    listed = [flavor for flavor in cloud.list_flavors(get_extra=True) if flavor.name == NAME]
    paged = [flavor for flavor in cloud.compute.flavors(is_public=None, limit=2) if flavor.name == NAME]
    if not listed:
        assert not paged
        assert cloud.get_flavor(NAME) is None
        return None
    ((flavor,), (other,)) = listed, paged
    for same in (other, cloud.get_flavor(NAME), cloud.get_flavor_by_id(flavor.id), cloud.compute.find_flavor(NAME)):
        assert same.id == flavor.id
        assert same.extra_specs == flavor.extra_specs
    return {**flavor.to_dict(), "projects": [grant["tenant_id"] for grant in cloud.list_flavor_access(flavor.id)]}


def main():
    with openstack.connect() as cloud:
        step, *arguments = sys.argv[1:]
        {each.__name__: each for each in (create, change, open_to, close_to, delete, show)}[step](cloud, *arguments)
        print(json.dumps(show(cloud), default=str))


main()
