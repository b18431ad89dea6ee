"""The stand-in for the FIWARE IdM answers as Keyrock does."""

import re

import pytest

from lab import Lab, seed
from lab.access_log import count
from lab.tests.conftest import Ask

pytestmark = pytest.mark.lab


def user_url(lab: Lab, name: str) -> str:
    return f"{lab.idm_url}/user?access_token={seed.idm_token(name)}&app_id={seed.IDM_APPLICATION}"


@pytest.mark.parametrize(
    ("name", "roles", "organizations"),
    [
        ("basic", [], {}),
        ("manager", ["InfrastructureManager"], {}),
        ("owner-spain2", [], {"Spain2 FIDASH": ["InfrastructureOwner"]}),
        ("owner-mordor", [], {"Mordor FIDASH": ["InfrastructureOwner"]}),
    ],
)
def test_a_person_has_roles(
    lab: Lab, ask: Ask, name: str, roles: list[str], organizations: dict[str, list[str]]
) -> None:
    answer = ask(user_url(lab, name))
    assert answer.status == 200
    assert answer.body["username"] == name
    assert answer.body["id"]
    assert answer.body["app_id"] == seed.IDM_APPLICATION
    assert [role["name"] for role in answer.body["roles"]] == roles
    given = {one["name"]: [role["name"] for role in one["roles"]] for one in answer.body["organizations"]}
    assert given == organizations


def test_a_token_of_another_application_is_valid_there(lab: Lab, ask: Ask) -> None:
    answer = ask(user_url(lab, "other-application"))
    assert answer.status == 200
    assert answer.body["app_id"] == seed.OTHER_IDM_APPLICATION
    assert answer.body["roles"][0]["name"] == "InfrastructureManager"


def test_a_machine_is_nobody(lab: Lab, ask: Ask) -> None:
    assert ask(user_url(lab, "machine")).body == {"app_id": seed.IDM_APPLICATION}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/user?access_token=lab-token-expired", "Invalid token: access token has expired"),
        ("/user?access_token=made-up", "Invalid token: access token is invalid"),
        ("/user", "Unauthorized request: no authentication given"),
    ],
)
def test_a_refusal_is_a_bare_string(lab: Lab, ask: Ask, path: str, message: str) -> None:
    answer = ask(lab.idm_url + path)
    assert answer.status == 401
    assert answer.body == message


def test_an_unknown_path_is_a_page(lab: Lab, ask: Ask) -> None:
    answer = ask(f"{lab.idm_url}/v3/user?access_token=lab-token-manager")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_no_token_is_logged(lab: Lab, ask: Ask) -> None:
    with lab.counting() as served:
        ask(f"{lab.idm_url}/user?access_token=sentinel-of-a-token")
    assert served["idm"] == {"GET /user": 1}
    daemon = lab.daemons()["idm"]
    assert count(daemon.access_log, since=0, by="service")["GET /user"]
    assert not re.search("sentinel|lab-token", daemon.access_log.read_text() + daemon.output.read_text())
