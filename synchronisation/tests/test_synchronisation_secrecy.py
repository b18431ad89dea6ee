"""The password of a cloud is in nothing that a synchronisation run prints, logs or writes down."""

import io
from collections.abc import Iterator

import pytest
from django.core.management import call_command

from infrastructures.models import Infrastructure
from infrastructures.tests.test_secrecy import SENTINEL, Said, found_in, logs
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.tasks import start_run
from testing.cloud import Federation
from testing.flavors import make_flavor
from testing.infrastructures import make_registered

__all__ = ["logs"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_signals")]


@pytest.fixture
def federation() -> Iterator[Federation]:
    """A cloud that lets us in, one that does not know the password, and one that fails."""
    with Federation() as federation:
        for name in ("Mordor", "Rohan", "Spain2"):
            make_registered(name, password=SENTINEL)
            federation.add(name).password = SENTINEL if name != "Rohan" else "another"
        federation.clouds["Spain2"].failing["GET /flavors/detail"] = 503
        yield federation


@pytest.mark.parametrize("command", [["sync_flavors"], ["sync_flavors", "--json"], ["run_worker", "--batch"]])
def test_nothing_gives_it_away(
    logs: tuple[io.StringIO, Said],
    federation: Federation,
    command: list[str],
) -> None:
    make_flavor()
    if command[0] == "run_worker":
        start_run(requested_by="somebody", infrastructures=Infrastructure.objects.all(), repairs=True)
    printed = io.StringIO()
    try:
        call_command(*command, stdout=printed, stderr=printed)
    except SystemExit as ended:
        assert ended.code == 1  # noqa: PT017 — it need not be raised
    call_command("run_scheduler", "--once", stdout=printed)
    kept = [*SyncRun.objects.values(), *SyncNode.objects.values(), *SyncOutcome.objects.values()]
    assert SyncRun.objects.get().state == SyncRun.State.PARTLY_DONE
    assert {node.name: node.error for node in SyncNode.objects.all()} == {
        "Mordor": "",
        "Rohan": "Rohan: its Keystone refuses the credentials stored for it.",
        "Spain2": "Spain2: its Nova answered 503.",
    }
    assert [found_in(text) for text in (printed.getvalue(), str(kept), logs[0].getvalue(), str(logs[1]))] == [[]] * 4
