"""Several flavors ignored in nodes at once: those of a row, a column, or of the map as it is filtered."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from flavors.admin.confirming import CHANGED
from flavors.models import Flavor, Sighting
from flavors.tests.test_admin import member_of_staff
from infrastructures.models import Infrastructure
from synchronisation.admin import many_cells
from synchronisation.ignoring import ignore
from synchronisation.models import IgnoredFlavor
from synchronisation.tests.test_admin_plans import posted, words
from testing.flavors import make_flavor
from testing.infrastructures import make_registered

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PAGE = reverse("admin:flavors_flavor_cells_ignore")
MAP = reverse("admin:flavors_flavor_coverage")
DIFFERENT = [{"member": "ram", "node": 1024, "catalogue": 2048}]
# What was seen of each flavor in Crete and in Mordor
STATES = {"a.2": ("missing", "different"), "a.10": ("in_sync", "missing"), "b.1": ("missing", "in_sync")}


@pytest.fixture(autouse=True)
def _seen() -> None:
    nodes = [make_registered(name) for name in ("Crete", "Mordor")]
    for name, states in STATES.items():
        flavor = make_flavor(name=name, flavorid=name, promoted=True)
        for node, state in zip(nodes, states, strict=True):
            see(flavor, node, state)


def see(flavor: Flavor, node: Infrastructure, state: str) -> None:
    now = timezone.now()
    Sighting.objects.create(
        flavor=flavor,
        infrastructure=node,
        state=state,
        digest=flavor.digest,
        differences=DIFFERENT if state == "different" else [],
        since=now,
        seen_at=now,
    )


def key_of(model: Any, name: str) -> int:
    return int(model.objects.get(name=name).pk)


def shown(client: Client, **asked: Any) -> list[str]:
    """Return the cells that are shown, as "flavor in node"."""
    answer = client.post(PAGE, asked)
    if answer.status_code == 302:
        return []
    return [f"{cell.flavor.name} in {cell.node.name}" for cell, _, _ in answer.context["cells"]]


def ignored() -> set[str]:
    return {str(each) for each in IgnoredFlavor.objects.all()}


def test_a_row_a_column_and_the_filtered_map_are_selected(admin_client: Client) -> None:
    assert shown(admin_client, flavors=key_of(Flavor, "a.2")) == ["a.2 in Crete", "a.2 in Mordor"]
    assert shown(admin_client, nodes=key_of(Infrastructure, "Crete")) == ["a.2 in Crete", "b.1 in Crete"]
    assert shown(admin_client) == ["a.2 in Crete", "a.2 in Mordor", "a.10 in Mordor", "b.1 in Crete"]
    assert shown(admin_client, flavor="A.", node="mor") == ["a.2 in Mordor", "a.10 in Mordor"]
    assert shown(admin_client, state="in_sync") == ["a.10 in Crete", "b.1 in Mordor"]
    assert shown(admin_client, state="missing", node="Crete") == ["a.2 in Crete", "b.1 in Crete"]
    assert shown(admin_client, state="ignored") == []


def test_what_is_selected_is_ignored_once_it_was_shown_and_a_reason_given(admin_client: Client) -> None:
    column = {"nodes": key_of(Infrastructure, "Mordor"), "next": "/admin/nodes/1/"}
    page = admin_client.post(PAGE, column)
    assert "Ignore 2 flavors in Mordor" in page.text
    assert "RAM in the node 1 GiB → in the catalogue 2 GiB" in words(page)
    cells = [f"{key_of(Flavor, name)}-{column['nodes']}" for name in ("a.2", "a.10")]
    without = admin_client.post(PAGE, posted(page) | {"cells": cells[:1], "reason": " "})
    assert "Say why the flavor is to be ignored." in without.text
    assert [is_chosen for _, _, is_chosen in without.context["cells"]] == [True, False]
    assert not ignored()
    done = admin_client.post(PAGE, posted(without) | {"cells": cells[:1], "reason": "own sizes"})
    assert done["Location"] == "/admin/nodes/1/"
    assert ignored() == {"a.2 in Mordor"}
    made = IgnoredFlavor.objects.get()
    assert (made.reason, made.ignored_by) == ("own sizes", "admin")
    assert LogEntry.objects.get().get_change_message() == "ignored in Mordor: own sizes"
    assert shown(admin_client, **column) == ["a.10 in Mordor"]


def test_it_is_taken_back_in_bulk_too(admin_client: Client) -> None:
    for name in STATES:
        node = Infrastructure.objects.get(name="Crete")
        ignore(flavor=Flavor.objects.get(name=name), infrastructure=node, reason=f"why {name}", ignored_by="curator")
    assert "No longer ignore these…" in admin_client.get(f"{MAP}?state=ignored").text
    page = admin_client.post(PAGE, {"state": "ignored", "flavor": "a."})
    assert "No longer ignore 2 flavors in Crete" in page.text
    assert "why a.10" in page.text
    cells = [f"{cell.key[0]}-{cell.key[1]}" for cell, _, _ in page.context["cells"]]
    assert admin_client.post(PAGE, posted(page) | {"cells": cells})["Location"] == MAP
    assert ignored() == {"b.1 in Crete"}
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {"no longer ignored in Crete"}


def test_what_has_changed_since_is_shown_again(admin_client: Client) -> None:
    page = admin_client.post(PAGE)
    Sighting.objects.filter(state="different").update(state="missing", differences=[])
    cells = [f"{cell.key[0]}-{cell.key[1]}" for cell, _, _ in page.context["cells"]]
    answer = admin_client.post(PAGE, posted(page) | {"cells": cells, "reason": "x"})
    assert CHANGED in answer.text
    assert not ignored()


def test_it_takes_at_least_one(admin_client: Client) -> None:
    page = admin_client.post(PAGE)
    answer = admin_client.post(PAGE, posted(page) | {"cells": ["0-0", "x"], "reason": "x"})
    assert "Choose at least one flavor in a node." in answer.text
    assert not ignored()


def test_a_page_takes_so_many_and_says_what_is_left(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_cells, "MOST", 3)
    page = admin_client.post(PAGE)
    assert len(page.context["cells"]) == 3
    assert "There is 1 more, which stays as it is: a page takes 3 at most. Do this again for it." in page.text


def test_the_queries_do_not_grow_with_the_cells(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        node = make_registered(f"more-{number}")
        for flavor in Flavor.objects.all():
            see(flavor, node, "missing")
    with django_assert_max_num_queries(7):
        page = admin_client.post(PAGE, {"flavors": key_of(Flavor, "a.2")})
    cells = [f"{cell.key[0]}-{cell.key[1]}" for cell, _, _ in page.context["cells"]]
    assert len(cells) == 22
    with django_assert_max_num_queries(16):
        admin_client.post(PAGE, posted(page) | {"cells": cells, "reason": "x"})
    assert len(ignored()) == 22
    assert LogEntry.objects.get().get_change_message().endswith("and 12 more: x")


def test_operators_ignore_in_their_own_nodes_alone(client: Client) -> None:
    owner = member_of_staff("view_flavor", "register_infrastructure")
    Infrastructure.objects.get(name="Mordor").operators.set([owner])
    client.force_login(owner)
    assert shown(client) == ["a.2 in Mordor", "a.10 in Mordor"]


def test_whoever_may_only_look_ignores_nothing(client: Client) -> None:
    client.force_login(member_of_staff("view_flavor"))
    assert client.post(PAGE).status_code == 403
    assert "Ignore these" not in client.get(MAP).text


def test_it_is_offered_where_something_differs(admin_client: Client) -> None:
    for page in (
        MAP,
        reverse("node", args=[key_of(Infrastructure, "Crete")]),
        reverse("flavor", args=[key_of(Flavor, "a.2")]),
    ):
        assert f'action="{PAGE}"' in admin_client.get(page).text
    Sighting.objects.update(state="in_sync")
    assert f'action="{PAGE}"' not in admin_client.get(MAP).text
    assert f'action="{PAGE}"' not in admin_client.get(reverse("node", args=[key_of(Infrastructure, "Crete")])).text
