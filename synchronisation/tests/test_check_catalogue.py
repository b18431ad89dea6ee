"""`check_catalogue --scs` and `load_catalogue --scs`, typed at a shell."""

from collections.abc import Iterator

import pytest

from flavors.models import Flavor
from flavors.scs.standard import MANDATORY, RECOMMENDED, specification
from testing.cloud import Federation, flavor_document
from testing.infrastructures import make_registered
from testing.shell import shell

pytestmark = pytest.mark.django_db


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Clouds without any socket."""
    with Federation() as federation:
        yield federation


def in_nova(name: str, **other: object) -> dict[str, object]:
    """Return a standard flavor as Nova tells it."""
    spec = specification(name)
    numbers = {member: spec[member] for member in ("vcpus", "ram", "disk")}
    specs = {key: value for key, value in spec.items() if ":" in key}
    public = {"os-flavor-access:is_public": True}
    return flavor_document(id=name, name=name, **numbers, **public, extra_specs=specs, **other)


def test_the_standard_flavors_are_loaded_and_then_met() -> None:
    loaded = shell("load_catalogue", "--scs")
    assert loaded.lines[-1] == "28 created, 0 updated, 0 known."
    assert {flavor.name for flavor in Flavor.objects.promoted()} == set(MANDATORY)
    assert set(Flavor.objects.values_list("name", flat=True)) == {*MANDATORY, *RECOMMENDED}
    assert shell("load_catalogue", "--scs").lines[-1] == "0 created, 0 updated, 28 known."

    checked = shell("check_catalogue", "--scs", "--offline")
    assert checked.status == 0
    assert checked.lines[1].split() == ["the", "catalogue", "met", "met", "0", "of", "13"]
    assert shell("load_catalogue", "--scs", "--promote-recommended").status == 0
    assert shell("check_catalogue", "--scs", "--offline").lines[1].split()[-3:] == ["13", "of", "13"]


def test_what_a_node_lacks_is_said(federation: Federation) -> None:
    make_registered("Spain2")
    has = [in_nova(name) for name in MANDATORY if name != "SCS-1L-1"]
    private = in_nova("SCS-1L-1") | {"os-flavor-access:is_public": False}
    wrong = flavor_document(id="x", name="SCS-many", **{"os-flavor-access:is_public": True})
    federation.add("Spain2", *has, private, wrong)
    shell("load_catalogue", "--scs")

    checked = shell("check_catalogue", "--scs", "--explain")
    assert (checked.status, checked.error) == (1, "1 of 2 do not comply.")
    assert "Spain2: SCS-1L-1 is mandatory: missing" in checked.lines
    assert "Spain2: SCS-4V-16-100s: 4 vCPUs, shared core, 16 GiB, 100 GB SSD" in checked.lines
    assert any(line.startswith("Spain2: SCS-many is no SCS name: ") for line in checked.lines)

    document = shell("check_catalogue", "--scs", "--json").document
    assert (document["the catalogue"]["scs-0103"], document["Spain2"]["scs-0103"]) == (True, False)
    assert document["Spain2"]["standard_flavors"]["SCS-1L-1"] == ["missing"]


def test_a_node_that_does_not_answer_is_said(federation: Federation) -> None:
    make_registered("Spain2")
    shell("load_catalogue", "--scs")
    federation.add("Spain2").password = "another"
    checked = shell("check_catalogue", "--scs")
    assert checked.status == 1
    assert checked.error == "1 node could not be asked."


def test_a_file_or_the_standard_is_loaded_and_not_both() -> None:
    assert (shell("load_catalogue").status, shell("load_catalogue", "x.yaml", "--scs").status) == (1, 1)
