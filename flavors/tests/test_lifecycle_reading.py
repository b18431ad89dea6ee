"""Reading the catalogue, and with it the private flavors of one's own nodes (section 6, GET)."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from lab import Lab
from testing import proxy as faults
from testing.federation import (
    CLOUDS,
    FLAVORS,
    REGISTER,
    SEEDED,
    by_account,
    by_token,
    make_node,
    missing,
    refusal,
    wire_flavor,
)
from testing.flavors import make_flavor, make_installation
from testing.proxy import NovaProxy
from testing.wire import Answer, Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

PRIVATE = SEEDED["Mordor"]
ALL = {"pub", "prom", *PRIVATE}
TRUE, FALSE = ("true", "1", "yes", "TRUE", "True", "Yes"), ("false", "0", "no", "FALSE", "False", "No")
ADA = {"user": "ada", "password": "password of ada"}
SECONDS = 3.0
"""How slow a slow cloud is: long before anything else that a list takes."""


def ids(answer: Answer) -> set[str]:
    assert answer.status == 200
    return {flavor["id"] for flavor in answer.body["flavors"]}


def small(node: str, **overrides: object) -> dict[str, object]:
    """Return m1.small on the wire, which is another flavor in each cloud."""
    sizes = {"Spain2": (1, 20), "Lannion2": (1, 10), "Mordor": (2, 20)}[node]
    return wire_flavor(
        id="2", name="m1.small", vcpus=sizes[0], ram=2048, disk=sizes[1], swap=0, nodes=[node], **overrides
    )


def tiny(*nodes: str) -> dict[str, object]:
    """Return m1.tiny on the wire, which is the same in each cloud."""
    return wire_flavor(id="1", name="m1.tiny", vcpus=1, ram=512, disk=1, swap=0, nodes=list(nodes))


@pytest.fixture
def owner(api: Api, clouds: Lab) -> Api:
    """The API for the owner of Mordor, where the catalogue's `pub` is, and which `prom` is not in."""
    make_node(clouds, "Mordor")
    make_node(clouds, "Spain2")
    make_flavor(flavorid="prom", name="prom")
    make_installation(make_flavor(flavorid="pub", name="pub", promoted=False), "Mordor")
    return api.having(by_token("owner-mordor"))


@pytest.fixture
def operator(api: Api, clouds: Lab) -> Api:
    """The API for a local account that operates all three clouds."""
    operator = api.having(by_account("ada", REGISTER))
    for node in CLOUDS:
        make_node(clouds, node, "ada")
    return operator


# Filters

