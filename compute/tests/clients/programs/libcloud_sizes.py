"""libcloud: lists the sizes of a cloud, as it calls flavors, and prints them in JSON by name."""

import json
import os

from libcloud.compute.providers import get_driver

override = os.environ.get("OS_COMPUTE_ENDPOINT_OVERRIDE")
where = {"ex_force_base_url": override} if override else {"ex_force_service_region": os.environ["OS_REGION_NAME"]}
cloud = get_driver("openstack")(
    os.environ["OS_USERNAME"],
    os.environ["OS_PASSWORD"],
    ex_force_auth_url=os.environ["OS_AUTH_URL"].removesuffix("/v3"),
    ex_force_auth_version="3.x_password",
    ex_tenant_name=os.environ["OS_PROJECT_NAME"],
    ex_domain_name="Default",
    **where,
)
sizes = {}
for size in cloud.list_sizes():
    assert cloud.ex_get_size(size.id).name == size.name
    specs = cloud.ex_get_size_extra_specs(size.id)
    sizes[size.name] = {"id": size.id, "ram": size.ram, "vcpus": size.vcpus, "disk": size.disk, "extra_specs": specs}
print(json.dumps(sizes))
