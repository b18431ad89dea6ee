"""What a Nova may say of a flavor, its servers and its access list: what the real ones do, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructures.openstack.errors import CloudUnavailable
from infrastructures.openstack.records import NovaFlavor
from testing.cloud import Cloud, access_document, flavor_document

NO_NUMBERS: list[Any] = [None, True, "5", "", 1.5, 5.0, [5], {"a": 5}, -1, 2**31, 10**400, float("nan"), float("inf")]
NO_TEXTS: list[Any] = [
    None,
    True,
    5,
    ["a"],
    {"a": "b"},
    {},
    [],
    "x\x00",
    "x\x1b[2J",
    "x\x7f",
    "x\x85",
    "\ud800",
    "x\udfffy",
    "\ufffe",
]
NO_LINES: list[Any] = [*NO_TEXTS, "a\nb", "a\rb", "a\tb", "a\u2028b", ""]
RXTX, IS_PUBLIC, EPHEMERAL = "rxtx_factor", "os-flavor-access:is_public", "OS-FLV-EXT-DATA:ephemeral"
# What Nova tells of no number: "" before microversion 2.75 and where policy hides it, and nothing at all.
HIDDEN: list[Any] = [None, ""]
ODD_BUT_LEGAL = " m1 with <odd> & \"legal\" 'characters' \\ é 名 😀 \u200d\ue000\u0378 "
NO_FACTORS: list[Any] = [True, "1.0", 0, -1.0, 1e39, 10**400, float("nan"), float("inf"), [1.0], {}]
NO_TRUTHS: list[Any] = [None, 0, 1, "true", "", [], {}]

ODD: dict[str, list[Any]] = {
    **dict.fromkeys(("vcpus", "ram", "disk"), NO_NUMBERS),
    **{key: [value for value in NO_NUMBERS if value not in HIDDEN] for key in ("swap", EPHEMERAL)},
    RXTX: NO_FACTORS,
    IS_PUBLIC: NO_TRUTHS,
    **{key: [*NO_LINES, "x" * 256] for key in ("id", "name")},
    "description": [*(value for value in NO_TEXTS if value is not None), "x" * 65536],
    "extra_specs": [
        *([], [1], "a", 5, True),
        *({"a": value} for value in NO_TEXTS),
        *({key: "1"} for key in [*NO_LINES, "a\n\n", "\n"] if isinstance(key, str)),
        {"x" * 256: "1"},
        {"a": "x" * 256},
    ],
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
OF_NOVA: list[tuple[str, Any, str, Any]] = [
    *((member, 0, member, 0) for member in ("vcpus", "ram", "disk", "swap")),
    *((member, 2**31 - 1, member, 2**31 - 1) for member in ("vcpus", "ram", "disk", "swap")),
    *(("swap", value, "swap", 0) for value in HIDDEN),
    *((EPHEMERAL, value, "ephemeral", 0) for value in HIDDEN),
    *((RXTX, value, RXTX, 1.0) for value in HIDDEN),
    *((RXTX, value, RXTX, float(value)) for value in (1, 0.5, 3.4e38)),
    ("id", "a b.c_d-", "id", "a b.c_d-"),
    ("id", "from before there were rules/é", "id", "from before there were rules/é"),
    ("id", "x" * 255, "id", "x" * 255),
    ("id", "with its end\n", "id", "with its end\n"),
    ("name", ODD_BUT_LEGAL, "name", ODD_BUT_LEGAL),
    ("description", None, "description", ""),
    ("description", "", "description", ""),
    ("description", "two\r\n\tlines 😀" + "x" * 65000, "description", "two\r\n\tlines 😀" + "x" * 65000),
    ("extra_specs", None, "extra_specs", None),
    ("extra_specs", {"trait:HW_CPU_X86_AVX": "required"}, "extra_specs", {"trait:HW_CPU_X86_AVX": "required"}),
    ("extra_specs", {"a": ""}, "extra_specs", {"a": ""}),
    ("extra_specs", {"a\n": "two\r\n\tlines\u2028"}, "extra_specs", {"a\n": "two\r\n\tlines\u2028"}),
    ("extra_specs", {"of an old Nova/x": "x" * 255}, "extra_specs", {"of an old Nova/x": "x" * 255}),
]  # fmt: skip
NOT_OPENSTACK = "Spain2: its Nova did not answer as OpenStack does."


@pytest.mark.parametrize("member", ODD)
def test_a_flavor_of_another_shape_is_none(member: str) -> None:
    for value in ODD[member]:
        with pytest.raises(ValueError, match="is n") as caught:
            NovaFlavor.from_nova(flavor_document(**{member: value}))
        # The error is logged: it repeats nothing of what came.
        assert not isinstance(value, str) or len(value) < 5 or value not in str(caught.value)


@given(member=st.sampled_from(list(ODD)), value=ANYTHING)
def test_whatever_a_nova_says_is_a_flavor_that_can_be_stored_or_an_error(member: str, value: Any) -> None:
    try:
        flavor = NovaFlavor.from_nova(flavor_document(**{member: value}))
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 — a flavor is as good
    else:
        assert json.loads(json.dumps(flavor.as_json(), allow_nan=False)) == flavor.as_json()


@pytest.mark.parametrize("member", ["id", "name", "vcpus", "ram", "disk"])
def test_a_flavor_without_what_every_flavor_has_is_none(member: str) -> None:
    document = flavor_document()
    del document[member]
    with pytest.raises(KeyError):
        NovaFlavor.from_nova(document)


@pytest.mark.parametrize("document", [None, [], "flavor", 5, [["id", "42"]]])
def test_what_is_no_object_is_no_flavor(document: Any) -> None:
    with pytest.raises(ValueError, match="a flavor is no object"):
        NovaFlavor.from_nova(document)


@pytest.mark.parametrize(("member", "value", "of_ours", "expected"), OF_NOVA)
def test_what_a_nova_gives_is_taken(member: str, value: Any, of_ours: str, expected: Any) -> None:
    flavor = NovaFlavor.from_nova(flavor_document(**{member: value}))
    assert getattr(flavor, of_ours) == expected
    assert json.loads(json.dumps(flavor.as_json(), allow_nan=False)) == flavor.as_json()


@pytest.mark.parametrize(
    "odd",
    [{RXTX: float("nan")}, {"description": {}}, {"name": "\ud800"}, {"ram": -1}, {"extra_specs": {"a": 1}}],
    ids=str,
)
def test_one_odd_flavor_is_that_clouds_502(cloud: Cloud, odd: dict[str, Any]) -> None:
    described = [flavor_document(), flavor_document(**odd)]
    cloud.nova("GET", "/flavors/detail", {"content": json.dumps({"flavors": described}).encode()})
    cloud.nova("GET", "/flavors/42", {"content": json.dumps({"flavor": described[1]}).encode()})
    nova = cloud.open()
    for call in (nova.list_flavors, lambda: nova.get_flavor("42")):
        with pytest.raises(CloudUnavailable) as caught:
            call()
        assert str(caught.value.detail) == NOT_OPENSTACK


@pytest.mark.parametrize("specs", [None, [], {"a": 1}, {"a": "\ud800"}, {"": "1"}, {"a": {"b": "c"}}])
def test_extra_specs_that_are_asked_for_are_looked_at_alike(cloud: Cloud, specs: Any) -> None:
    shown = flavor_document(**{IS_PUBLIC: True})
    del shown["extra_specs"]
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": shown}})
    cloud.nova("GET", "/flavors/42/os-extra_specs", {"content": json.dumps({"extra_specs": specs}).encode()})
    with pytest.raises(CloudUnavailable) as caught:
        cloud.open().get_whole_flavor("42")
    assert str(caught.value.detail) == NOT_OPENSTACK


@pytest.mark.parametrize("project", [None, 5, "", {}, "\ud800", "x" * 256, "a\nb"])
def test_an_access_list_of_another_shape_is_none(cloud: Cloud, project: Any) -> None:
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": flavor_document()}})
    access = access_document("p1", project)
    cloud.nova("GET", "/flavors/42/os-flavor-access", {"content": json.dumps(access).encode()})
    with pytest.raises(CloudUnavailable) as caught:
        cloud.open().get_whole_flavor("42")
    assert str(caught.value.detail) == NOT_OPENSTACK


@pytest.mark.parametrize(
    "server", [None, 5, {}, {"id": None}, {"id": 5}, {"id": ""}, {"id": "\ud800"}, {"id": "x" * 256}]
)
def test_servers_of_another_shape_are_none(cloud: Cloud, server: Any) -> None:
    page = {"servers": [server], "servers_links": [{"rel": "next", "href": "http://10.0.0.1/servers?marker=1"}]}
    cloud.nova("GET", "/servers", {"content": json.dumps(page).encode()})
    with pytest.raises(CloudUnavailable) as caught:
        cloud.open().count_servers("42")
    assert str(caught.value.detail) == NOT_OPENSTACK


@pytest.mark.parametrize(
    "href", [None, 5, {}, "\ud800", "http://10.0.0.1/?marker=" + "x" * 5000, "http://a/?" + "a=b&" * 30]
)
def test_a_link_to_the_next_page_is_looked_at_too(cloud: Cloud, href: Any) -> None:
    page = {"flavors": [flavor_document()], "flavors_links": [{"rel": "next", "href": href}]}
    cloud.nova("GET", "/flavors/detail", {"content": json.dumps(page).encode()})
    with pytest.raises(CloudUnavailable) as caught:
        cloud.open().list_flavors()
    assert str(caught.value.detail) == NOT_OPENSTACK
    assert len(cloud.calls) == 1
