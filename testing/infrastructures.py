"""Clouds, credentials and replacements for tests."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.records import Credentials, NovaFlavor, Region

PASSWORD = "the-operators-password"


def make_region(**overrides: str) -> Region:
    """Return the region of a cloud named Spain2."""
    return Region(
        **{"name": "Spain2", "keystone_url": "https://keystone.example.org:5000/v3", "region_name": "Spain2"}
        | overrides
    )


def make_credentials(region: Region | None = None, /, **overrides: str) -> Credentials:
    """Return the credentials for Spain2."""
    values = {
        "nova_url": "",
        "tenant": "operators",
        "username": "spain2-operator",
        "password": PASSWORD,
        "user_domain": "Users",
        "project_domain": "Projects",
    }
    return Credentials(region=region or make_region(), **values | overrides)


def make_nova_flavor(**overrides: Any) -> NovaFlavor:
    """Return a flavor with something in every member that Nova keeps."""
    values: dict[str, Any] = {
        "id": "42",
        "name": "m1.custom",
        "vcpus": 2,
        "ram": 4096,
        "disk": 20,
        "swap": 512,
        "ephemeral": 10,
        "rxtx_factor": 2.0,
        "is_public": False,
        "description": "for tests",
        "extra_specs": {"hw:cpu_policy": "shared", "quota:vif": "1"},
        "projects": ("p1", "p2"),
    }
    return NovaFlavor(**values | overrides)


def make_infrastructure(name: str = "Spain2", **overrides: Any) -> Infrastructure:
    """Return a stored infrastructure."""
    return Infrastructure.objects.create(name=name, **overrides)


def a_registered(name: str = "Spain2", *, password: str = PASSWORD, **overrides: Any) -> Infrastructure:
    """Return an infrastructure with credentials, not stored."""
    values = {
        "keystone_url": f"https://keystone.{name.lower()}.example.org/v3",
        "tenant": "operators",
        "username": f"{name.lower()}-operator",
    }
    infrastructure = Infrastructure(name=name, **values | overrides)
    infrastructure.set_password(password)
    return infrastructure


def make_registered(name: str = "Spain2", **overrides: Any) -> Infrastructure:
    """Return a stored infrastructure with credentials."""
    infrastructure = a_registered(name, **overrides)
    infrastructure.save()
    return infrastructure


def make_replacement(**overrides: Any) -> Replacement:
    """Return a stored replacement that was cut short, of the RAM of `make_nova_flavor()`, in its own infrastructure."""
    values: dict[str, Any] = {
        "flavorid": "42",
        "old": make_nova_flavor().as_json(),
        "new": make_nova_flavor(ram=8192).as_json(),
    } | overrides
    if "infrastructure" not in values:
        values["infrastructure"] = make_infrastructure()
    return Replacement.objects.create(**values)


def half_way() -> list[str]:
    """Return the ids of the flavors whose replacement is not settled."""
    return [record.flavorid for record in Replacement.objects.all() if record.is_half_way]


def let_the_doubt_end() -> None:
    """Move time on until nothing that was sent can still be carried out."""
    past = timezone.now() - timedelta(seconds=1)
    Replacement.objects.filter(unsure_until__isnull=False).update(unsure_until=past)
