"""No database transaction is open while anybody else is waited for: a cloud, its Keystone, or the IdM."""

from collections import Counter
from typing import Any

import pytest
import requests
from django.db import connection, transaction
from requests.adapters import HTTPAdapter

from regions.tests.clouds import Cloud, Tokens
from testing import proxy as faults
from testing.fixtures import BASIC
from testing.proxy import FLAVORS, NovaProxy
from testing.wire import Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

URL = "/v1/regions/Isengard/flavors"
Calls = Counter[tuple[str, bool]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Each HTTP request sent from this thread, by its method, with whether a transaction was open."""
    sent: Calls = Counter()
    send = HTTPAdapter.send

    def send_and_look(self: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        sent[request.method or "", connection.in_atomic_block] += 1
        return send(self, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", send_and_look)
    return sent


def test_the_look_itself_sees_a_transaction(calls: Calls, api: Api) -> None:
    with transaction.atomic():
        assert api.having(BASIC).get("/v1/regions").status == 200
    assert calls == {("GET", True): 1}


@pytest.mark.usefixtures("_regions")
def test_none_is_open_during_any_call(api: Api, tokens: Tokens, proxy: NovaProxy, spain2: Cloud, calls: Calls) -> None:
    admin = api.having(BASIC | tokens("spain2-admin"))
    rich = f"{URL}/{spain2.make_rich_flavor()['id']}"
    assert admin.get(URL).status == 200
    assert admin.post(URL, id="made", name="made", vcpus=1, ram=1, disk=1).status == 201
    assert admin.get(f"{URL}/made").status == 200
    assert admin.put(rich, ram=1, name="renamed").status == 200
    assert admin.delete(f"{URL}/made").status == 204
    # An update that is put back, and one that is settled by another request
    proxy.plan("POST", FLAVORS, faults.failing(500), times=1)
    assert admin.put(rich, ram=2).status == 502
    proxy.plan("POST", FLAVORS, faults.failing(500), times=2)
    assert admin.put(rich, ram=3).status == 502
    assert admin.get(URL).status == 200
    assert {method for method, _ in calls} == {"GET", "POST", "DELETE"}
    assert {is_open for _, is_open in calls} == {False}
