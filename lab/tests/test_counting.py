"""Counting the requests that the clouds were sent is exact."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import Lab
from lab.install import has_openid
from lab.tests.conftest import Ask

pytestmark = pytest.mark.lab


def test_each_request_counts_once(lab: Lab, ask: Ask) -> None:
    token = lab.token("spain2-member")
    for _ in range(20):
        with lab.counting() as served:
            ask(f"{lab.nova_url('Spain2')}/flavors/detail?is_public=None", token)
        assert served["Spain2"] == {"GET /v2.1/flavors/detail": 1}


def test_each_cloud_counts_for_itself(lab: Lab, ask: Ask) -> None:
    token = lab.token("spain2-admin")
    with lab.counting() as served:
        ask(f"{lab.nova_url('Lannion2')}/flavors/1", token)
        ask(f"{lab.keystone_url}/auth/catalog", token)
        ask(f"{lab.mordor_keystone_url}/auth/catalog", token)
        ask(f"{lab.idm_url}/user?access_token=x")
    assert served == {
        **({"openid": {}} if has_openid() else {}),
        "keystone": {"GET /v3/auth/catalog": 1},
        "mordor-keystone": {"GET /v3/auth/catalog": 1},
        "Spain2": {},
        "Lannion2": {"GET /v2.1/flavors/{id}": 1},
        "Mordor": {},
        "idm": {"GET /user": 1},
    }


def test_refused_requests_count_too(lab: Lab, ask: Ask) -> None:
    with lab.counting() as served:
        assert ask(f"{lab.nova_url('Spain2')}/flavors", "bad").status == 401
        assert ask(f"{lab.keystone_url}/nowhere").status == 404
    assert served["Spain2"] == {"GET /v2.1/flavors": 1}
    assert served["keystone"] == {"GET /v3/nowhere": 1}


def test_the_labs_own_requests_are_left_out(lab: Lab) -> None:
    with lab.counting() as served:
        lab.reset("Spain2")
        lab.token("spain2-admin")
        created = lab.create_flavor("Spain2", "uncounted", public=False, access=["spain2"])
        lab.flavor_access("Spain2", created["id"])
        lab.delete_flavor("Spain2", created["id"])
    assert not any(served.values())


def test_tokens_that_nova_checks_are_counted_apart(lab: Lab, ask: Ask) -> None:
    token = lab.token("spain2-member")
    with lab.counting() as served, lab.counting(by="nova") as checked:
        ask(f"{lab.nova_url('Spain2')}/flavors", token)
        ask(f"{lab.nova_url('Spain2')}/flavors", token)
    assert served["keystone"] == {}
    assert checked["keystone"]["GET /v3/auth/tokens"] == 1


def test_project_checks_of_nova_are_not_the_services(lab: Lab, ask: Ask) -> None:
    created = lab.create_flavor("Spain2", "to-open", public=False)
    project = lab.project_ids("Spain2")["spain2"]
    token = lab.token("spain2-admin")
    with lab.counting() as served:
        url = f"{lab.nova_url('Spain2')}/flavors/{created['id']}/action"
        ask(url, token, method="POST", body={"addTenantAccess": {"tenant": project}})
    lab.delete_flavor("Spain2", created["id"])
    assert served["Spain2"] == {"POST /v2.1/flavors/{id}/action": 1}
    assert served["keystone"] == {}


def test_writes_from_several_threads_all_succeed(seeded: Lab) -> None:
    def create_and_delete(number: int) -> None:
        created = seeded.create_flavor("Spain2", f"many-{number}", extra_specs={"number": str(number)})
        seeded.flavors("Spain2")
        seeded.delete_flavor("Spain2", created["id"])

    before = seeded.flavors("Spain2")
    with seeded.counting(by="lab") as served, ThreadPoolExecutor(8) as pool:
        list(pool.map(create_and_delete, range(24)))
    assert served["Spain2"]["POST /v2.1/flavors"] == 24
    assert seeded.flavors("Spain2") == before
