"""A cloud that is gone for good: `manage.py forget_infrastructure`."""

import io

import pytest
from django.core.management import CommandError, call_command

from flavors.models import Flavor, Installation
from infrastructures.models import Infrastructure, Replacement
from testing.flavors import make_flavor, make_infrastructure, make_installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def _federation() -> None:
    """Mordor with its own flavor, one that Spain2 has, too, a promoted one, and one that is being replaced."""
    for name, nodes, promoted in (
        ("alone", ["Mordor"], False),
        ("both", ["Mordor", "Spain2"], False),
        ("promoted", ["Mordor"], True),
        ("elsewhere", ["Spain2"], False),
    ):
        flavor = make_flavor(flavorid=name, name=name, promoted=promoted)
        for node in nodes:
            make_installation(flavor, node)
    Replacement.objects.create(infrastructure=make_infrastructure("Mordor"), flavorid="private", old={}, new={})


def forget(*arguments: str) -> list[str]:
    printed = io.StringIO()
    call_command("forget_infrastructure", "Mordor", *arguments, stdout=printed)
    return printed.getvalue().splitlines()


@pytest.mark.usefixtures("_federation")
def test_it_takes_along_what_only_the_cloud_had() -> None:
    assert forget() == [
        "alone: in no other node, leaves the catalogue.",
        "both: stays in the catalogue.",
        "promoted: stays in the catalogue.",
        "Mordor: forgotten, with 3 installations and 1 open replacement.",
    ]
    assert {flavor.flavorid: flavor.nodes for flavor in Flavor.objects.all()} == {
        "both": ["Spain2"],
        "promoted": [],
        "elsewhere": ["Spain2"],
    }
    assert not Infrastructure.objects.filter(name="Mordor").exists()
    assert not Replacement.objects.exists()


@pytest.mark.usefixtures("_federation")
def test_a_dry_run_says_the_same_and_changes_nothing() -> None:
    assert forget("--dry-run")[-1] == "Mordor: would be forgotten, with 3 installations and 1 open replacement."
    assert (Flavor.objects.count(), Installation.objects.count(), Replacement.objects.count()) == (4, 5, 1)
    assert Infrastructure.objects.filter(name="Mordor").exists()


@pytest.mark.usefixtures("_federation")
def test_unregistering_refuses_what_forgetting_does() -> None:
    with pytest.raises(CommandError, match="a flavor of the catalogue is installed there"):
        call_command("unregister_infrastructure", "Mordor")


def test_a_cloud_that_there_is_not() -> None:
    with pytest.raises(CommandError, match="There is no node Mordor"):
        forget()
