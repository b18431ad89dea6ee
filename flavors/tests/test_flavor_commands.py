"""`list_flavors`, `promote_flavor`, `publish_flavor`, `install_flavor` and `import_flavors`, typed at a shell."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoAssertNumQueries

from flavors.models import Flavor
from infrastructures.models import Infrastructure, Replacement
from testing.cloud import Federation, RegisteredCloud, flavor_document
from testing.flavors import make_flavor, make_installation
from testing.holder import held_by_a_thread
from testing.infrastructures import make_infrastructure, make_nova_flavor, make_registered, make_replacement
from testing.shell import shell

pytestmark = pytest.mark.django_db

OPEN = {"os-flavor-access:is_public": True}
# What flavor_document(**OPEN) is in the catalogue
VALUES = {
    "flavorid": "42", "name": "m1.custom", "vcpus": 2, "ram": 4096, "disk": 20, "swap": 512, "ephemeral": 10,
    "rxtx_factor": 2.0, "description": "for tests", "is_public": True,
    "extra_specs": {"hw:cpu_policy": "shared", "quota:vif": "1"},
}  # fmt: skip
MISSING = {"flavorid": "7", "name": "m1.missing", "vcpus": 1, "ram": 512, "disk": 1}


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Clouds without any socket."""
    with Federation() as federation:
        yield federation


@pytest.fixture
def spain2(federation: Federation) -> RegisteredCloud:
    """A cloud with a flavor that all its projects may use, and one that is open to some."""
    make_registered("Spain2")
    return federation.add("Spain2", flavor_document(**OPEN), flavor_document(id="secret", name="m1.secret"))


@pytest.fixture
def mordor(federation: Federation) -> RegisteredCloud:
    """Another cloud, without any flavor."""
    make_registered("Mordor")
    return federation.add("Mordor")


def catalogue() -> dict[str, list[str]]:
    """Return the names of the catalogue's flavors, and the nodes of each."""
    return {flavor.name: flavor.nodes for flavor in Flavor.objects.with_nodes()}


def values_of(flavor: Flavor) -> dict[str, object]:
    return {member: getattr(flavor, member) for member in VALUES}


def reads_only(cloud: RegisteredCloud) -> bool:
    return bool(cloud.calls) and all(call.startswith("GET") for call in cloud.calls)


# list_flavors


