"""A database from before anybody was told anything: nobody is told of what is there already."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.utils import timezone

from flavors.models import Flavor
from synchronisation.models import SyncRun
from synchronisation.telling.from_catalogue import Memory, notice_changes
from synchronisation.telling.from_runs import announce_runs
from testing.synchronising import promote

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.thorough]


@pytest.fixture
def _before(transactional_db: None) -> Iterator[None]:
    """Have the database be as it was; in the end it is as it is."""
    call_command("migrate", "telling", "zero", verbosity=0)
    yield
    call_command("migrate", verbosity=0)


@pytest.mark.usefixtures("_before")
def test_what_is_there_already_is_not_told() -> None:
    promote("promoted", rxtx_factor=2, extra_specs={"hw:cpu_policy": "shared"}, description="as it is")
    promote("public", promoted=False)
    SyncRun.objects.create(state=SyncRun.State.IN_SYNC, finished_at=timezone.now())
    open_run = SyncRun.objects.create()
    call_command("migrate", verbosity=0)
    assert announce_runs() == 0
    assert notice_changes(Memory()) == 0
    SyncRun.objects.filter(pk=open_run.pk).update(state=SyncRun.State.IN_SYNC, finished_at=timezone.now())
    assert announce_runs() == 1
    Flavor.objects.filter(flavorid="promoted").update(ram=4096)
    assert notice_changes(Memory()) == 1
