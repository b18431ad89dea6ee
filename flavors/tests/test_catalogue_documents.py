"""`dump_catalogue` and `load_catalogue`: YAML documents of our own, and of the Sovereign Cloud Stack."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flavors.catalogue.documents import UnreadableDocument, read_document, write_document
from flavors.models import Flavor
from testing.flavors import make_flavor, make_installation
from testing.shell import Answer, shell

WHOLE = {
    "flavorid": "42", "name": "m1.custom", "vcpus": 2, "ram": 4096, "disk": 20, "swap": 512, "ephemeral": 10,
    "rxtx_factor": 2.5, "description": "für alle:\n - \"no\" more", "is_public": False, "public": True,
    "promoted": False, "extra_specs": {"hw:cpu_policy": "shared", "yes": "no", "n": "1e3", "empty": ""},
}  # fmt: skip
MEMBERS = tuple(WHOLE)


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Load a document, given as text."""

    def load(text: str, *arguments: str) -> Answer:
        (tmp_path / "catalogue.yaml").write_text(text, encoding="utf-8")
        return shell("load_catalogue", str(tmp_path / "catalogue.yaml"), *arguments)

    return load


def catalogue() -> list[dict[str, Any]]:
    """Return all that the catalogue says of its flavors."""
    return list(Flavor.objects.values(*MEMBERS))


def entry(**overrides: Any) -> str:
    """Return a document with one flavor, as YAML."""
    values = {"name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20, **overrides}
    return yaml.safe_dump({"flavors": [{name: value for name, value in values.items() if value is not None}]})


# Dump and load


@pytest.mark.django_db
def test_what_is_dumped_and_loaded_is_the_same(load: Any) -> None:
    make_flavor(**WHOLE)
    make_flavor(name="2024", flavorid="on", extra_specs={})
    make_flavor(name="hidden", flavorid="null", promoted=False, public=False, extra_specs={"a": "~"})
    before, dumped = catalogue(), shell("dump_catalogue").output
    assert (load(dumped).output, load(dumped).status) == ("0 created, 0 updated, 3 known.\n", 0)
    assert catalogue() == before
    Flavor.objects.all().delete()
    assert (
        load(dumped).output == "2024: created.\nhidden: created.\nm1.custom: created.\n3 created, 0 updated, 0 known.\n"
    )
    assert catalogue() == before
    assert shell("dump_catalogue").output == dumped


@pytest.mark.django_db
def test_a_dump_in_json_says_the_same_and_can_be_loaded(load: Any) -> None:
    make_flavor(**WHOLE)
    dumped = shell("dump_catalogue", "--json")
    assert dumped.document == yaml.safe_load(shell("dump_catalogue").output)
    assert load(dumped.output).output == "0 created, 0 updated, 1 known.\n"


@pytest.mark.django_db
def test_access_lists_are_dumped_and_loaded(load: Any) -> None:
    flavor = make_flavor(name="private", flavorid="p", is_public=False)
    flavor.grants.create(project="b")
    flavor.grants.create(project="a", name="ours", domain="Users")
    flavor.grants.create(project="before", revoked=True)
    make_flavor(name="open", flavorid="o")
    dumped = shell("dump_catalogue").output
    access = [{"id": "a", "name": "ours", "domain": "Users"}, {"id": "b"}]
    assert [each.get("access") for each in yaml.safe_load(dumped)["flavors"]] == [None, access]
    assert load(dumped).output == "0 created, 0 updated, 2 known.\n"
    by_ids = {"flavors": [{"id": "p", "access": ["a", "c"]}]}
    assert "1 updated" in load(yaml.safe_dump(by_ids)).output
    granted = flavor.grants.filter(revoked=False).values_list("project", "name")
    assert list(granted) == [("a", "ours"), ("c", "")]
    assert set(flavor.grants.filter(revoked=True).values_list("project", flat=True)) == {"b", "before"}
    assert load(yaml.safe_dump(by_ids)).output == "0 created, 0 updated, 1 known.\n"
    Flavor.objects.all().delete()
    load(dumped)
    assert Flavor.objects.get(flavorid="p").grants.count() == 2


@pytest.mark.django_db
def test_a_dump_reads_well(load: Any) -> None:
    make_flavor(**WHOLE | {"description": "für alle", "extra_specs": {"hw:cpu_policy": "shared"}})
    assert shell("dump_catalogue").output == (
        "flavors:\n- id: '42'\n  name: m1.custom\n  vcpus: 2\n  ram: 4096\n  disk: 20\n  swap: 512\n  ephemeral: 10\n"
        "  rxtx_factor: 2.5\n  description: für alle\n  is_public: false\n  extra_specs:\n    hw:cpu_policy: shared\n"
        "  public: true\n  promoted: false\n"
    )


@pytest.mark.django_db
def test_dumps_the_promoted_ones_alone() -> None:
    make_flavor(**WHOLE)
    make_flavor(name="m1.small", flavorid="1")
    dumped = yaml.safe_load(shell("dump_catalogue", "--promoted").output)
    assert [flavor["name"] for flavor in dumped["flavors"]] == ["m1.small"]
    Flavor.objects.all().delete()
    assert shell("dump_catalogue").output == "flavors: []\n"


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
NUMBERS = st.integers(1, 2**31 - 1)


@given(
    st.fixed_dictionaries(
        {
            "flavorid": st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True).filter(
                lambda text: text not in {".", "..", "detail"}
            ),
            "name": st.from_regex(r"[!-~]{1,20}", fullmatch=True),
            **dict.fromkeys(("vcpus", "ram", "disk", "swap", "ephemeral"), NUMBERS),
            "rxtx_factor": st.floats(min_value=1e-30, max_value=1e30),
            "description": TEXT,
            "is_public": st.booleans(),
            "extra_specs": st.dictionaries(st.from_regex(r"[a-zA-Z0-9_:. -]{1,20}", fullmatch=True), TEXT, max_size=4),
            "public": st.booleans(),
            "promoted": st.booleans(),
        }
    )
)
def test_a_document_loses_nothing(values: dict[str, Any]) -> None:
    (read,) = read_document(write_document([Flavor(**values)]).encode())
    assert dict(read.values) == values


