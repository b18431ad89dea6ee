"""`check_infrastructures`: whether we can do our work in the clouds, and the message if we cannot."""

from collections.abc import Iterator
from typing import Any

import pytest

from infrastructures.clouds import credentials_of
from infrastructures.models import Check, Infrastructure
from infrastructures.openstack import keystone
from infrastructures.openstack.entering import OperatorsNova
from infrastructures.readiness import Readiness, check_infrastructures
from testing.cloud import Federation, RegisteredCloud, flavor_document, token_document
from testing.infrastructures import a_registered, make_infrastructure, make_registered
from testing.shell import shell

pytestmark = pytest.mark.django_db

SPAIN2 = "https://nova.spain2.example.org/v2.1"


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Clouds without any socket."""
    with Federation() as federation:
        yield federation


@pytest.fixture
def spain2(federation: Federation) -> RegisteredCloud:
    """A cloud that is registered, with two flavors."""
    make_registered("Spain2")
    return federation.add("Spain2", flavor_document(), flavor_document(id="7", name="other"))


def check() -> Readiness:
    (readiness,) = check_infrastructures(Infrastructure.objects.all())
    return readiness


def test_all_is_well(spain2: RegisteredCloud) -> None:
    before = dict(spain2.flavors)
    assert check() == Readiness(
        infrastructure=Infrastructure.objects.get(),
        authenticated=True,
        compute_endpoint=SPAIN2,
        microversion="2.96",
        may_create_flavors=True,
        may_delete_flavors=True,
    )
    assert check().is_ready
    assert spain2.flavors == before


def test_it_costs_what_it_says_and_authenticates_anew(spain2: RegisteredCloud) -> None:
    check()
    check()
    assert spain2.authentications == 2
    deletion = spain2.calls.pop()
    assert spain2.calls[3:] == ["GET /flavors/detail", "POST /flavors"]
    assert deletion.startswith("DELETE /flavors/")
    assert deletion.removeprefix("DELETE /flavors/") not in spain2.flavors


def test_a_password_that_was_right_once_is_found_out(spain2: RegisteredCloud) -> None:
    assert check().is_ready
    spain2.password = "changed"
    assert check() == Readiness(
        infrastructure=Infrastructure.objects.get(),
        problem="Spain2: its Keystone refuses the credentials stored for it.",
    )


def test_no_credentials_are_a_problem() -> None:
    make_infrastructure("Spain2")
    assert check().problem == "Spain2: no credentials are stored for it."


def test_a_keystone_that_nobody_answers_at_is_a_problem(federation: Federation) -> None:
    make_registered("Spain2")
    assert (check().problem, check().authenticated) == ("Spain2: its Keystone could not be reached.", False)


def test_no_compute_endpoint_is_a_problem(federation: Federation) -> None:
    make_registered("Spain2")
    federation.http.post(
        "https://keystone.spain2.example.org/v3/auth/tokens",
        json=token_document(endpoints={}),
        headers={"X-Subject-Token": "t"},
        status_code=201,
    )
    readiness = check()
    assert (readiness.authenticated, readiness.compute_endpoint, readiness.is_ready) == (True, "", False)
    assert readiness.problem == "Spain2: the Keystone catalogue has no compute endpoint for the region."


@pytest.mark.parametrize(
    ("failing", "may", "problem"),
    [
        ({"POST /flavors": 403}, (False, True), "our account may not create flavors there."),
        ({"DELETE": 403}, (True, False), "our account may not delete flavors there."),
        ({"POST /flavors": 403, "DELETE": 403}, (False, False), "our account may not create or delete flavors there."),
        ({"POST /flavors": 503}, (None, None), "its Nova answered 503."),
        ({"GET /flavors/detail": 500}, (None, None), "its Nova answered 500."),
        ({"GET /flavors/detail": 403}, (None, None), "it does not let our stored credentials do this."),
    ],
)
def test_what_nova_refuses_is_a_problem(
    spain2: RegisteredCloud, monkeypatch: pytest.MonkeyPatch, failing: dict[str, int], may: Any, problem: str
) -> None:
    flavorid = "00000000-0000-4000-8000-000000000000"
    monkeypatch.setattr("uuid.uuid4", lambda: flavorid)
    spain2.flavors[flavorid] = flavor_document(id=flavorid, name="z")  # else the fake has nothing to refuse
    spain2.failing |= {call.replace("DELETE", f"DELETE /flavors/{flavorid}"): code for call, code in failing.items()}
    readiness = check()
    assert (readiness.authenticated, readiness.compute_endpoint, readiness.microversion) == (True, SPAIN2, "2.96")
    assert (readiness.may_create_flavors, readiness.may_delete_flavors) == may
    assert (readiness.problem, readiness.is_ready) == (f"Spain2: {problem}", False)


def test_a_cloud_without_flavors_cannot_be_asked_whether_we_may_create_any(federation: Federation) -> None:
    make_registered("Spain2")
    cloud = federation.add("Spain2")
    assert (check().may_create_flavors, check().may_delete_flavors, check().is_ready) == (None, True, True)
    assert not cloud.flavors


@pytest.mark.usefixtures("federation")
def test_what_was_created_all_the_same_is_deleted(spain2: RegisteredCloud) -> None:
    """Both flavors that the question is made of are deleted between our seeing them and the question."""
    nova = OperatorsNova(credentials_of(Infrastructure.objects.get()))
    spain2.before_call = lambda call: spain2.flavors.clear() if call == "POST /flavors" else None
    assert nova.may_create_flavors() is True
    assert spain2.flavors == {}


# The command


def test_prints_each_cloud_and_a_count(spain2: RegisteredCloud, federation: Federation) -> None:
    federation.add("Mordor", flavor_document())
    make_registered("Mordor")
    make_infrastructure("Lannion2")  # without credentials: not asked
    answer = shell("check_infrastructures")
    assert answer.lines == [
        "NODE ENTERED COMPUTE ENDPOINT MICROVERSION CREATE DELETE",
        "Mordor yes https://nova.mordor.example.org/v2.1 2.96 yes yes",
        f"Spain2 yes {SPAIN2} 2.96 yes yes",
        "2 of 2 ready.",
    ]
    assert (answer.error, answer.status) == ("", 0)


def test_what_each_answered_is_kept(spain2: RegisteredCloud) -> None:
    make_registered("Mordor")
    shell("check_infrastructures")
    shell("check_infrastructures", "Spain2")
    assert [(check.infrastructure.name, check.problem) for check in Check.objects.order_by("infrastructure__name")] == [
        ("Mordor", "Mordor: its Keystone could not be reached."),
        ("Spain2", ""),
    ]


def test_one_that_is_not_ready_fails_and_does_not_hold_up_the_others(spain2: RegisteredCloud) -> None:
    make_registered("Mordor")
    answer = shell("check_infrastructures")
    assert answer.lines[1:] == [
        "Mordor no - - - -",
        f"Spain2 yes {SPAIN2} 2.96 yes yes",
        "Mordor: its Keystone could not be reached.",
        "1 of 2 ready.",
    ]
    assert (answer.error, answer.status) == ("1 of 2 not ready.", 1)


def test_says_it_in_json(spain2: RegisteredCloud) -> None:
    make_registered("Mordor")
    answer = shell("check_infrastructures", "--json")
    assert answer.document == [
        {
            "node": "Mordor",
            "ready": False,
            "authenticated": False,
            "compute_endpoint": "",
            "microversion": "",
            "may_create_flavors": None,
            "may_delete_flavors": None,
            "problem": "Mordor: its Keystone could not be reached.",
        },
        {
            "node": "Spain2",
            "ready": True,
            "authenticated": True,
            "compute_endpoint": SPAIN2,
            "microversion": "2.96",
            "may_create_flavors": True,
            "may_delete_flavors": True,
            "problem": "",
        },
    ]
    assert answer.status == 1


def test_asks_those_alone_that_are_named(spain2: RegisteredCloud) -> None:
    make_registered("Mordor")
    assert shell("check_infrastructures", "Spain2").status == 0
    answer = shell("check_infrastructures", "Spain2", "Gondor")
    assert (answer.error, answer.output, answer.status) == ("There is no node Gondor.", "", 1)


def test_forgets_what_it_knew_of_a_cloud(spain2: RegisteredCloud) -> None:
    credentials = credentials_of(a_registered("Spain2"))
    plugin, _ = keystone.session_of(credentials)
    check()
    assert keystone.session_of(credentials)[0] is not plugin
