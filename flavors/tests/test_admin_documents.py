"""The list of flavors: its order, its filters by size, and the catalogue as a file, out and in."""

import csv
import re
from html import unescape
from io import StringIO
from typing import Any

import pytest
import yaml
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from flavors import natural
from flavors.models import Flavor
from flavors.tests.test_admin import LIST, member_of_staff
from synchronisation.tests.test_admin_plans import words
from testing.flavors import make_flavor, make_infrastructure

pytestmark = [pytest.mark.django_db, pytest.mark.database]

CSV, YAML, LOAD = (reverse(f"admin:flavors_flavor_{name}") for name in ("csv", "yaml", "load"))
NAMES = ["a-9-x", "A-10-x", "SCS-1L-1", "SCS-2V-4", "SCS-16V-32"]


def listed(client: Client, query: str = "") -> list[str]:
    return [flavor.name for flavor in client.get(LIST + query).context["cl"].result_list]


def confirmed(shown: Any) -> dict[str, str]:
    """Return what the page's hidden fields send."""
    fields = re.findall('<input type="hidden" name="(plan|document)" value="(.*?)">', shown.text, re.DOTALL)
    return {name: unescape(value) for name, value in fields}


@pytest.fixture
def _flavors() -> None:
    """Flavors whose order by name is not that of the database, from small to large."""
    for number, name in enumerate(sorted(NAMES)):
        make_flavor(name=name, flavorid=str(number), vcpus=3**number, ram=1024 * 3**number, extra_specs={"a": "1"})