FILTERS = [
    ("", ALL),
    ("?public", ALL),
    ("?promoted&public=", ALL),
    *((f"?public={word}", {"pub", "prom"}) for word in TRUE),
    *((f"?promoted={word}", {"prom"}) for word in TRUE),
    *((f"?public={word}", PRIVATE) for word in FALSE),
    *((f"?promoted={word}", {"pub", *PRIVATE}) for word in FALSE),
    ("?public=true&promoted=false", {"pub"}),
    ("?public=true&promoted=true", {"prom"}),
    ("?public=false&promoted=false", PRIVATE),
    ("?public=false&promoted=true", set()),
    ("?node=Mordor", {"pub", *PRIVATE}),
    ("?node=Spain2", set()),
    ("?node=Nowhere", set()),
    ("?node=", ALL),
    ("?public=true&node=Mordor", {"pub"}),
    ("?public=false&node=Mordor", PRIVATE),
    ("?colour=blue", ALL),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_filters(owner: Api, query: str, expected: set[str]) -> None:
    assert ids(owner.get(FLAVORS + query)) == expected
    public = expected - PRIVATE
    for stranger in ("basic", "manager", "owner-spain2"):
        if stranger != "owner-spain2" or query.startswith("?node=Mordor"):
            assert ids(owner.having(by_token(stranger)).get(FLAVORS + query)) == public


@pytest.mark.parametrize("name", ["public", "promoted"])
@pytest.mark.parametrize("value", ["maybe", "2", "on", "truefalse", "%20true", "null"])
def test_any_other_value_is_400(owner: Api, name: str, value: str) -> None:
    for path in (FLAVORS, f"{FLAVORS}/"):
        assert owner.get(f"{path}?{name}={value}").result == refusal(400, f"{name}: must be true or false")


@pytest.mark.parametrize(
    "query", ["?public=true", "?promoted=true", "?public=yes&promoted=no", "?promoted=1&node=Mordor"]
)
def test_public_and_promoted_flavors_are_listed_without_openstack(owner: Api, clouds: Lab, query: str) -> None:
    with clouds.counting() as served:
        assert owner.get(FLAVORS + query).status == 200
    assert {cloud: dict(requests) for cloud, requests in served.items() if requests} == {"idm": {"GET /user": 1}}


def test_the_count_sees_openstack(owner: Api, clouds: Lab) -> None:
    with clouds.counting() as served:
        assert owner.get(FLAVORS).status == 200
    assert served["Mordor"]["GET /v2.1/flavors/detail"] == 1
    assert not served["Spain2"]


# What is shown


@pytest.mark.parametrize("base", ["/v1/flavors", "/v1/flavors/", "/api/v1/flavors"])
def test_anybody_reads_public_flavors(owner: Api, api: Api, base: str) -> None:
    prom = wire_flavor(id="prom", name="prom", vcpus=1, ram=2, disk=10, promoted=True, public=True, nodes=[])
    pub = {**prom, "id": "pub", "name": "pub", "promoted": False, "nodes": ["Mordor"]}
    for reader in (api, api.having(by_token("basic")), api.having(by_token("manager"))):
        assert reader.get(base).result == (200, {"flavors": [prom, pub]})
        assert reader.get(f"{base.rstrip('/')}/pub").result == (200, {"flavor": pub})
        assert reader.get(f"{base.rstrip('/')}/1").result == missing("1")


def test_a_wrong_credential_is_401_although_none_is_needed(owner: Api, api: Api) -> None:
    for path in (FLAVORS, f"{FLAVORS}/pub", f"{FLAVORS}/1"):
        assert api.having({"X-Auth-Token": "wrong"}).get(path).result == refusal(401, "The token is not valid.")
        answer = api.having({"user": "ada", "password": "wrong"}).get(path)
        assert answer.result == refusal(401, "The user name or the password is wrong.")


def test_the_list_is_by_name_then_id(owner: Api) -> None:
    shown = [(flavor["name"], flavor["id"]) for flavor in owner.get(FLAVORS).body["flavors"]]
    assert shown == sorted(shown)
    assert len(shown) == len(ALL)


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_pages_hold_the_whole_list(owner: Api, limit: int) -> None:
    assert pages(owner, limit) == owner.get(FLAVORS).body["flavors"]


def test_pages_hold_the_whole_list_where_flavors_of_one_id_differ(operator: Api) -> None:
    assert pages(operator, 1) == operator.get(FLAVORS).body["flavors"]


def pages(api: Api, limit: int) -> list[Any]:
    """Return what following the link to the next page leads to, up to 50 pages."""
    path, paged = f"{FLAVORS}?limit={limit}", []
    for _ in range(50):
        answer = api.get(path)
        assert answer.status == 200, answer.message
        assert len(answer.body["flavors"]) <= limit
        paged += answer.body["flavors"]
        if "Link" not in answer.headers:
            break
        path = answer.headers["Link"].partition(">")[0].removeprefix("<http://testserver")
    return paged


def test_private_flavors_alike_are_one_and_different_ones_several(operator: Api) -> None:
    shown = operator.get(FLAVORS).body["flavors"]
    assert [flavor for flavor in shown if flavor["id"] == "1"] == [tiny("Lannion2", "Mordor", "Spain2")]
    by_node = sorted((flavor for flavor in shown if flavor["id"] == "2"), key=lambda flavor: str(flavor["nodes"]))
    assert by_node == [small(node) for node in ("Lannion2", "Mordor", "Spain2")]
    assert operator.get(f"{FLAVORS}/1").result == (200, {"flavor": tiny("Lannion2", "Mordor", "Spain2")})


@pytest.mark.parametrize("node", CLOUDS)
def test_node_tells_private_flavors_of_one_id_apart(operator: Api, node: str) -> None:
    assert operator.get(f"{FLAVORS}/2?node={node}").result == (200, {"flavor": small(node)})
    assert operator.get(f"{FLAVORS}/1?node={node}").result == (200, {"flavor": tiny(node)})
    listed = operator.get(f"{FLAVORS}?node={node}")
    assert ids(listed) == SEEDED[node]
    assert small(node) in listed.body["flavors"]
    assert operator.get(f"{FLAVORS}/2?node=Nowhere").result == missing("2")


def test_flavors_that_differ_in_extra_specs_alone_are_several(operator: Api, clouds: Lab) -> None:
    for node, specs in (
        ("Spain2", {"quota:vif": "1"}),
        ("Mordor", {"quota:vif": "2"}),
        ("Lannion2", {"quota:vif": "2"}),
    ):
        clouds.create_flavor(node, "alike", flavor_id="alike", extra_specs=specs)
    nodes = [flavor["nodes"] for flavor in operator.get(FLAVORS).body["flavors"] if flavor["id"] == "alike"]
    assert sorted(nodes) == [["Lannion2", "Mordor"], ["Spain2"]]


def test_a_flavor_of_the_catalogue_is_not_listed_as_a_private_one_too(operator: Api) -> None:
    make_installation(make_flavor(flavorid="1", name="m1.tiny", ram=512, disk=1), "Mordor")
    published = {**tiny("Mordor"), "public": True, "promoted": True}
    both = [flavor for flavor in operator.get(FLAVORS).body["flavors"] if flavor["id"] == "1"]
    assert sorted(both, key=lambda flavor: bool(flavor["public"])) == [tiny("Lannion2", "Spain2"), published]
    assert operator.get(f"{FLAVORS}/1").result == (200, {"flavor": published})
    assert operator.get(f"{FLAVORS}/1?node=Mordor").result == (200, {"flavor": published})
    assert operator.get(f"{FLAVORS}/1?node=Spain2").result == (200, {"flavor": tiny("Spain2")})


# Clouds that fail, and clouds that are slow

DOWN = "Mordor: its Nova could not be reached."


@pytest.fixture
def kill(clouds: Lab) -> Iterator[Callable[[str], None]]:
    """Kill a service of the lab, which runs again when the test is over."""
    with ExitStack() as killed:

        def kill(service: str) -> None:
            killed.callback(clouds.start, service)
            clouds.kill(service)

        yield kill


def test_a_dead_node_is_502_where_it_has_to_be_asked(owner: Api, api: Api, kill: Callable[[str], None]) -> None:
    assert owner.get(FLAVORS).status == 200
    kill("nova-Mordor")
    for path in (
        FLAVORS,
        f"{FLAVORS}?public=false",
        f"{FLAVORS}?node=Mordor",
        f"{FLAVORS}/1",
        f"{FLAVORS}/1?node=Mordor",
    ):
        assert owner.get(path).result == refusal(502, DOWN)
    assert ids(owner.get(f"{FLAVORS}?public=true")) == {"prom", "pub"}
    assert ids(owner.get(f"{FLAVORS}?node=Spain2")) == set()
    assert owner.get(f"{FLAVORS}/pub").status == 200
    assert ids(api.get(FLAVORS)) == {"prom", "pub"}


def test_one_dead_node_of_three_is_left_out_and_named(operator: Api, kill: Callable[[str], None]) -> None:
    alive = ids(operator.get(f"{FLAVORS}?node=Spain2")) | ids(operator.get(f"{FLAVORS}?node=Lannion2"))
    kill("nova-Mordor")
    answer = operator.get(FLAVORS)
    assert (ids(answer), answer.headers["X-Flavor-Sync-Unreachable"]) == (alive, "Mordor")
    assert operator.get(f"{FLAVORS}?node=Mordor").result == refusal(502, DOWN)
    assert operator.get(f"{FLAVORS}/1").result == refusal(502, DOWN)


def test_a_dead_keystone_is_502(owner: Api, kill: Callable[[str], None]) -> None:
    kill("mordor-keystone")
    assert owner.get(FLAVORS).result == refusal(502, "Mordor: its Keystone could not be reached.")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"password": "wrong"}, "its Keystone refuses the credentials stored for it."),
    ({"tenant": "nobody's"}, "its Keystone refuses the credentials stored for it."),
    ({"username": "mordor-nobody"}, "its Keystone refuses the credentials stored for it."),
    ({"nova_url": "http://nobody.invalid:8774"}, "its Nova could not be reached."),
    ({"keystone_url": "http://nobody.invalid:5000"}, "its Keystone could not be reached."),
]


