"""A Nova that fails, in each way and at each step: the contract's status, in time, and no flavor lost."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from infrastructures.models import Replacement
from lab import Lab
from regions.tests.clouds import Cloud, Tokens, Whole
from testing import proxy as faults
from testing.infrastructures import half_way, let_the_doubt_end
from testing.proxy import ACCESS, ACTION, EXTRA_SPECS, FLAVOR, FLAVORS, Fault, NovaProxy
from testing.wire import Answer, Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

# A fraction of it is all that a look at what became of a lost answer may take, and the machine may be busy.
TIMEOUT = 2.4
MARGIN = 2.0
URL = "/v1/regions/Isengard/flavors"
NEW = {"id": "made", "name": "made", "vcpus": 1, "ram": 64, "disk": 0, "swap": 0}
CHANGES = {"ram": 77, "vcpus": 9}

UNREACHABLE = "its Nova could not be reached."
LATE = "its Nova did not answer in time."
STRANGE = "its Nova did not answer as OpenStack does."

FAULTS: dict[str, tuple[Fault, str]] = {
    "slow": (faults.silent, LATE),
    "drip": (faults.dripping, LATE),
    "HTML": (faults.html, STRANGE),
    "other JSON": (faults.other_json, STRANGE),
    "half a body": (faults.half_body, UNREACHABLE),
    "half JSON": (faults.half_json, STRANGE),
    "500": (faults.failing(500), "its Nova answered 500."),
    "503": (faults.failing(503), "its Nova answered 503."),
    "hang up": (faults.hanging_up, UNREACHABLE),
}
# A deletion has no body to be wrong.
FAULTS_WITHOUT_BODY = {name: FAULTS[name] for name in ("slow", "half a body", "500", "503", "hang up")}
LOST: dict[str, Fault] = {"lost": faults.lost, "lost, slow": faults.silent_when_done}


# The fast tests have the others without the lab (infrastructures/tests/test_nova_failures.py, test_sessions.py).
MAIN = {"slow", "HTML", "half a body", "500", "hang up", *LOST}


def each(table: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "fault", [name if name in MAIN else pytest.param(name, marks=pytest.mark.thorough) for name in table]
    )


@pytest.fixture(autouse=True)
def _short_timeout(settings: Settings) -> None:
    settings.OPENSTACK_TIMEOUT = TIMEOUT


@pytest.fixture
def warm(admin: Api, proxy: NovaProxy, spain2: Cloud) -> Api:
    """The API, having met the token and Isengard's Nova before."""
    assert admin.get(f"{URL}/1").status == 200
    return admin


@pytest.fixture
def rich(spain2: Cloud, warm: Api) -> Whole:
    """A private flavor with all that a flavor can have."""
    return spain2.make_rich_flavor("rich")


def in_time(act: Callable[[], Answer], *, calls: int = 1) -> Answer:
    """Return the answer, which must come within the time-outs of so many upstream calls."""
    began = time.monotonic()
    answer = act()
    assert time.monotonic() - began < TIMEOUT * calls + MARGIN
    return answer


def refused(failure: str) -> tuple[int, dict[str, Any]]:
    return 502, {"error": {"message": f"Isengard: {failure}"}}


def in_doubt(answer: Answer, failure: str) -> bool:
    """Say whether the answer is that failure, and that what it means for the flavor is not known yet."""
    begins = f"Isengard: {failure} It is not known whether this was done: flavor "
    return answer.status == 502 and answer.message.startswith(begins) and "is watched until" in answer.message


def settled(api: Api, spain2: Cloud, *choices: Whole) -> None:
    """Have the service meet the region again: then it has one of the *choices*, and in the end nothing is open."""
    assert api.get(URL).status == 200
    assert not half_way()
    assert spain2.flavor(choices[0]["id"]) in choices
    let_the_doubt_end()
    assert api.get(f"{URL}/1").status in (200, 404)
    assert not Replacement.objects.exists()
    assert spain2.flavor(choices[0]["id"]) in choices


# One request of Nova's fails