def test_lists_the_catalogue(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_infrastructure("Mordor")
    small = make_flavor(name="m1.small", flavorid="1")
    make_installation(small, "Spain2")
    make_installation(small, "Mordor")
    make_flavor(name="m1.large", flavorid="2", vcpus=8, swap=64, promoted=False)
    make_flavor(name="hidden", flavorid="3", promoted=False, public=False)
    with django_assert_num_queries(3):
        answer = shell("list_flavors")
    assert answer.lines == [
        "ID NAME VCPUS RAM DISK SWAP PROMOTED PUBLIC NODES",
        "3 hidden 1 2 10 0 no no -",
        "2 m1.large 8 2 10 64 no yes -",
        "1 m1.small 1 2 10 0 yes yes Spain2, Mordor",
        "3 flavors.",
    ]
    assert shell("list_flavors", "--promoted").lines[1:] == ["1 m1.small 1 2 10 0 yes yes Spain2, Mordor", "1 flavor."]
    assert shell("list_flavors", "--node", "Mordor").lines[-1] == "1 flavor."


def test_lists_the_catalogue_in_json() -> None:
    make_installation(make_flavor(**VALUES), "Spain2")
    expected = {name: value for name, value in VALUES.items() if name != "flavorid"}
    assert shell("list_flavors", "--json").document == [
        {"id": "42", **expected, "promoted": True, "public": True, "nodes": ["Spain2"]}
    ]


def test_lists_what_the_clouds_have(spain2: RegisteredCloud, federation: Federation) -> None:
    federation.add("Mordor", flavor_document(id="9", name="ring"))
    make_registered("Mordor")
    make_infrastructure("Lannion2")  # without credentials: not asked
    make_installation(make_flavor(**VALUES), "Spain2")
    answer = shell("list_flavors", "--live")
    assert answer.lines == [
        "NODE ID NAME VCPUS RAM DISK SWAP PROMOTED PUBLIC",
        "Mordor 9 ring 2 4096 20 512 no no",
        "Spain2 42 m1.custom 2 4096 20 512 yes yes",
        "Spain2 secret m1.secret 2 4096 20 512 no no",
        "3 flavors.",
    ]
    assert answer.status == 0
    assert federation.calls() == {"Mordor": ["GET /flavors/detail"], "Spain2": ["GET /flavors/detail"]}
    assert shell("list_flavors", "--live", "--promoted").lines[1:] == [
        "Spain2 42 m1.custom 2 4096 20 512 yes yes",
        "1 flavor.",
    ]
    (ring,) = shell("list_flavors", "--live", "--node", "Mordor", "--json").document
    assert ring["node"] == "Mordor"
    assert ring["extra_specs"] == VALUES["extra_specs"]


def test_a_cloud_that_cannot_be_asked_is_a_failure(spain2: RegisteredCloud, capsys: pytest.CaptureFixture[str]) -> None:
    make_registered("Mordor")
    answer = shell("list_flavors", "--live", "--json")
    assert [flavor["node"] for flavor in answer.document] == ["Spain2", "Spain2"]
    assert (answer.error, answer.status) == ("1 of 2 nodes could not be asked.", 1)
    assert capsys.readouterr().err == "Mordor: its Keystone could not be reached.\n"


def test_lists_nothing_of_an_unknown_node() -> None:
    for arguments in ([], ["--live"]):
        answer = shell("list_flavors", "--node", "Gondor", *arguments)
        assert (answer.error, answer.output, answer.status) == ("There is no node Gondor.", "", 1)


# promote_flavor


def test_promotes_by_id_or_name_in_any_case() -> None:
    make_flavor(name="m1.small", flavorid="1", promoted=False)
    make_flavor(name="m1.large", flavorid="2", promoted=False)
    answer = shell("promote_flavor", "1", "M1.Large")
    assert (answer.output, answer.status) == ("1: promoted.\nM1.Large: promoted.\n", 0)
    assert Flavor.objects.promoted().count() == 2
    assert shell("promote_flavor", "1").output == "1: already promoted.\n"


def test_an_id_goes_before_a_name() -> None:
    make_flavor(name="1", flavorid="2", promoted=False)
    make_flavor(name="other", flavorid="1", promoted=False)
    shell("promote_flavor", "1")
    assert Flavor.objects.promoted().get().name == "other"


def test_what_cannot_be_promoted_is_said_and_the_rest_is_promoted() -> None:
    make_flavor(name="m1.small", flavorid="1", promoted=False)
    make_flavor(name="hidden", flavorid="3", promoted=False, public=False)
    answer = shell("promote_flavor", "hidden", "nothing", "1")
    assert answer.output.splitlines() == [
        "hidden: The flavor 3 is not public, so it cannot be promoted.",
        "nothing: There is no flavor nothing in the catalogue.",
        "1: promoted.",
    ]
    assert (answer.error, answer.status) == ("2 of 3 could not be promoted.", 1)
    assert Flavor.objects.promoted().get().flavorid == "1"


def test_says_in_json_what_was_promoted() -> None:
    make_flavor(name="m1.small", flavorid="1", promoted=False)
    answer = shell("promote_flavor", "1", "2", "--json")
    assert answer.document == [
        {"flavor": "1", "outcome": "promoted", "reason": ""},
        {"flavor": "2", "outcome": "refused", "reason": "There is no flavor 2 in the catalogue."},
    ]
    assert answer.status == 1


# publish_flavor


@pytest.mark.parametrize("wanted", ["42", "m1.custom"])
def test_publishes_what_a_node_has_with_all_its_properties(spain2: RegisteredCloud, wanted: str) -> None:
    answer = shell("publish_flavor", wanted, "--node", "Spain2")
    assert (answer.output, answer.status) == ("m1.custom (42): published.\n", 0)
    flavor = Flavor.objects.get()
    assert (values_of(flavor), flavor.public, flavor.promoted, flavor.nodes) == (VALUES, True, False, ["Spain2"])
    assert reads_only(spain2)
    again = shell("publish_flavor", wanted, "--node", "Spain2", "--promote")
    assert (again.output, again.status) == ("m1.custom (42): already in the catalogue.\n", 0)
    assert Flavor.objects.get().promoted


def test_publishes_one_that_is_open_to_some_projects_when_it_is_named(spain2: RegisteredCloud) -> None:
    assert shell("publish_flavor", "secret", "--node", "Spain2", "--promote").status == 0
    flavor = Flavor.objects.get()
    assert (flavor.is_public, flavor.promoted) == (False, True)


def test_a_dry_run_publishes_nothing(spain2: RegisteredCloud) -> None:
    answer = shell("publish_flavor", "42", "--node", "Spain2", "--dry-run")
    assert (answer.output, answer.status) == ("m1.custom (42): to be published.\n", 0)
    assert not Flavor.objects.exists()
    assert spain2.calls == ["GET /flavors/detail"]


def test_says_in_json_what_was_published(spain2: RegisteredCloud) -> None:
    assert shell("publish_flavor", "42", "--node", "Spain2", "--json").document == {
        "id": "42",
        "name": "m1.custom",
        "outcome": "published",
        "reason": "",
    }
    refused = shell("publish_flavor", "43", "--node", "Spain2", "--json")
    assert refused.document["reason"] == "Spain2 has no such flavor."
    assert refused.status == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["43", "--node", "Spain2"], "43: Spain2 has no such flavor."),
        (["42", "--node", "Gondor"], "There is no node Gondor."),
        (["42", "--node", "Lannion2"], "Lannion2: no credentials are stored for it."),
    ],
)
@pytest.mark.usefixtures("spain2")
def test_what_cannot_be_published_is_one_clear_line(arguments: list[str], message: str) -> None:
    make_infrastructure("Lannion2")
    answer = shell("publish_flavor", *arguments)
    assert (answer.error, answer.output, answer.status) == (message, "", 1)
    assert not Flavor.objects.exists()


