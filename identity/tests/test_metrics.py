"""What is counted of the identity provider."""

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings
from rest_framework.exceptions import APIException

from identity import tokens
from identity.tests import server as idm
from identity.tests.server import IdmServer
from testing.accounts import make_answer

OUTCOMES = ("valid", "remembered", "refused", "unavailable", "throttled")


def counts() -> dict[str, float]:
    """Return the validations so far, by outcome, and the requests."""
    found = dict.fromkeys((*OUTCOMES, "requests"), 0.0)
    for sample in (sample for family in REGISTRY.collect() for sample in family.samples):
        if sample.labels.get("provider") != "keyrock":
            continue
        if sample.name == "flavorsync_idm_validations_total":
            found[sample.labels["outcome"]] = sample.value
        elif sample.name == "flavorsync_idm_request_seconds_count":
            found["requests"] = sample.value
    return found


@pytest.mark.parametrize(
    ("script", "sent", "expected"),
    [
        ([idm.answer(make_answer())], ["good"], {"valid": 1, "requests": 1}),
        ([idm.answer(make_answer())], ["good", "good", "good"], {"valid": 1, "remembered": 2, "requests": 1}),
        ([idm.answer("no", status="401 Unauthorized")] * 2, ["bad", "bad"], {"refused": 2, "requests": 2}),
        ([idm.answer({}, status="500 Oops")], ["good"], {"unavailable": 1, "requests": 1}),
        ([idm.hang_up, idm.hang_up], ["good"], {"unavailable": 1, "requests": 1}),
        ([idm.answer("no", status="401 Unauthorized")] * 2, ["bad"] * 5, {"refused": 2, "throttled": 3, "requests": 2}),
        ([], ["x" * 8001], {}),
    ],
    ids=["valid", "remembered", "refused", "500", "broken", "too many", "not asked about"],
)
def test_validations_are_counted_by_outcome(
    server: IdmServer,
    settings: Settings,
    script: list[idm.Behaviour],
    sent: list[str],
    expected: dict[str, int],
) -> None:
    server.script = script
    settings.TOKEN_ADDRESS_FAILURE_RATE = "2/min"
    before = counts()
    for token in sent:
        try:
            tokens.validate(token, address="192.0.2.1")
        except APIException:
            continue
    assert {name: int(count - before[name]) for name, count in counts().items() if count > before[name]} == expected
