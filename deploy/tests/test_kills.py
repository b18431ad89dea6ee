"""A short campaign of kills: one of each kind, under five writers and a synchronisation (docs/reliability.md)."""

import shutil

import pytest

from deploy.campaigns.kills import campaign
from deploy.tests.stack import PATH
from lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.thorough]

KILLS, SEED = 8, 1


@pytest.mark.timeout(600)
def test_a_short_campaign_finds_nothing_lost_half_done_or_wrong(lab: Lab) -> None:
    queue = "redis" if shutil.which("redis-server", path=PATH) else "database"
    findings = campaign(lab, database="mariadb", queue=queue, kills=KILLS, seed_=SEED)
    assert not findings, str(findings)