@each(FAULTS)
@pytest.mark.parametrize(("path", "pattern"), [(URL, "/flavors/detail"), (f"{URL}/5", FLAVOR)], ids=["list", "show"])
def test_reading_fails_with_502(warm: Api, proxy: NovaProxy, path: str, pattern: str, fault: str) -> None:
    does, failure = FAULTS[fault]
    proxy.plan("GET", pattern, does)
    assert in_time(lambda: warm.get(path)).result == refused(failure)
    proxy.heal()
    assert warm.get(path).status == 200


@pytest.mark.parametrize("fault", ["hang up", "half a body"])
def test_reading_survives_one_broken_connection(warm: Api, proxy: NovaProxy, fault: str) -> None:
    plan = proxy.plan("GET", "/flavors/detail", FAULTS[fault][0], times=1)
    assert warm.get(URL).status == 200
    assert plan.met == 1


@each(FAULTS)
def test_creating_fails_with_502(warm: Api, proxy: NovaProxy, spain2: Cloud, fault: str) -> None:
    does, failure = FAULTS[fault]
    before = spain2.flavors()
    proxy.plan("POST", FLAVORS, does)
    assert in_doubt(in_time(lambda: warm.post(URL, **NEW)), failure)
    proxy.heal()
    assert spain2.flavors() == before
    assert warm.post(URL, **NEW).status == 201


@each(FAULTS_WITHOUT_BODY)
def test_deleting_fails_with_502(warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, fault: str) -> None:
    does, failure = FAULTS_WITHOUT_BODY[fault]
    proxy.plan("DELETE", FLAVOR, does)
    assert in_doubt(in_time(lambda: warm.delete(f"{URL}/rich")), failure)
    proxy.heal()
    assert spain2.flavor("rich") == rich
    assert warm.delete(f"{URL}/rich").status == 204


@each(FAULTS)
def test_reading_before_an_update_fails_with_502(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, fault: str
) -> None:
    does, failure = FAULTS[fault]
    proxy.plan("GET", f"{FLAVOR}|{ACCESS}", does)
    assert in_time(lambda: warm.put(f"{URL}/rich", **CHANGES)).result == refused(failure)
    proxy.heal()
    assert spain2.flavor("rich") == rich
    assert not Replacement.objects.exists()


STEPS = {
    "delete": ("DELETE", FLAVOR),
    "create": ("POST", FLAVORS),
    "extra specs": ("POST", EXTRA_SPECS),
    "grant": ("POST", ACTION),
}
MAIN_AT_STEPS = list(zip(STEPS, ("hang up", "slow", "500", "500"), strict=True))
FAULTS_AT_STEPS = [
    (step, fault) if (step, fault) in MAIN_AT_STEPS else pytest.param(step, fault, marks=pytest.mark.thorough)
    for step, fault in (
        *((step, fault) for step in STEPS for fault in ("slow", "500", "hang up")),
        *(("create", fault) for fault in ("HTML", "other JSON", "half a body", "half JSON")),
    )
]


@pytest.mark.parametrize(("step", "fault"), FAULTS_AT_STEPS)
def test_an_update_that_fails_once_leaves_the_old_flavor(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, step: str, fault: str
) -> None:
    method, pattern = STEPS[step]
    does, failure = FAULTS[fault]
    plan = proxy.plan(method, pattern, does, times=1)
    assert in_doubt(in_time(lambda: warm.put(f"{URL}/rich", **CHANGES)), failure)
    assert plan.met == 1
    assert spain2.flavor("rich") == rich
    settled(warm, spain2, rich)


@pytest.mark.parametrize(("step", "fault"), FAULTS_AT_STEPS)
def test_an_update_that_cannot_go_on_is_settled_at_the_next_contact(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, step: str, fault: str
) -> None:
    method, pattern = STEPS[step]
    does, failure = FAULTS[fault]
    proxy.plan(method, pattern, does)
    assert in_doubt(in_time(lambda: warm.put(f"{URL}/rich", **CHANGES)), failure)
    assert Replacement.objects.get().flavorid == "rich"
    proxy.heal()
    settled(warm, spain2, rich, {**rich, **CHANGES})


# Nova does as it is asked, and its answer is lost


