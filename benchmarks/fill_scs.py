"""Fill an empty database with the standard flavors, promoted, and one cloud: `python -m benchmarks.fill_scs`.

The standard is that of the Sovereign Cloud Stack. The cloud is in the environment, as OpenStack's clients are told it.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup()

from flavors.models import Flavor  # noqa: E402
from flavors.scs.standard import MANDATORY, RECOMMENDED, specification  # noqa: E402
from infrastructures.models import Infrastructure  # noqa: E402


def fill() -> None:
    """Create the flavors, and the cloud."""
    for name in (*MANDATORY, *RECOMMENDED):
        told = specification(name)
        numbers = {member: int(told[member]) for member in ("vcpus", "ram", "disk")}
        specs = {key: str(value) for key, value in told.items() if ":" in key}
        Flavor.objects.create(name=name, extra_specs=specs, public=True, promoted=True, **numbers)
    cloud = Infrastructure(
        name=os.environ["OS_REGION_NAME"],
        keystone_url=os.environ["OS_AUTH_URL"],
        tenant=os.environ["OS_PROJECT_NAME"],
        username=os.environ["OS_USERNAME"],
    )
    cloud.set_password(os.environ["OS_PASSWORD"])
    cloud.save()


if __name__ == "__main__":
    fill()
