"""A real Nova takes our request's id with its call, and its own is in our log."""

import logging
import re

import pytest

from testing import proxy as faults
from testing.proxy import Exchange, NovaProxy
from testing.wire import Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

URL = "/v1/regions/Isengard/flavors"
ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.usefixtures("spain2")
def test_nova_is_told_our_id_and_tells_its_own(admin: Api, proxy: NovaProxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told: list[str | None] = []

    def note(exchange: Exchange) -> None:
        told.append(exchange.handler.headers["X-OpenStack-Request-ID"])
        faults.forwarded(exchange)

    proxy.plan("*", "", note)
    answers = [admin.get(URL), admin.put(f"{URL}/5", ram=77), admin.get(f"{URL}/unheard-of")]
    assert [answer.status for answer in answers] == [200, 200, 404]
    ours = [answer.headers["X-Openstack-Request-Id"] for answer in answers]
    assert list(dict.fromkeys(told)) == ours
    access = [record.__dict__ for record in caplog.records if record.name == "flavorsync.access"]
    assert [line["nodes"] for line in access] == [["Isengard"]] * 3
    for line, id in zip(access, ours, strict=True):
        theirs = line["upstream_request_ids"]
        # Keystone tells its own, too, where it was asked.
        assert len(theirs) >= told.count(id)
        assert all(ID.fullmatch(upstream) for upstream in theirs)
        assert id not in theirs