@each(LOST)
def test_a_creation_whose_answer_is_lost_is_201(warm: Api, proxy: NovaProxy, spain2: Cloud, fault: str) -> None:
    proxy.plan("POST", FLAVORS, LOST[fault])
    answer = in_time(lambda: warm.post(URL, **NEW))
    assert answer.result == (201, {"flavor": {**NEW, "promoted": False, "public": False, "nodes": ["Isengard"]}})
    assert spain2.flavor("made")["ram"] == 64


def test_a_creation_whose_answer_is_lost_is_201_also_with_an_id_of_ours(
    warm: Api, proxy: NovaProxy, spain2: Cloud
) -> None:
    proxy.plan("POST", FLAVORS, faults.lost)
    answer = warm.post(URL, name="made", vcpus=1, ram=64, disk=0)
    assert answer.status == 201
    assert spain2.flavor(answer.body["flavor"]["id"])["name"] == "made"


@each(LOST)
def test_a_deletion_whose_answer_is_lost_is_204(warm: Api, proxy: NovaProxy, spain2: Cloud, fault: str) -> None:
    proxy.plan("DELETE", FLAVOR, LOST[fault])
    assert in_time(lambda: warm.delete(f"{URL}/1")).status == 204
    assert "1" not in spain2.flavors()


@each(LOST)
@pytest.mark.parametrize("step", ["delete", "create"])
def test_an_update_goes_on_when_an_answer_is_lost(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, step: str, fault: str
) -> None:
    method, pattern = STEPS[step]
    plan = proxy.plan(method, pattern, LOST[fault])
    assert in_time(lambda: warm.put(f"{URL}/rich", **CHANGES)).status == 200
    assert plan.met == 1
    assert spain2.flavor("rich") == {**rich, **CHANGES}
    assert not Replacement.objects.exists()


@each(LOST)
@pytest.mark.parametrize("step", ["extra specs", "grant"])
def test_an_update_is_whole_when_the_answer_about_a_part_is_lost(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, step: str, fault: str
) -> None:
    method, pattern = STEPS[step]
    proxy.plan(method, pattern, LOST[fault], times=1)
    answer = in_time(lambda: warm.put(f"{URL}/rich", **CHANGES))
    assert answer.status in (200, 502)
    settled(warm, spain2, rich if answer.status == 502 else {**rich, **CHANGES})


@pytest.mark.parametrize(
    ("step", "fault"), [*((step, "lost") for step in STEPS), ("create", "lost, slow"), ("grant", "lost, slow")]
)
def test_an_update_is_settled_when_all_answers_are_lost(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, step: str, fault: str
) -> None:
    method, pattern = STEPS[step]
    proxy.plan(method, pattern, LOST[fault])
    in_time(lambda: warm.put(f"{URL}/rich", **CHANGES), calls=2)
    proxy.heal()
    settled(warm, spain2, rich, {**rich, **CHANGES})


# All of Nova fails


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("fault", ["slow", "500", "hang up"])
def test_while_nothing_works_everything_is_502(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole, method: str, fault: str
) -> None:
    does, failure = FAULTS[fault]
    before = spain2.flavors()
    proxy.plan("*", "", does)
    body = b"" if method in ("GET", "DELETE") else warm.wire.write({"flavor": {**NEW, "id": "rich"}})
    path = URL if method == "POST" else f"{URL}/rich"
    # Within the time-out, although a write that got no answer looks whether it was done.
    answer = in_time(lambda: warm.send(method, path, body))
    assert in_doubt(answer, failure) if method in ("POST", "DELETE") else answer.result == refused(failure)
    proxy.heal()
    assert spain2.flavors() == before


@each(FAULTS)
def test_what_is_asked_before_anything_else_fails_with_502(
    admin: Api, proxy: NovaProxy, spain2: Cloud, fault: str
) -> None:
    """Nova's microversions, when the region is met for the first time."""
    does, failure = FAULTS[fault]
    plan = proxy.plan("GET", "/v2.1/$", does)
    assert in_time(lambda: admin.get(URL)).result == refused(failure)
    assert plan.met >= 1
    proxy.heal()
    assert admin.get(URL).status == 200