# Creating and updating


@pytest.mark.django_db
def test_creates_with_novas_defaults(load: Any) -> None:
    assert load(entry()).output == "m1.small: created.\n1 created, 0 updated, 0 known.\n"
    (made,) = catalogue()
    assert made.pop("flavorid")
    assert made == {
        "name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20, "swap": 0, "ephemeral": 0, "rxtx_factor": 1.0,
        "description": "", "is_public": True, "extra_specs": {}, "public": True, "promoted": False,
    }  # fmt: skip


@pytest.mark.django_db
def test_updates_by_name_in_any_case_what_is_said_alone(load: Any) -> None:
    make_flavor(**WHOLE)
    before = Flavor.objects.get()
    answer = load("flavors:\n- {name: M1.Custom, ram: 8192, promoted: true}")
    assert answer.output == (
        "M1.Custom: updated: name 'm1.custom' -> 'M1.Custom', ram 4096 -> 8192, promoted False -> True\n"
        "0 created, 1 updated, 0 known.\n"
    )
    assert catalogue() == [WHOLE | {"name": "M1.Custom", "ram": 8192, "promoted": True}]
    assert Flavor.objects.get().updated_at > before.updated_at


@pytest.mark.django_db
def test_updates_by_id_the_name_too(load: Any) -> None:
    make_flavor(**WHOLE)
    assert load("flavors:\n- {id: '42', name: renamed, extra_specs: {a: b}}").status == 0
    assert catalogue() == [WHOLE | {"name": "renamed", "extra_specs": {"a": "b"}}]


@pytest.mark.django_db
def test_the_dry_run_says_the_same_and_changes_nothing(load: Any) -> None:
    make_flavor(**WHOLE)
    text = "flavors:\n- {id: '42', ram: 1}\n- {name: new, vcpus: 1, ram: 1, disk: 1}"
    dry = load(text, "--dry-run")
    assert (
        dry.output
        == "m1.custom: to be updated: ram 4096 -> 1\nnew: to be created.\n1 to be created, 1 to be updated, 0 known.\n"
    )
    assert catalogue() == [WHOLE]
    assert load(text).output == dry.output.replace("to be ", "")
    assert len(catalogue()) == 2


@pytest.mark.django_db
def test_says_it_in_json(load: Any) -> None:
    make_flavor(**WHOLE)
    document = load(
        "flavors:\n- {id: '42', ram: 1}\n- {id: n, name: new, vcpus: 1, ram: 1, disk: 1}", "--json"
    ).document
    assert document[0] == {
        "id": "42", "name": "m1.custom", "outcome": "updated", "members": {"ram": {"from": 4096, "to": 1}},
    }  # fmt: skip
    assert (document[1]["outcome"], document[1]["members"]["vcpus"]) == ("created", {"from": None, "to": 1})


@pytest.mark.django_db
def test_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(entry(name="naïve").encode())))
    assert shell("load_catalogue", "-").status == 0
    assert Flavor.objects.get().name == "naïve"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"flavors: \xff")))
    answer = shell("load_catalogue", "-")
    assert (answer.error, answer.status) == ("The document is not YAML.", 1)


