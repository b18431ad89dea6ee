"""novaclient, in the microversion that it is given: one step in the life of a flavor; prints it in JSON afterwards."""

import json
import os
import sys

from keystoneauth1 import loading, session
from novaclient import client

NAME = "of.the.client"


def nova_in(microversion):
    """Return a client that finds Nova by the region, unless it is told where it is."""
    names = ("auth_url", "username", "password", "project_name", "user_domain_name", "project_domain_name")
    auth = loading.get_plugin_loader("password").load_from_options(
        **{name: os.environ[f"OS_{name.upper()}"] for name in names}
    )
    override = os.environ.get("OS_COMPUTE_ENDPOINT_OVERRIDE")
    where = {"endpoint_override": override} if override else {"region_name": os.environ["OS_REGION_NAME"]}
    return client.Client(microversion, session=session.Session(auth=auth), **where)


def create(nova):
    flavor = nova.flavors.create(NAME, ram=256, vcpus=2, disk=1, ephemeral=3, swap=64, rxtx_factor=1.5, is_public=False)
    assert flavor.set_keys({"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"})


def change(nova):
    flavor = nova.flavors.find(name=NAME, is_public=None)
    flavor.set_keys({"hw:cpu_policy": "shared"})
    flavor.unset_keys(["hw:numa_nodes"])
    if nova.api_version.ver_minor >= 55:
        flavor.update(description="changed by novaclient")


def open_to(nova, project):
    nova.flavor_access.add_tenant_access(nova.flavors.find(name=NAME, is_public=None), project)


def close_to(nova, project):
    nova.flavor_access.remove_tenant_access(nova.flavors.find(name=NAME, is_public=None), project)


def delete(nova):
    nova.flavors.find(name=NAME, is_public=None).delete()


def show(nova):
    listed = [flavor for flavor in nova.flavors.list(is_public=None, sort_key="name") if flavor.name == NAME]
    if not listed:
        return None
    (flavor,) = listed
    assert flavor.get_keys() == nova.flavors.get(flavor.id).get_keys()
    projects = [grant.tenant_id for grant in nova.flavor_access.list(flavor=flavor)]
    return {**flavor.to_dict(), "extra_specs": flavor.get_keys(), "projects": projects}


def main():
    microversion, step, *arguments = sys.argv[1:]
    nova = nova_in(microversion)
    {each.__name__: each for each in (create, change, open_to, close_to, delete, show)}[step](nova, *arguments)
    print(json.dumps(show(nova)))


main()
