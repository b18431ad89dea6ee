"""Extra specs that Nova's own rules refuse are found once, before they are in the catalogue."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from flavors.catalogue.extra_specs import NODES_TO_TRY, refusals_of
from flavors.models import Flavor
from flavors.tests.test_admin import VALUES
from infrastructures.models import Infrastructure
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, registered_clouds
from testing.flavors import make_flavor
from testing.shell import shell

pytestmark = pytest.mark.django_db

POLICY = "hw:cpu_policy"
GOOD, WRONG = {POLICY: "shared"}, {POLICY: "sharde"}
DOCUMENT = """
flavors:
  - {name: good, vcpus: 1, ram: 1, disk: 1, extra_specs: {"hw:cpu_policy": shared}}
  - {name: plain, vcpus: 1, ram: 1, disk: 1}
  - {name: wrong, vcpus: 1, ram: 1, disk: 1, promoted: true, extra_specs: {"hw:cpu_policy": sharde}}
"""


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Several registered clouds, whose Novas know the values of the policy."""
    with registered_clouds("Mordor", "Rohan", "Shire", "Spain2") as federation:
        for cloud in federation.clouds.values():
            cloud.rules[POLICY] = {"dedicated", "shared", "mixed"}
        yield federation


@pytest.fixture
def document(tmp_path: Path) -> str:
    (tmp_path / "catalogue.yaml").write_text(DOCUMENT)
    return str(tmp_path / "catalogue.yaml")


def asked(federation: Federation) -> dict[str, int]:
    """Return how many requests each Nova had."""
    return {name: len(calls) for name, calls in federation.calls().items()}


def test_one_node_is_asked_once_for_each_flavor_that_has_some(federation: Federation) -> None:
    good, none, wrong = refusals_of([GOOD, {}, WRONG])
    assert (good, none) == ("", "")
    assert "Validation failed." in wrong
    assert asked(federation) == {"Mordor": 2}


def test_nobody_is_asked_about_none(federation: Federation) -> None:
    assert refusals_of([{}, {}]) == ["", ""]
    assert asked(federation) == {}


def test_the_next_node_is_asked_where_one_fails(federation: Federation) -> None:
    federation.clouds["Mordor"].password = "changed there"
    assert refusals_of([WRONG]) != [""]
    assert asked(federation) == {"Rohan": 1}


def test_nothing_is_refused_where_nobody_can_be_asked(federation: Federation) -> None:
    for cloud in list(federation.clouds.values())[:NODES_TO_TRY]:
        cloud.password = "changed there"
    assert refusals_of([WRONG]) == [""]
    assert asked(federation) == {}


def test_a_document_is_refused_as_a_whole(federation: Federation, document: str) -> None:
    answer = shell("load_catalogue", document)
    assert answer.status == 1
    assert re.search("wrong.*extra_specs: .*Validation failed.", answer.error)
    assert not Flavor.objects.exists()


def test_a_document_is_loaded_where_no_node_can_be_asked(document: str) -> None:
    assert shell("load_catalogue", document).status == 0
    assert Flavor.objects.get(name="wrong").extra_specs == WRONG


def test_what_the_catalogue_has_already_is_not_asked_about(federation: Federation, document: str) -> None:
    make_flavor(name="good", vcpus=1, ram=1, disk=1, extra_specs=GOOD)
    make_flavor(name="wrong", vcpus=1, ram=1, disk=1, extra_specs=WRONG)
    assert shell("load_catalogue", document).status == 0
    assert asked(federation) == {}


def test_a_form_says_what_nova_refuses(admin_client: Client, federation: Federation) -> None:
    values: dict[str, Any] = {**VALUES, "extra_specs": json.dumps(WRONG)}
    answer = admin_client.post(reverse("admin:flavors_flavor_add"), values)
    assert "Validation failed." in answer.context["adminform"].form.errors["extra_specs"][0]
    assert not Flavor.objects.exists()
    admin_client.post(reverse("admin:flavors_flavor_add"), {**values, "extra_specs": json.dumps(GOOD)})
    assert Flavor.objects.get().extra_specs == GOOD


def test_a_form_asks_nobody_about_what_it_leaves_alone(admin_client: Client, federation: Federation) -> None:
    flavor = make_flavor(extra_specs=GOOD)
    page = reverse("admin:flavors_flavor_change", args=[flavor.pk])
    answer = admin_client.post(page, {**VALUES, "flavorid": flavor.flavorid, "extra_specs": json.dumps(GOOD)})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert Flavor.objects.get().name == VALUES["name"]
    assert asked(federation) == {}


@pytest.mark.django_db(transaction=True)
def test_nodes_are_given_them_without_being_asked_again(federation: Federation) -> None:
    make_flavor(flavorid="42", promoted=True, public=True, extra_specs=WRONG)
    nodes = list(Infrastructure.objects.all())
    carry_out(create_run(requested_by="test", infrastructures=nodes, repairs=True).pk)
    assert [cloud.flavors["42"]["extra_specs"] for cloud in federation.clouds.values()] == [WRONG] * len(nodes)