# install_flavor


def test_installs_in_each_node(spain2: RegisteredCloud, mordor: RegisteredCloud) -> None:
    make_flavor(**VALUES)
    answer = shell("install_flavor", "m1.custom", "--node", "Spain2", "--node", "Mordor")
    assert (answer.output, answer.status) == ("Mordor: created.\nSpain2: adopted.\n", 0)
    assert catalogue() == {"m1.custom": ["Mordor", "Spain2"]}
    assert mordor.flavors["42"]["extra_specs"] == VALUES["extra_specs"]
    again = shell("install_flavor", "42", "--everywhere")
    assert (again.output, again.status) == ("Mordor: already installed.\nSpain2: already installed.\n", 0)


def test_one_node_that_fails_does_not_keep_the_others_from_it(spain2: RegisteredCloud, mordor: RegisteredCloud) -> None:
    make_flavor(**VALUES | {"vcpus": 64})
    answer = shell("install_flavor", "42", "--everywhere")
    assert answer.output.splitlines() == ["Mordor: created.", "Spain2: Flavor m1.custom already exists."]
    assert (answer.error, answer.status) == ("1 of 2 nodes failed.", 1)
    assert catalogue() == {"m1.custom": ["Mordor"]}


def test_a_dry_run_reads_and_installs_nothing(spain2: RegisteredCloud, mordor: RegisteredCloud) -> None:
    make_flavor(**VALUES)
    answer = shell("install_flavor", "42", "--everywhere", "--dry-run")
    assert (answer.output, answer.status) == ("Mordor: to be created.\nSpain2: to be adopted.\n", 0)
    assert reads_only(spain2)
    assert reads_only(mordor)
    assert catalogue() == {"m1.custom": []}


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ({"vcpus": 64}, "there is already a flavor with the id 42 and different values."),
        ({"id": "43", "name": "M1.Custom"}, "there is already a flavor named m1.custom."),
    ],
)
def test_a_dry_run_tells_what_would_fail(federation: Federation, there: dict[str, object], reason: str) -> None:
    make_flavor(**VALUES)
    make_registered("Mordor")
    federation.add("Mordor", flavor_document(**OPEN, **there))
    answer = shell("install_flavor", "42", "--node", "Mordor", "--dry-run", "--json")
    assert answer.document == [{"node": "Mordor", "outcome": "failed", "reason": f"Mordor: {reason}"}]
    assert answer.status == 1