@pytest.mark.parametrize(("overrides", "trouble"), WRONG)
def test_a_registration_that_is_wrong_is_502(api: Api, clouds: Lab, overrides: dict[str, Any], trouble: str) -> None:
    make_node(clouds, "Mordor", **overrides)
    owner = api.having(by_token("owner-mordor"))
    for path in (FLAVORS, f"{FLAVORS}/1"):
        assert owner.get(path).result == refusal(502, f"Mordor: {trouble}")


def test_a_node_without_credentials_is_left_out(api: Api, clouds: Lab) -> None:
    node = make_node(clouds, "Mordor")
    node.set_password("")
    node.save()
    owner = api.having(by_token("owner-mordor"))
    assert owner.get(FLAVORS).result == (200, {"flavors": []})
    assert owner.get(f"{FLAVORS}/1").result == missing("1")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def slow(exchange: faults.Exchange) -> None:
    """Answer as Nova does, after `SECONDS`."""
    reply = exchange.forward()
    exchange.stopped.wait(SECONDS)
    exchange.reply(*reply)


@pytest.fixture
def proxies(api: Api, clouds: Lab) -> Iterator[dict[str, NovaProxy]]:
    """The three clouds' Novas, which we reach only through proxies; a local account `ada` operates them."""
    by_account("ada", REGISTER)
    with ExitStack() as open_proxies:
        proxies = {node: open_proxies.enter_context(NovaProxy(free_port(), clouds.nova_url(node))) for node in CLOUDS}
        for node, proxy in proxies.items():
            make_node(clouds, node, "ada", nova_url=f"http://127.0.0.1:{proxy.port}")
        yield proxies


