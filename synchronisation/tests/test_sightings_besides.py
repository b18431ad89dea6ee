"""What comparisons see of published flavors that are not promoted: it is remembered, and never repaired."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from flavors.admin.looks import address_of_cell
from flavors.catalogue.sightings import State
from flavors.models import Flavor, Installation, Sighting
from infrastructures.models import Infrastructure
from synchronisation.comparing import compare_nodes
from synchronisation.history import nodes_in_full, outcomes_of
from synchronisation.models import SyncRun
from synchronisation.prospect import preview
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor, make_installation
from testing.infrastructures import make_registered
from testing.queries import counting_in_all_connections
from testing.shell import shell

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /flavors/detail"


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A registered cloud with a promoted flavor."""
    make_registered("Mordor")
    with Federation() as federation:
        cloud = federation.add("Mordor")
        promoted = make_flavor(flavorid="promoted", name="promoted")
        cloud.flavors["promoted"] = document_of(promoted)
        make_installation(promoted, "Mordor")
        yield cloud


@pytest.fixture
def published(mordor: RegisteredCloud) -> Flavor:
    """A flavor that is published there, and that no other node need have."""
    flavor = make_flavor(flavorid="published", name="published", promoted=False, ram=512)
    mordor.flavors["published"] = document_of(flavor)
    make_installation(flavor, "Mordor")
    return flavor


def nodes() -> list[Infrastructure]:
    return list(Infrastructure.objects.all())


def run(**options: object) -> SyncRun:
    return carry_out(create_run(requested_by="test", infrastructures=nodes(), **options).pk)  # type: ignore[arg-type]


def seen(flavorid: str = "published") -> tuple[str, list[str]]:
    """Return the state that is kept, and the nodes of the flavor."""
    flavor = Flavor.objects.get(flavorid=flavorid)
    return Sighting.objects.get(flavor=flavor).state, flavor.nodes


def by_command() -> None:
    assert shell("sync_flavors", "--dry-run").status == 0


def by_status() -> None:
    compare_nodes(infrastructures=nodes(), flavors=list(Flavor.objects.promoted()))


def by_preview() -> None:
    shown = preview(infrastructures=nodes(), flavors=list(Flavor.objects.promoted()), replaces=True, exact=True)
    assert [prospect.step.finding.wanted.flavor.flavorid for prospect in shown.prospects] == ["promoted"]