def test_an_update_goes_wrong_half_way_and_nothing_works_any_more(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole
) -> None:
    everything = faults.before(lambda: proxy.plan("*", "", faults.failing(500)), faults.failing(500))
    proxy.plan("POST", FLAVORS, everything, times=1)
    assert in_doubt(in_time(lambda: warm.put(f"{URL}/rich", **CHANGES)), "its Nova answered 500.")
    assert "rich" not in spain2.flavors()
    for _ in range(2):
        assert warm.get(URL).result == refused("its Nova answered 500.")
        assert Replacement.objects.count() == 1
    proxy.heal()
    settled(warm, spain2, rich, {**rich, **CHANGES})


def test_an_open_replacement_is_settled_by_whatever_comes_next(
    warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole
) -> None:
    proxy.plan("POST", FLAVORS, faults.failing(500))
    warm.put(f"{URL}/rich", **CHANGES)
    proxy.heal()
    answer = warm.put(f"{URL}/rich", disk=3)
    assert answer.status == 200
    assert spain2.flavor("rich") == {**rich, "disk": 3}
    assert not half_way()


def test_a_replacement_that_nova_refuses_is_undone(warm: Api, proxy: NovaProxy, spain2: Cloud, rich: Whole) -> None:
    proxy.plan("POST", FLAVORS, faults.failing(409), times=1)
    answer = warm.put(f"{URL}/rich", **CHANGES)
    assert answer.status == 409
    assert spain2.flavor("rich") == rich
    assert not Replacement.objects.exists()


# Nova sends us elsewhere, or no longer knows us


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_redirect_is_not_followed(
    warm: Api, proxy: NovaProxy, lab: Lab, spain2: Cloud, rich: Whole, method: str
) -> None:
    proxy.plan("*", "", faults.redirecting(lab.nova_url("Lannion2").removesuffix("/v2.1")))
    body = b"" if method in ("GET", "DELETE") else warm.wire.write({"flavor": NEW})
    with lab.counting() as served:
        answer = warm.send(method, URL if method == "POST" else f"{URL}/rich", body)
    assert answer.status == 502
    assert answer.message.startswith("Isengard: its Nova ")
    assert "http" not in answer.message
    assert not served["Lannion2"]
    assert spain2.flavor("rich") == rich


def test_a_token_that_nova_refuses_is_401_and_asked_about_again(warm: Api, proxy: NovaProxy, lab: Lab) -> None:
    proxy.plan("GET", "/flavors/detail", faults.failing(401))
    answer = warm.get(URL)
    assert answer.result == (401, {"error": {"message": "Isengard: its Nova does not accept the token."}})
    assert answer.headers["WWW-Authenticate"] == 'Keystone realm="X-Auth-Token-KeyStone"'
    proxy.heal()
    with lab.counting() as served:
        assert warm.get(URL).status == 200
    assert served["keystone"] == {"GET /v3/auth/tokens": 1}


def test_upstream_errors_do_not_show_internal_addresses(warm: Api, proxy: NovaProxy) -> None:
    for status in (400, 403, 404, 409, 418, 500):
        proxy.heal()
        proxy.plan("GET", "/flavors/detail", faults.failing(status))
        answer = warm.get(URL)
        assert answer.message.startswith("Isengard: ")
        assert "10.0.0.1" not in answer.message


# A member meets what an administrator left open


def test_a_plain_member_reads_on_and_settles_nothing(
    warm: Api, proxy: NovaProxy, spain2: Cloud, tokens: Tokens, rich: Whole
) -> None:
    proxy.plan("POST", FLAVORS, faults.failing(500))
    warm.put(f"{URL}/rich", **CHANGES)
    proxy.heal()
    member = warm.having(tokens("spain2-member"))
    answer = member.get(URL)
    assert (answer.status, len(answer.body["flavors"])) == (200, 6)
    assert member.get(f"{URL}/1").status == 200
    assert Replacement.objects.get().last_error.startswith("Isengard: ")
    assert "rich" not in spain2.flavors()
    settled(warm, spain2, rich, {**rich, **CHANGES})