@pytest.mark.django_db
def test_a_name_that_looks_like_a_date_is_a_text(load: Any) -> None:
    assert load("flavors: [{name: 2024-01-01, vcpus: 1, ram: 1, disk: 1}]").status == 0
    assert Flavor.objects.get().name == "2024-01-01"


# What is wrong


OWN = "flavors, flavor 1 (m1.small)"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "The document is not YAML: line 1: "),
        ("\x00", "The document is not YAML."),
        ("flavors:\n- {name: !!python/object:os.system x}", "The document is not YAML: line 2: could not determine"),
        ("[]", "The document must be an object with a list of flavors."),
        ("", "The document must be an object with a list of flavors."),
        ("{}", "The document has no list of flavors: neither flavors, nor mandatory or recommended."),
        ("flavors: 3", "flavors: must be a list of flavors"),
        ("flavors: [3]", "flavors, flavor 1: must be an object"),
        ("flavors: [{ram: 3}]", "flavors, flavor 1: name: is required, or else an id"),
        ("flavors: [{name: 2024}]", "flavors, flavor 1: name: must be a string, not an integer"),
        (entry(vcpus="2"), f'{OWN}: vcpus: must be an integer, not "2"'),
        (entry(vcpus=True), f"{OWN}: vcpus: must be an integer, not true"),
        (entry(ram=0), f"{OWN}: ram: must be at least 1"),
        (entry(disk=2**31), f"{OWN}: disk: must be at most 2147483647"),
        (entry(ephemeral=-1), f"{OWN}: ephemeral: must be at least 0"),
        (entry(rxtx_factor=0), f"{OWN}: rxtx_factor: must be greater than 0"),
        (entry(promoted="yes"), f'{OWN}: promoted: must be true or false, not "yes"'),
        (entry(id="a/b"), f"{OWN}: id: may hold only letters (a to z), digits, '.', '_', '-' and inner spaces"),
        (entry(extra_specs={"a": 1}), f"{OWN}: extra_specs: the value of a must be a string of at most 255 characters"),
        (entry(extra_specs=[]), f"{OWN}: extra_specs: must be an object of keys and values"),
        (entry(extra_specs={1: "a"}), f"{OWN}: extra_specs: the key 1 may hold only letters, digits, "),
        (entry(memory=3), f"{OWN}: memory: there is no such member"),
        ("flavors: [{name: !!timestamp 2024-01-01}]", "The document is not YAML: line 1: could not determine"),
        ("flavors: [{name: !!binary aGk=}]", "The document is not YAML: line 1: could not determine"),
        ("flavors: [{name: a, ram: 2024-01-01}]", 'flavors, flavor 1 (a): ram: must be an integer, not "2024-01-01"'),
        ("mandatory: []\nreference: 5", "reference: must be a list of flavors"),
        (entry(ram=None), f"{OWN}: ram: is required for a new flavor"),
        (entry(promoted=True, public=False), f"{OWN}: A promoted flavor is public."),
        (entry(name="there"), "flavors, flavor 1 (there): public: a public flavor stays public"),
        (entry(id="2", name="There"), "flavors, flavor 1 (There): There is already a flavor of this name in the"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_line_and_nothing_is_changed(load: Any, text: str, problem: str) -> None:
    make_flavor(name="there", flavorid="1", vcpus=1, ram=2048, disk=20, swap=0)
    if "public: a public" in problem:
        text = entry(name="there", public=False, promoted=False)
        Flavor.objects.update(promoted=False)
    before = catalogue()
    for arguments in ([], ["--dry-run"]):
        answer = load(text, *arguments)
        assert answer.error.startswith(problem)
        assert len(answer.error.splitlines()) == 1
        assert (answer.output, answer.status) == ("", 1)
        assert catalogue() == before


@pytest.mark.django_db
def test_every_wrong_entry_is_named_and_the_right_ones_wait(load: Any) -> None:
    answer = load("flavors:\n- {name: a, vcpus: 1, ram: 1, disk: 1}\n- {name: b, vcpus: 0, ram: x}\n- {name: A}")
    assert answer.error.splitlines() == [
        "flavors, flavor 2 (b): vcpus: must be at least 1",
        'flavors, flavor 2 (b): ram: must be an integer, not "x"',
        "flavors, flavor 3 (A): name: is the same as that of flavors, flavor 1 (a)",
    ]
    assert not Flavor.objects.exists()


@pytest.mark.django_db
def test_a_flavor_that_is_installed_and_not_promoted_keeps_its_values(load: Any) -> None:
    make_installation(make_flavor(**WHOLE), "Spain2")
    text = "flavors:\n- {id: '42', ram: 1"
    assert load(text + "}").error == (
        "flavors, flavor 1 (42): ram: cannot change: installed in Spain2, and not promoted"
    )  # fmt: skip
    assert catalogue() == [WHOLE]
    assert load(text + ", promoted: true}").status == 0
    assert load("flavors:\n- {id: '42', ram: 2}").status == 0
    assert Flavor.objects.get().ram == 2


@pytest.mark.django_db
def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    answer = shell("load_catalogue", str(tmp_path / "none"))
    assert (answer.error, answer.status) == (f"{tmp_path / 'none'} cannot be read: No such file or directory.", 1)


# The Sovereign Cloud Stack's


SCS = """
reference:
- field: name
  mandatory_prefix: SCS-
- field: public
  default: true
- field: disabled
  default: false
- field: cpus
- field: ram
- field: disk
mandatory:
- name: SCS-1V-4
  cpus: 1
  ram: 4096
  scs:cpu-type: shared-core
  scs:name-v1: SCS-1V:4
  scs:name-v2: SCS-1V-4
- name: SCS-2V-4-20s
  cpus: 2
  ram: 4096
  disk: 20
  scs:disk0-type: ssd
  hw_rng:allowed: "true"
recommended:
- name: SCS-1V-4-10
  cpus: 1
  ram: 4096
  disk: 10
  public: false
"""


FIRST = "mandatory, flavor 1 (SCS-1)"


@pytest.mark.django_db
def test_reads_the_sovereign_cloud_stacks_layout(load: Any) -> None:
    assert load(SCS).output.endswith("\n3 created, 0 updated, 0 known.\n")
    by_name = {flavor.name: flavor for flavor in Flavor.objects.all()}
    small = by_name["SCS-1V-4"]
    assert (small.vcpus, small.ram, small.disk, small.swap, small.is_public) == (1, 4096, 0, 0, True)
    assert small.extra_specs == {
        "scs:cpu-type": "shared-core", "scs:name-v1": "SCS-1V:4", "scs:name-v2": "SCS-1V-4",
    }  # fmt: skip
    assert by_name["SCS-2V-4-20s"].extra_specs == {"scs:disk0-type": "ssd", "hw_rng:allowed": "true"}
    assert {name: flavor.promoted for name, flavor in by_name.items()} == {
        "SCS-1V-4": True, "SCS-2V-4-20s": True, "SCS-1V-4-10": False,
    }  # fmt: skip
    recommended = by_name["SCS-1V-4-10"]
    assert (recommended.public, recommended.is_public, recommended.disk) == (True, False, 10)
    assert load(SCS).output == "0 created, 0 updated, 3 known.\n"
    assert load(SCS, "--promote-recommended").lines[0] == "SCS-1V-4-10: updated: promoted False -> True"
    assert load(SCS).output == "0 created, 0 updated, 3 known.\n"  # what was promoted stays so


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: SCS-1, ram: 1}", "mandatory, flavor 1 (SCS-1): cpus: is required"),
        ("{name: SCS-1, ram: 1, cpus: many}", 'mandatory, flavor 1 (SCS-1): cpus: must be an integer, not "many"'),
        ("{name: x, ram: 1, cpus: 1}", "mandatory, flavor 1 (x): name: must begin with SCS-"),
        ("{cpus: 1, ram: 1}", "mandatory, flavor 1: name: is required"),
        ("{name: SCS-1, ram: 1, cpus: 1, public: 1}", f"{FIRST}: public: must be true or false, not 1"),
        (
            "{name: SCS-1, ram: 1, cpus: 1, disabled: true}",
            "mandatory, flavor 1 (SCS-1): disabled: Nova cannot create a flavor that is disabled",
        ),
        ("{name: SCS-1, ram: 1, cpus: 1, vcpus: 1}", "mandatory, flavor 1 (SCS-1): vcpus: there is no such member"),
        ("{name: SCS-1, ram: 1, cpus: 1, promoted: true}", f"{FIRST}: promoted: there is no such member"),
        (
            "{name: SCS-1, ram: 1, cpus: 1, 'hw_rng:allowed': true}",
            f"{FIRST}: extra_specs: the value of hw_rng:allowed must be a string of at most 255 characters",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_as_that_layout_names_it(load: Any, entry: str, problem: str) -> None:
    reference = "reference: [{field: name, mandatory_prefix: SCS-}]"
    answer = load(f"{reference}\nmandatory:\n- {entry}")
    assert (answer.error, answer.status) == (problem, 1)


def test_a_reference_without_a_field_says_nothing() -> None:
    (read,) = read_document("reference: [{field: [a]}, {}]\nmandatory: [{name: a, cpus: 1, ram: 1}]")
    assert read.values["name"] == "a"


def test_a_list_that_is_empty_holds_nothing() -> None:
    assert read_document("mandatory:\nrecommended: []") == []
    with pytest.raises(UnreadableDocument, match=r"^recommended: must be a list of flavors$"):
        read_document("recommended: {}")
