"""The page of the Sovereign Cloud Stack's standards, for the catalogue and for a node."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from flavors.scs.standard import MANDATORY
from flavors.tests.test_admin_actions import federation
from synchronisation.admin.scs import NAMES_SHOWN
from synchronisation.tests.test_check_catalogue import in_nova
from testing.cloud import Federation, flavor_document
from testing.flavors import make_flavor
from testing.shell import shell

__all__ = ["federation"]

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:flavors_flavor_scs")
PUBLIC = {"os-flavor-access:is_public": True}


def figures(answer: Any) -> list[tuple[str, str]]:
    """Return what the page says first, with the colours."""
    return re.findall(r'<div class="(\w+)"><dt>scs-.*?</dt><dd>(.*?)</dd>', answer.text)


def states(answer: Any) -> dict[str, tuple[str, str]]:
    """Return of each flavor what its name says, and its state."""
    rows = re.findall(
        r'rowheader" scope="row">([^< ]+).*?name says">(.*?)</td>.*?<span class="badge \w+">(.*?)</span>',
        answer.text,
        re.DOTALL,
    )
    return {name: (says, state) for name, says, state in rows}


def test_the_catalogue_is_judged_as_the_command_judges_it(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    shell("load_catalogue", "--scs")
    make_flavor(name="SCS-2V-4-10n", vcpus=1, ram=4096, disk=10)
    make_flavor(name="SCS-tiny", vcpus=1, ram=512, disk=1)
    make_flavor(name="m1.tiny", vcpus=1, ram=512, disk=1)
    with django_assert_max_num_queries(4):
        answer = admin_client.get(PAGE)
    assert figures(answer) == [("differs", "2 wrong"), ("good", "met"), ("unknown", "0 of 13")]
    found = states(answer)
    assert found["SCS-4V-16-100s"] == ("4 vCPUs, shared core, 16 GiB, 100 GB SSD", "as it should be")
    assert found["SCS-1L-1-5"] == ("1 vCPU, crowded core, 1 GiB, 5 GB disk", "missing")
    assert found["SCS-2V-4-10n"] == ("2 vCPUs, shared core, 4 GiB, 10 GB network disk", "less than it says")
    assert found["SCS-tiny"] == ("-", "no SCS name")
    assert "m1.tiny" not in found
    assert "vcpus is 1, less than 2" in answer.text
    assert "2 wrong" in shell("check_catalogue", "--scs", "--offline").lines[1]


def test_a_node_is_judged_by_what_it_has_now(admin_client: Client, federation: Federation) -> None:
    has = federation.clouds["Spain2"].flavors
    has |= {name: in_nova(name) for name in MANDATORY[:-1]}
    has["hidden"] = in_nova(MANDATORY[-1]) | {"os-flavor-access:is_public": False}
    has["SCS-1V-4"]["ram"] = 8192
    answer = admin_client.get(PAGE, {"node": "Spain2"})
    assert figures(answer) == [("good", "met"), ("missing", "13 of 15"), ("unknown", "0 of 13")]
    assert (states(answer)["SCS-1V-4"][1], states(answer)[MANDATORY[-1]][1]) == ("different", "missing")
    assert "ram is 8192, not 4096" in answer.text
    assert federation.calls() == {"Spain2": ["GET /flavors/detail"]}


def test_many_flavors_come_in_pages(admin_client: Client, federation: Federation) -> None:
    names = [f"SCS-{number}V-1" for number in range(20, 20 + NAMES_SHOWN + 5)]
    for name in names:
        federation.clouds["Spain2"].flavors[name] = flavor_document(id=name, name=name, ram=1024, **PUBLIC)
    first, last = (admin_client.get(PAGE, {"node": "Spain2", "page": page}) for page in (1, 2))
    assert f"Flavors 1 to {NAMES_SHOWN} of {len(names)}" in first.text
    assert 'rel="next" href="?node=Spain2&amp;page=2"' in first.text
    shown = [states(answer).keys() & set(names) for answer in (first, last)]
    assert [len(found) for found in shown] == [NAMES_SHOWN, 5]
    assert shown[0] | shown[1] == set(names)


def test_a_node_that_fails_is_said(admin_client: Client, federation: Federation) -> None:
    federation.clouds["Mordor"].failing["GET /flavors/detail"] = 500
    answer = admin_client.get(PAGE, {"node": "Mordor"})
    assert 'class="errornote">Mordor: its Nova answered 500.' in answer.text
    assert figures(answer) == []
    assert "Choose a node, or the catalogue." in admin_client.get(PAGE, {"node": "Gondor"}).text


def test_a_nova_that_lists_no_extra_specs_is_judged_without(admin_client: Client, federation: Federation) -> None:
    has = federation.clouds["Spain2"].flavors
    has["SCS-1V-4"] = in_nova("SCS-1V-4")
    del has["SCS-1V-4"]["extra_specs"]
    answer = admin_client.get(PAGE, {"node": "Spain2"})
    assert "scs:cpu-type is not shared-core, but missing" in answer.text
