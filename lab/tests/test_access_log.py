"""The access log: what a line says, and what it never holds."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import access_log
from lab.access_log import AccessLog


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v2.1/flavors/detail", "/v2.1/flavors/detail"),
        ("/v2.1/flavors", "/v2.1/flavors"),
        ("/v2.1/flavors/1", "/v2.1/flavors/{id}"),
        ("/v2.1/flavors/a b/action", "/v2.1/flavors/{id}/action"),
        ("/v2.1/flavors/detail2", "/v2.1/flavors/{id}"),
        ("/v2.1/flavors/1/os-extra_specs/hw:cpu_policy", "/v2.1/flavors/{id}/os-extra_specs/{id}"),
        ("/v2.1/flavors/1/os-flavor-access", "/v2.1/flavors/{id}/os-flavor-access"),
        ("/v3/auth/tokens", "/v3/auth/tokens"),
        ("/v3/projects/0a1b", "/v3/projects/{id}"),
        ("/user", "/user"),
    ],
)
def test_names_of_single_things_are_cut_out(path: str, template: str) -> None:
    assert access_log.template(path) == template


@pytest.mark.parametrize(
    ("user_agent", "caller"),
    [
        ("", "service"),
        ("python-novaclient", "service"),
        ("gunicorn keystoneauth1/5.18.1 python-requests/2.34.2 CPython/3.11.7", "service"),
        ("python-keystoneclient", "nova"),
        ("nova-api keystoneauth1/5.18.1 python-requests/2.34.2", "nova"),
        ("nova keystonemiddleware.auth_token/13.0.1 keystoneauth1/5.18.1", "nova"),
        ("flavorsync-lab", "lab"),
    ],
)
def test_a_caller_is_known_by_the_user_agent(user_agent: str, caller: str) -> None:
    assert access_log.caller(user_agent) == caller


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "access.log")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.record("GET", f"/v2.1/flavors/{number}\n", ""), range(400)))
    counted = access_log.count(tmp_path / "access.log", since=0, by="service")
    assert counted == {"GET /v2.1/flavors/{id}": 400}


def test_only_what_came_after_the_mark_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(path)
    log.record("GET", "/user", "")
    mark = access_log.size(path)
    log.record("GET", "/user", "")
    log.record("GET", "/user", "flavorsync-lab")
    assert access_log.count(path, since=mark, by="service") == {"GET /user": 1}
    assert access_log.count(path, since=mark, by="lab") == {"GET /user": 1}


def test_a_log_that_is_not_there_yet_counts_nothing(tmp_path: Path) -> None:
    assert access_log.size(tmp_path / "access.log") == 0
    assert access_log.count(tmp_path / "access.log", since=0, by="service") == {}