def test_says_in_json_where_it_was_installed(spain2: RegisteredCloud, mordor: RegisteredCloud) -> None:
    make_flavor(**VALUES)
    assert shell("install_flavor", "42", "--everywhere", "--json").document == [
        {"node": "Mordor", "outcome": "created", "reason": ""},
        {"node": "Spain2", "outcome": "adopted", "reason": ""},
    ]
    assert shell("install_flavor", "42", "--everywhere", "--json").document[0]["outcome"] == "known"


@pytest.mark.usefixtures("mordor")
def test_what_cannot_be_installed_is_one_clear_line() -> None:
    make_flavor(**VALUES)
    assert shell("install_flavor", "43", "--everywhere").error == "There is no flavor 43 in the catalogue."
    assert shell("install_flavor", "42", "--node", "Gondor").error == "There is no node Gondor."
    assert shell("install_flavor", "42").status == 1
    assert shell("install_flavor", "42", "--everywhere", "--node", "Mordor").status == 1
    mordor = Infrastructure.objects.get()
    with held_by_a_thread(f"flavor:{mordor.pk}:42"):
        answer = shell("install_flavor", "42", "--everywhere")
    assert (answer.error, answer.status) == ("Mordor: somebody else is changing flavor 42.", 1)
    assert catalogue() == {"m1.custom": []}


# import_flavors


@pytest.fixture
def varied(federation: Federation) -> RegisteredCloud:
    """A cloud with one flavor of each kind, as seen from the catalogue."""
    make_installation(make_flavor(**MISSING | {"flavorid": "known", "name": "a.known"}), "Spain2")
    spain2 = Infrastructure.objects.get()
    for member, value in (
        ("keystone_url", "https://keystone.spain2.example.org/v3"),
        ("tenant", "t"),
        ("username", "u"),
    ):
        setattr(spain2, member, value)
    spain2.set_password("the-operators-password")
    spain2.save()
    make_flavor(**VALUES | {"flavorid": "same", "name": "b.same", "promoted": False})
    make_flavor(**VALUES | {"flavorid": "other", "name": "c.other", "vcpus": 64, "extra_specs": {}})
    make_flavor(**MISSING | {"flavorid": "elsewhere", "name": "D.Name"})
    return federation.add(
        "Spain2",
        flavor_document(id="known", name="a.known", **OPEN),
        flavor_document(id="same", name="b.same", **OPEN),
        flavor_document(id="other", name="c.other", **OPEN),
        flavor_document(id="mine", name="d.name", **OPEN),
        flavor_document(id="new", name="e.new", **OPEN),
        flavor_document(id="secret", name="f.secret"),
        flavor_document(id="odd", name="g.odd", extra_specs={"a/b": "1"}, **OPEN),
    )


def said(dry_run: bool = False) -> list[str]:
    adopted = "and to be recorded here, too" if dry_run else "now here, too"
    return [
        "a.known (known): already in the catalogue.",
        f"b.same (same): in the catalogue, {adopted}.",
        (
            "c.other (other): refused: the catalogue has it with different values "
            "(vcpus, extra_specs.hw:cpu_policy, extra_specs.quota:vif)."
        ),
        "d.name (mine): refused: the catalogue has a flavor named D.Name under the id elsewhere.",
        f"e.new (new): {'to be ' if dry_run else ''}published.",
        "f.secret (secret): left out: it is not open to every project of the cloud; name it to take it.",
        "g.odd (odd): refused: extra_specs: the key 'a/b' may hold only letters, digits, '_', '-', ':', '.' and spaces",
        "1 published, 1 adopted, 1 known, 1 left out, 3 refused.",
    ]