@pytest.mark.parametrize("slowed", [["Mordor"], list(CLOUDS)], ids=["one is slow", "all are slow"])
@pytest.mark.parametrize("path", [FLAVORS, f"{FLAVORS}/1"])
def test_three_clouds_take_as_long_as_the_slowest(
    api: Api, proxies: dict[str, NovaProxy], slowed: list[str], path: str
) -> None:
    operator = api.having(ADA)
    expected = operator.get(path)
    assert expected.status == 200
    for node in slowed:
        proxies[node].plan("GET", "/flavors/(detail|1)$", slow)
    began = time.monotonic()
    assert operator.get(path).result == expected.result
    assert SECONDS <= time.monotonic() - began < 2 * SECONDS  # one after another would take as long


def test_installing_in_and_deleting_from_three_clouds_take_as_long_as_the_slowest(
    api: Api, proxies: dict[str, NovaProxy]
) -> None:
    operator = api.having(ADA)
    assert operator.get(FLAVORS).status == 200
    make_flavor(flavorid="slow", name="slow")
    for proxy in proxies.values():
        proxy.plan("POST", "/flavors$", slow)
        proxy.plan("DELETE", "/flavors/slow$", slow)
    acts: dict[int, Callable[[], Answer]] = {
        200: lambda: operator.put(f"{FLAVORS}/slow", nodes=list(CLOUDS)),
        204: lambda: operator.delete(f"{FLAVORS}/slow"),
    }
    for status, act in acts.items():
        began = time.monotonic()
        assert act().status == status
        assert SECONDS <= time.monotonic() - began < 2 * SECONDS  # one after another would take as long
