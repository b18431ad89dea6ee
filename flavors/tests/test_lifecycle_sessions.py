"""How we enter registered clouds: we authenticate once, and again when the token is refused or the record changes."""

from collections.abc import Callable

import pytest
import requests

from infrastructures.clouds import credentials_of
from infrastructures.models import Infrastructure
from infrastructures.openstack.keystone import session_of
from lab import Lab, seed
from testing.federation import FLAVORS, INFRASTRUCTURES, SIZES, by_token, make_node, refusal, register, registration
from testing.wire import Answer, Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

AUTHENTICATE = "POST /v3/auth/tokens"
LIST = "GET /v2.1/flavors/detail"
ENTERED = {"mordor-keystone": {AUTHENTICATE: 1}, "Mordor": {LIST: 1}}
REFUSED = refusal(502, "Mordor: its Keystone refuses the credentials stored for it.")


@pytest.fixture
def owner(api: Api, clouds: Lab) -> Api:
    """The API for the owner of Mordor, which is registered and has not been entered yet."""
    make_node(clouds, "Mordor")
    return api.having(by_token("owner-mordor"))


def calls(lab: Lab, act: Callable[[], Answer]) -> tuple[int, dict[str, dict[str, int]]]:
    """Return the status of what *act* was answered, and what the clouds were asked for it."""
    with lab.counting() as served:
        answer = act()
    return answer.status, {cloud: dict(asked) for cloud, asked in served.items() if asked and cloud != "idm"}


def test_many_requests_are_one_authentication(owner: Api, clouds: Lab) -> None:
    with clouds.counting() as served:
        for number in range(5):
            assert owner.get(FLAVORS).status == 200
            path = f"{FLAVORS}/insane-{number}"
            new = {**SIZES, "id": f"insane-{number}", "name": f"insane {number}"}
            assert owner.post(FLAVORS, **new).status == 201
            assert owner.put(path, public=True).status == 200
            assert owner.get(path).status == 200
            assert owner.delete(path).status == 204
    assert served["mordor-keystone"] == {AUTHENTICATE: 1}
    assert served["Mordor"][LIST] == 5


def test_each_infrastructure_is_authenticated_with_once(owner: Api, api: Api, clouds: Lab) -> None:
    make_node(clouds, "Spain2")
    spain2 = api.having(by_token("owner-spain2"))
    with clouds.counting() as served:
        for operator in (owner, spain2, owner, spain2):
            assert operator.get(FLAVORS).status == 200
    assert (served["mordor-keystone"], served["keystone"]) == ({AUTHENTICATE: 1}, {AUTHENTICATE: 1})


def revoke_our_token(lab: Lab) -> None:
    """Have Keystone no longer accept the token that we enter Mordor with, and its Nova forget that it was good."""
    plugin, session = session_of(credentials_of(Infrastructure.objects.get(name="Mordor")))
    token = plugin.get_access(session).auth_token
    headers = {"X-Auth-Token": lab.token("mordor-admin"), "X-Subject-Token": token}
    assert requests.delete(f"{lab.mordor_keystone_url}/auth/tokens", headers=headers, timeout=10).status_code == 204
    lab.kill("nova-Mordor")
    lab.start("nova-Mordor")


OPERATIONS: dict[str, tuple[Callable[[Api], Answer], int, dict[str, int]]] = {
    "list": (lambda owner: owner.get(FLAVORS), 200, {LIST: 2}),
    "show": (lambda owner: owner.get(f"{FLAVORS}/1"), 200, {"GET /v2.1/flavors/{id}": 2}),
    "create": (lambda owner: owner.post(FLAVORS, **SIZES), 201, {"POST /v2.1/flavors": 2}),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_token_that_is_revoked_is_renewed_once(owner: Api, clouds: Lab, operation: str) -> None:
    act, status, asked = OPERATIONS[operation]
    assert owner.get(FLAVORS).status == 200
    revoke_our_token(clouds)
    expected = {"mordor-keystone": {AUTHENTICATE: 1}, "Mordor": asked}
    assert calls(clouds, lambda: act(owner)) == (status, expected)
    assert calls(clouds, lambda: owner.get(FLAVORS)) == (200, {"Mordor": {LIST: 1}})


def test_a_cloud_that_is_registered_again_is_entered_anew(owner: Api, clouds: Lab) -> None:
    assert owner.get(FLAVORS).status == 200
    assert owner.delete(f"{INFRASTRUCTURES}/Mordor").status == 204
    assert owner.get(FLAVORS).result == (200, {"flavors": []})
    assert register(owner, **registration(clouds, "Mordor", password="wrong")).status == 201
    assert owner.get(FLAVORS).result == REFUSED


def test_the_same_registration_again_is_authenticated_with_again(owner: Api, clouds: Lab) -> None:
    assert owner.get(FLAVORS).status == 200
    assert owner.delete(f"{INFRASTRUCTURES}/Mordor").status == 204
    assert register(owner, **registration(clouds, "Mordor")).status == 201
    assert calls(clouds, lambda: owner.get(FLAVORS)) == (200, ENTERED)


def test_a_change_of_the_record_drops_the_session(owner: Api, clouds: Lab) -> None:
    assert owner.get(FLAVORS).status == 200
    node = Infrastructure.objects.get()
    node.set_password("wrong")
    node.save()
    assert owner.get(FLAVORS).result == REFUSED
    node.set_password(seed.PASSWORD)
    node.save()
    assert calls(clouds, lambda: owner.get(FLAVORS)) == (200, ENTERED)