@pytest.mark.usefixtures("_flavors")
def test_names_are_in_the_order_that_people_expect(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    make_infrastructure("Crete")
    assert listed(admin_client) == NAMES
    assert listed(admin_client, "?o=-1") == NAMES[::-1]
    assert listed(admin_client, "?o=2") == sorted(NAMES)
    for page in (reverse("catalogue"), reverse("admin:flavors_flavor_coverage")):
        text = admin_client.get(page).text
        assert sorted(NAMES, key=text.index) == NAMES
    monkeypatch.setattr(natural, "MOST", 3)
    assert listed(admin_client) == sorted(NAMES)


@pytest.mark.usefixtures("_flavors")
def test_pages_are_parts_of_that_order() -> None:
    pages = natural.NaturalPaginator(Flavor.objects.all(), 2)
    assert [[flavor.name for flavor in page.object_list] for page in pages] == [NAMES[:2], NAMES[2:4], NAMES[4:]]


@pytest.mark.usefixtures("_flavors")
def test_the_list_is_filtered_by_size(admin_client: Client) -> None:
    assert len(listed(admin_client, "?cpus=2-4")) == 1
    assert set(listed(admin_client, "?cpus=17-")) == set(sorted(NAMES)[3:])
    assert set(listed(admin_client, "?memory=2-8&cpus=2-4")) == {sorted(NAMES)[1]}


@pytest.mark.usefixtures("_flavors")
def test_the_filtered_list_comes_as_csv_and_yaml(admin_client: Client) -> None:
    make_flavor(name="=1+1", flavorid="formula", vcpus=3, description="a, b")
    answer = admin_client.get(f"{CSV}?cpus=2-4")
    assert answer["Content-Disposition"] == 'attachment; filename="flavors.csv"'
    rows = list(csv.DictReader(StringIO(answer.text)))
    found = {row["id"]: (row["name"], row["ram"], row["description"], row["extra_specs"]) for row in rows}
    assert found == {"1": (sorted(NAMES)[1], "3072", "", "a=1"), "formula": ("'=1+1", "2", "a, b", "")}
    document = yaml.safe_load(admin_client.get(f"{YAML}?q=SCS-16").text)
    assert [(flavor["name"], flavor["extra_specs"]) for flavor in document["flavors"]] == [("SCS-16V-32", {"a": "1"})]
    assert admin_client.get(f"{CSV}?no_such_field=1").status_code == 400


@pytest.mark.usefixtures("_flavors")
def test_a_document_is_loaded_once_what_it_does_was_shown(admin_client: Client) -> None:
    text = admin_client.get(YAML).text.replace("ram: 1024\n", "ram: 2048\n")
    text += "- {id: new, name: new.one, vcpus: 1, ram: 512, disk: 1, promoted: true}\n"
    shown = admin_client.post(LOAD, {"document": text})
    assert "RAM in the catalogue 1 GiB → in the document 2 GiB" in words(shown)
    assert "new.one" in shown.text
    assert "4 are as the document says already." in shown.text
    assert not Flavor.objects.filter(name="new.one").exists()
    answer = admin_client.post(LOAD, confirmed(shown))
    assert answer["Location"] == LIST
    assert Flavor.objects.get(name="new.one").promoted
    assert Flavor.objects.get(flavorid="0").ram == 2048
    assert {entry.object_repr for entry in LogEntry.objects.all()} == {"new.one", "A-10-x"}


def test_flavors_without_an_id_are_loaded_once_they_were_shown(admin_client: Client) -> None:
    text = "flavors: [{name: new.one, vcpus: 1, ram: 512, disk: 1}]"
    shown = admin_client.post(LOAD, {"document": text})
    assert "new.one new id created public in the document yes vCPUs in the document 1" in words(shown)
    assert shown.context["news"][0].flavorid not in shown.text
    assert admin_client.post(LOAD, confirmed(shown))["Location"] == LIST
    assert Flavor.objects.filter(name="new.one").exists()
    shown = admin_client.post(LOAD, {"document": "flavors: [{id: mine, name: b, vcpus: 1, ram: 512, disk: 1}]"})
    assert "b mine created public in the document yes vCPUs in the document 1" in words(shown)


@pytest.mark.usefixtures("_flavors")
def test_what_comes_as_csv_is_loaded_again_and_changes_nothing(admin_client: Client) -> None:
    specs = {"a:b": "x; y=\\z", "c": "", "d": "1\n2"}
    make_flavor(name="=1+1", flavorid="formula", description='"für",\r\nalle', extra_specs=specs)
    table = admin_client.get(CSV).content
    shown = admin_client.post(LOAD, {"file": SimpleUploadedFile("flavors.csv", table)})
    assert "6 are as the document says already." in shown.text
    assert shown.context["news"] == []
    pasted = table.decode().replace(",", "\t").replace("\r\n", "\n")
    pasted = pasted.replace("formula\t'=1+1\t1", "formula\t'=1+1\t7")
    shown = admin_client.post(LOAD, {"document": pasted.replace('""für""\t', '""für"",')})
    assert "vCPUs in the catalogue 1 → in the document 7" in words(shown)
    assert [sorted(change.members) for change in shown.context["news"]] == [["vcpus"]]


def test_a_file_is_loaded_once_what_it_does_was_shown(admin_client: Client) -> None:
    table = b"\xef\xbb\xbfid;name;vcpus;ram;disk;promoted\r\n;new.one;1;512;1;TRUE\r\n"
    shown = admin_client.post(LOAD, {"file": SimpleUploadedFile("flavors.csv", table)})
    assert "new.one new id created" in words(shown)
    assert not Flavor.objects.exists()
    assert admin_client.post(LOAD, confirmed(shown))["Location"] == LIST
    assert Flavor.objects.get().promoted


def test_a_file_that_is_wrong_is_told_so_by_line(admin_client: Client) -> None:
    def errors(table: bytes) -> list[str]:
        answer = admin_client.post(LOAD, {"file": SimpleUploadedFile("flavors.csv", table)})
        return list(answer.context["form"].errors["file"])

    assert errors(b"name,vcpus,ram,disk\na,1,512,0\nb,none,512,0\n") == [
        'line 3 (b): vcpus: must be an integer, not "none"'
    ]
    assert errors("name,vcpus\nfür,1".encode("latin-1")) == ["It is not in UTF-8: save it as CSV in UTF-8, or as YAML."]
    assert "It is longer than" in errors(b"name,vcpus\n" * 100_000)[0]
    assert "Choose a file, or paste its text." in admin_client.post(LOAD, {"document": " "}).text


def test_a_document_that_is_wrong_is_told_so_and_nothing_is_loaded(admin_client: Client) -> None:
    answer = admin_client.post(LOAD, {"document": "flavors: [{id: a, name: a, vcpus: 0, ram: 1, disk: 1}]"})
    assert "vcpus" in answer.context["form"].errors["document"][0]
    assert not Flavor.objects.exists()
    assert "It is longer than" in admin_client.post(LOAD, {"document": "a" * 1_000_001}).text


def test_loading_takes_the_right_to_make_change_and_promote(client: Client) -> None:
    client.force_login(member_of_staff("view_flavor", "add_flavor", "change_flavor"))
    assert client.get(LOAD).status_code == client.post(LOAD).status_code == 403
    assert "Load…" not in client.get(LIST).text
    assert client.get(CSV).status_code == 200
