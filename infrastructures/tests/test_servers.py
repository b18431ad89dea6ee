"""How many servers use a flavor, whosever they are."""

import json
from typing import Any

import pytest

from infrastructures.openstack import bounds, servers
from infrastructures.openstack.errors import CloudAnswersTooMuch, CloudUnavailable, Forbidden
from testing.cloud import Cloud

FIRST = "/servers?all_tenants=1&flavor=a+b"


def page(*ids: str, more: bool = False) -> dict[str, Any]:
    links = [{"rel": "next", "href": "http://10.0.0.1:8774/v2.1/servers?marker=not-ours"}] if more else []
    return {"json": {"servers": [{"id": id, "name": "x"} for id in ids], "servers_links": links}}


def test_servers_are_counted_over_all_pages(cloud: Cloud) -> None:
    cloud.nova("GET", FIRST, page("1", "2", more=True))
    cloud.nova("GET", f"{FIRST}&marker=2", page("3"))
    assert cloud.open().count_servers("a b") == 3
    assert cloud.calls == [f"GET {FIRST}", f"GET {FIRST}&marker=2"]


@pytest.mark.parametrize("more", [False, True])
def test_no_servers_are_none(cloud: Cloud, more: bool) -> None:
    cloud.nova("GET", FIRST, page(more=more))
    assert cloud.open().count_servers("a b") == 0


def test_endless_pages_end(cloud: Cloud) -> None:
    cloud.nova("GET", "/servers", page("1", more=True))
    with pytest.raises(CloudUnavailable, match="list of servers never ends"):
        cloud.open().count_servers("a b")


def test_more_pages_than_we_read_are_too_many(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.nova("GET", FIRST, page("1", more=True))
    cloud.nova("GET", f"{FIRST}&marker=1", page("2", more=True))
    monkeypatch.setattr(servers, "MAX_PAGES", 2)
    with pytest.raises(CloudAnswersTooMuch, match="more than 2 pages"):
        cloud.open().count_servers("a b")


def test_who_may_not_count_is_told(cloud: Cloud) -> None:
    cloud.nova("GET", FIRST, {"status_code": 403, "json": {"forbidden": {"message": "Policy doesn't allow it."}}})
    with pytest.raises(Forbidden, match="Policy doesn't allow it"):
        cloud.open().count_servers("a b")


DETAIL = "/servers/detail?all_tenants=1"


def detail(*flavors: str, more: bool = False) -> dict[str, Any]:
    links = [{"rel": "next", "href": "http://10.0.0.1:8774/v2.1/servers/detail?marker=not-ours"}] if more else []
    servers = [{"id": f"s-{id}", "flavor": {"id": id, "links": []}} for id in flavors]
    return {"json": {"servers": servers, "servers_links": links}}


def test_servers_are_counted_by_their_flavors_over_all_pages(cloud: Cloud) -> None:
    cloud.nova("GET", DETAIL, detail("a", "b", "a", more=True))
    cloud.nova("GET", f"{DETAIL}&marker=s-a", detail("c"))
    counted = cloud.open().servers_by_flavor()
    assert (counted.by_flavor, counted.is_whole) == ({"a": 2, "b": 1, "c": 1}, True)
    assert cloud.calls == [f"GET {DETAIL}", f"GET {DETAIL}&marker=s-a"]


def test_where_the_list_is_too_long_the_servers_so_far_are_a_lower_bound(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.nova("GET", DETAIL, detail("a", "b", "a", more=True))
    cloud.nova("GET", f"{DETAIL}&marker=s-a", detail("c"))
    first, second = (len(json.dumps(each["json"])) for each in (detail("a", "b", "a", more=True), detail("c")))
    monkeypatch.setattr(bounds, "ANSWER_BYTES", first + second - 1)
    counted = cloud.open().servers_by_flavor()
    assert (counted.by_flavor, counted.is_whole) == ({"a": 2, "b": 1}, False)
    monkeypatch.setattr(bounds, "ANSWER_BYTES", first - 1)
    with pytest.raises(CloudAnswersTooMuch):
        cloud.open().servers_by_flavor()


def test_the_servers_of_as_many_pages_as_we_read_are_a_lower_bound(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.nova("GET", DETAIL, detail("a", "b", more=True))
    cloud.nova("GET", f"{DETAIL}&marker=s-b", detail("c", more=True))
    monkeypatch.setattr(servers, "MAX_PAGES", 2)
    counted = cloud.open().servers_by_flavor()
    assert (counted.by_flavor, counted.is_whole) == ({"a": 1, "b": 1, "c": 1}, False)


def test_servers_that_do_not_say_their_flavor_are_none_of_novas(cloud: Cloud) -> None:
    cloud.nova("GET", DETAIL, {"json": {"servers": [{"id": "1", "flavor": {"original_name": "m1.tiny"}}]}})
    with pytest.raises(CloudUnavailable, match="did not answer as OpenStack does"):
        cloud.open().servers_by_flavor()


def test_endless_pages_of_servers_in_detail_end(cloud: Cloud) -> None:
    cloud.nova("GET", "/servers/detail", detail("1", more=True))
    with pytest.raises(CloudUnavailable, match="list of servers never ends"):
        cloud.open().servers_by_flavor()