LOOKS: dict[str, Callable[[], object]] = {
    "a dry run": run,
    "a repair": lambda: run(repairs=True, replaces=True, exact=True),
    "a run over another flavor": lambda: run(flavorids=["promoted"]),
    "sync_flavors": by_command,
    "what is asked right now": by_status,
    "a preview": by_preview,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.usefixtures("published")
def test_whoever_compares_a_node_sees_it(mordor: RegisteredCloud, look: Callable[[], object]) -> None:
    as_published = mordor.flavors.pop("published")
    look()
    assert seen() == (State.MISSING, [])
    mordor.flavors["published"] = as_published | {"ram": 7}
    look()
    assert seen() == (State.DIFFERENT, ["Mordor"])
    assert Sighting.objects.get(flavor__flavorid="published").differences == [
        {"member": "ram", "node": 7, "catalogue": 512}
    ]
    mordor.flavors["published"] = as_published
    look()
    assert seen() == (State.IN_SYNC, ["Mordor"])
    assert set(mordor.calls) == {LIST}


@pytest.mark.usefixtures("published")
def test_it_is_neither_repaired_nor_drift_nor_an_outcome(mordor: RegisteredCloud) -> None:
    del mordor.flavors["published"]
    ended = run(repairs=True)
    assert ended.state == SyncRun.State.IN_SYNC
    assert [outcome.flavorid for outcome in outcomes_of(nodes_in_full(ended)[0])] == ["promoted"]
    assert shell("sync_flavors").output.endswith("in sync; 1 node; 1 in sync.\n")
    assert "published" not in mordor.flavors


@pytest.mark.usefixtures("published")
def test_a_node_is_asked_no_more_for_it(mordor: RegisteredCloud) -> None:
    run()
    assert mordor.calls == [LIST]


def test_where_a_list_does_not_tell_extra_specs_nothing_is_said_of_a_flavor_that_has_some(
    mordor: RegisteredCloud, published: Flavor
) -> None:
    for names_some, told in ((True, None), (False, State.IN_SYNC)):
        published.extra_specs = {"hw:cpu_policy": "shared"} if names_some else {}
        published.save()
        del mordor.flavors["published"]["extra_specs"]
        run()
        found = Sighting.objects.filter(flavor=published).first()
        assert (found and found.state) == told
        mordor.flavors["published"] = document_of(published)
    assert mordor.calls == [LIST, LIST]


@pytest.mark.usefixtures("mordor")
def test_a_flavor_that_the_node_is_not_known_to_have_is_not_looked_for() -> None:
    flavor = make_flavor(flavorid="elsewhere", name="elsewhere", promoted=False)
    run()
    assert not Sighting.objects.filter(flavor=flavor).exists()


def test_a_promoted_one_that_another_run_is_about_is_seen_where_it_is_known(mordor: RegisteredCloud) -> None:
    make_flavor(flavorid="chosen", name="chosen")
    del mordor.flavors["promoted"]
    ended = run(flavorids=["chosen"])
    assert seen("promoted") == (State.MISSING, [])
    assert [outcome.flavorid for outcome in outcomes_of(nodes_in_full(ended)[0])] == ["chosen"]


def test_one_that_has_its_name_there_and_is_another_one_of_the_catalogue_is_not_it(
    mordor: RegisteredCloud, published: Flavor
) -> None:
    """A promoted flavor was renamed, and has its old name in the node still."""
    del mordor.flavors["published"]
    mordor.flavors["promoted"] = document_of(published, id="promoted")
    run()
    assert seen() == (State.NAME_TAKEN, [])


@pytest.mark.usefixtures("published")
def test_the_map_of_all_public_flavors_tells_it(mordor: RegisteredCloud, admin_client: Client) -> None:
    del mordor.flavors["published"]
    run()
    page = admin_client.get(reverse("admin:flavors_flavor_coverage"), {"which": "public"})
    rows = {row.name: row.states for row in page.context["coverage"].rows}
    assert rows == {"promoted": ["in_sync"], "published": ["missing"]}


@pytest.mark.usefixtures("mordor")
def test_what_is_known_of_many_flavors_costs_as_much_as_of_one() -> None:
    """That is two queries more than of none on SQLite, where one is a BEGIN, and one on MariaDB."""

    def queries() -> int:
        with counting_in_all_connections() as counted:
            run()
        return len(counted)

    run()
    none = queries()
    with_some = []
    for numbers in (range(1), range(1, 20)):
        for number in numbers:
            make_installation(make_flavor(flavorid=f"f{number}", name=f"f{number}", promoted=False), "Mordor")
        run()
        with_some.append(queries())
    begins = connection.vendor == "sqlite"
    assert with_some == [none + 1 + begins] * 2


@pytest.mark.usefixtures("published")
def test_a_flavor_that_was_missing_everywhere_leaves_with_the_cloud_that_is_forgotten(mordor: RegisteredCloud) -> None:
    del mordor.flavors["published"]
    run()
    assert not Installation.objects.filter(flavor__flavorid="published").exists()
    assert shell("forget_infrastructure", "Mordor").lines == [
        "published: in no other node, leaves the catalogue.",
        "promoted: stays in the catalogue.",
        "Mordor: forgotten, with 1 installation and 0 open replacements.",
    ]
    assert list(Flavor.objects.values_list("flavorid", flat=True)) == ["promoted"]


def test_a_cells_page_tells_what_was_seen_and_no_reason_of_another_state(
    mordor: RegisteredCloud, published: Flavor, admin_client: Client
) -> None:
    promoted, node = Flavor.objects.get(flavorid="promoted"), Infrastructure.objects.get()
    pages = [address_of_cell(flavor.flavorid, node.name) for flavor in (promoted, published)]
    mordor.flavors["promoted"]["ram"] = 7
    run()
    assert "Nova cannot change ram in place" in admin_client.get(pages[0]).text
    mordor.flavors.clear()
    by_status()
    of_promoted, of_published = (admin_client.get(page).text for page in pages)
    assert "Missing since" in of_promoted
    assert "Nova cannot change ram in place" not in of_promoted
    assert "Missing since" in of_published
    assert "did not compare it" not in of_published
