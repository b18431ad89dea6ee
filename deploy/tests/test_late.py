"""Short campaigns of requests that a cloud carries out late (docs/reliability.md)."""

import pytest

from deploy.campaigns.late import FAULTS, campaign
from lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.thorough]

TRIES, SEED, LONGEST = 12, 1, 6


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_short_campaign_loses_nothing(lab: Lab, fault: str) -> None:
    findings = campaign(lab, fault=fault, way="api", database="sqlite", tries=TRIES, seed_=SEED, longest=LONGEST)
    assert not findings, str(findings)
