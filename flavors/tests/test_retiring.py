"""Saying that a flavor is to be retired, over the API, on the pages and by command."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from flavors.models import Flavor, Retirement
from testing.federation import PROMOTE, by_account
from testing.flavors import make_flavor, make_installation
from testing.infrastructures import make_registered
from testing.wire import WIRES, Api, Wire

pytestmark = pytest.mark.django_db

PATH = "/v1/promotedflavors/old"


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each of the two formats in turn."""
    return WIRES[request.param]


@pytest.fixture
def api(wire: Wire) -> Api:
    """The API for a manager."""
    return Api(wire, {}).having(by_account("manager", PROMOTE))


@pytest.fixture
def old() -> Flavor:
    """A promoted flavor that Spain2 has."""
    make_registered("Spain2")
    flavor = make_flavor(flavorid="old", name="old")
    make_installation(flavor, "Spain2")
    return flavor


def put(api: Api, **members: Any) -> int:
    return api.send("PUT", PATH, api.wire.write({"flavor": members})).status


def test_it_is_202_each_time_and_the_flavor_stays_listed(api: Api, old: Flavor) -> None:
    for _ in range(2):
        answer = api.send("DELETE", f"{PATH}?retire=true")
        assert answer.status == 202
        assert answer.body["flavor"]["nodes"] == ["Spain2"]
    assert api.send("GET", PATH).status == 200
    assert Retirement.objects.get().requested_by == "manager"


def test_without_the_word_a_flavor_in_nodes_is_405_as_ever(api: Api, old: Flavor) -> None:
    for query in ("", "?retire=false", "?retire"):
        assert api.send("DELETE", PATH + query).status == 405
    assert not Retirement.objects.exists()


@pytest.mark.parametrize(("flavorid", "status"), [("draft", 405), ("nothing", 404)])
def test_what_is_not_promoted_is_not_retired(api: Api, flavorid: str, status: int) -> None:
    make_flavor(flavorid="draft", name="draft", promoted=False)
    assert api.send("DELETE", f"/v1/promotedflavors/{flavorid}?retire=true").status == status


def test_put_retires_says_when_and_takes_it_back(api: Api, old: Flavor) -> None:
    assert put(api, retire=True) == 200
    assert put(api, retire_at="2030-05-01T12:00:00+02:00") == 200
    assert Retirement.objects.get().retire_at == datetime(2030, 5, 1, 10, tzinfo=UTC)
    assert put(api, retire=False) == 200
    assert not Retirement.objects.exists()
    assert put(api, name="older") == 200
    assert not Retirement.objects.exists()
    assert put(api, retire_at="2030-05-01T12:00:00Z") == 200
    assert Retirement.objects.get().retire_at == datetime(2030, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("members", [{"retire_at": "soon"}, {"retire": "perhaps"}])
def test_nonsense_is_400(api: Api, old: Flavor, members: dict[str, Any]) -> None:
    assert put(api, **members) == 400
    assert not Retirement.objects.exists()


def test_who_may_not_promote_may_not_retire(wire: Wire, old: Flavor) -> None:
    basic = Api(wire, {}).having(by_account("basic"))
    assert basic.send("DELETE", f"{PATH}?retire=true").status == 405
    assert not Retirement.objects.exists()


def test_the_pages_say_what_will_happen_and_do_it(admin_client: Client, old: Flavor) -> None:
    url = reverse("admin:flavors_flavor_changelist")
    for action, text, count in (
        ("retire_flavors", "it leaves Spain2 where a synchronisation has made it; then it leaves the catalogue", 1),
        ("keep_flavors", "it stays; where it is already gone, the synchronisation brings it back", 0),
    ):
        page = admin_client.post(url, {"action": action, "_selected_action": [old.pk]})
        assert text in page.content.decode()
        confirmed = {"confirmed": "yes", "plan": page.context["digest"]}
        admin_client.post(url, {"action": action, "_selected_action": [old.pk], **confirmed})
        assert Retirement.objects.count() == count


def test_the_command_retires_and_keeps(old: Flavor) -> None:
    out = StringIO()
    call_command("retire_flavor", "old", "--at", "2030-05-01T12:00:00Z", "--force", stdout=out)
    assert out.getvalue() == "old: retired from 2030-05-01 12:00 UTC on.\n"
    assert Retirement.objects.get().forced
    call_command("retire_flavor", "old", "--keep", stdout=out)
    assert not Retirement.objects.exists()
    with pytest.raises(CommandError, match="1 of 2 could not be retired"):
        call_command("retire_flavor", "nothing", "old", stdout=out)
    for wrong in (["--at", "soon"], ["--keep", "--force"]):
        with pytest.raises(CommandError):
            call_command("retire_flavor", "old", *wrong)