def test_takes_what_it_can_and_says_what_not_and_why(varied: RegisteredCloud) -> None:
    answer = shell("import_flavors", "--from", "Spain2")
    assert answer.output.splitlines() == said()
    assert (answer.error, answer.status) == ("3 of 7 could not be imported.", 1)
    assert catalogue() == {
        "D.Name": [], "a.known": ["Spain2"], "b.same": ["Spain2"], "c.other": [], "e.new": ["Spain2"],
    }  # fmt: skip
    assert reads_only(varied)
    assert not Replacement.objects.exists()


def test_the_dry_run_says_the_same_and_takes_nothing(varied: RegisteredCloud) -> None:
    before = catalogue()
    answer = shell("import_flavors", "--from", "Spain2", "--dry-run")
    assert answer.output.splitlines() == said(dry_run=True)
    assert answer.status == 1
    assert catalogue() == before
    assert varied.calls == ["GET /flavors/detail"]


def test_taking_again_changes_nothing(spain2: RegisteredCloud) -> None:
    assert shell("import_flavors", "--from", "Spain2").status == 0
    before = list(Flavor.objects.values())
    answer = shell("import_flavors", "--from", "Spain2")
    assert answer.lines[-1] == "0 published, 0 adopted, 1 known, 1 left out, 0 refused."
    assert answer.status == 0
    assert list(Flavor.objects.values()) == before


def test_takes_those_alone_that_are_named(varied: RegisteredCloud) -> None:
    answer = shell("import_flavors", "f.secret", "new", "nothing", "--from", "Spain2", "--promote", "--json")
    assert answer.document == [
        {"id": "secret", "name": "f.secret", "outcome": "published", "reason": ""},
        {"id": "new", "name": "e.new", "outcome": "published", "reason": ""},
        {"id": "", "name": "nothing", "outcome": "refused", "reason": "Spain2 has no such flavor."},
    ]
    assert answer.status == 1
    assert {flavor.name for flavor in Flavor.objects.promoted()} >= {"f.secret", "e.new"}


def test_promotes_what_the_catalogue_had_too(varied: RegisteredCloud) -> None:
    shell("import_flavors", "same", "--from", "Spain2", "--promote")
    assert Flavor.objects.get(flavorid="same").promoted


def test_leaves_a_flavor_alone_that_is_being_replaced_or_changed(spain2: RegisteredCloud) -> None:
    node = Infrastructure.objects.get()
    with held_by_a_thread(f"flavor:{node.pk}:42"):
        answer = shell("import_flavors", "--from", "Spain2")
    assert answer.lines[0] == "m1.custom (42): refused: Spain2: somebody else is changing flavor 42."
    make_replacement(infrastructure=node, old=make_nova_flavor().as_json(), new=make_nova_flavor(ram=1).as_json())
    answer = shell("import_flavors", "--from", "Spain2")
    assert answer.lines[0].endswith("the name m1.custom belongs to a flavor that is being replaced.")
    assert not Flavor.objects.exists()


def test_a_cloud_that_fails_half_way_is_told_after_what_was_taken(spain2: RegisteredCloud) -> None:
    spain2.flavors["z"] = flavor_document(id="z", name="z", **OPEN)
    spain2.failing["GET /flavors/z"] = 503
    answer = shell("import_flavors", "--from", "Spain2", "--json")
    assert [one["outcome"] for one in answer.document] == ["published", "left out"]
    assert (answer.error, answer.status) == ("Spain2: its Nova answered 503.", 1)
    answer = shell("import_flavors", "--from", "Gondor")
    assert (answer.error, answer.status) == ("There is no node Gondor.", 1)
