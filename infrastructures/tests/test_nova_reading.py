"""The flavors of a Nova: listed, shown, and whole."""

from typing import Any

import pytest
import requests

from infrastructures.openstack.errors import CloudUnavailable, FlavorNotFound, Forbidden
from infrastructures.openstack.records import NovaFlavor
from testing.cloud import Cloud, access_document, assert_fit_for_strangers, flavor_document
from testing.infrastructures import make_nova_flavor

LIST = "/flavors/detail?is_public=None"
BROKEN: dict[str, Any] = {"exc": requests.exceptions.ConnectionError}


def page(*flavors: dict[str, Any], following: str = "") -> dict[str, Any]:
    links = [{"rel": "next", "href": f"http://10.0.0.1:8774/v2.1/flavors/detail?{following}"}] if following else []
    return {"json": {"flavors": list(flavors), "flavors_links": links}}


def test_the_whole_list_is_asked_for_once_and_sorted_by_name_then_id(cloud: Cloud) -> None:
    described = [("b", "1"), ("a", "2"), ("B", "3"), ("a", "10")]
    cloud.nova("GET", LIST, page(*(flavor_document(name=name, id=id) for name, id in described)))
    flavors = cloud.open().list_flavors()
    assert [(flavor.name, flavor.id) for flavor in flavors] == [("B", "3"), ("a", "10"), ("a", "2"), ("b", "1")]
    assert cloud.calls == [f"GET {LIST}"]


def test_pages_are_followed_by_their_query_alone(cloud: Cloud) -> None:
    cloud.nova("GET", LIST, page(flavor_document(id="2"), following="is_public=True&limit=1&marker=a+b%2Fc"))
    second = "/flavors/detail?is_public=None&limit=1&marker=a+b%2Fc"
    cloud.nova("GET", second, page(flavor_document(id="1"), following="marker=1"))
    cloud.nova("GET", "/flavors/detail?marker=1&is_public=None", page())
    flavors = cloud.open().list_flavors()
    assert [flavor.id for flavor in flavors] == ["1", "2"]
    assert [call.partition("?")[0] for call in cloud.calls] == ["GET /flavors/detail"] * 3


def test_an_empty_page_ends_the_list_even_with_a_link(cloud: Cloud) -> None:
    cloud.nova("GET", LIST, page(following="marker=1"))
    assert cloud.open().list_flavors() == []
    assert len(cloud.calls) == 1


def test_endless_pages_end(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/detail", page(flavor_document(), following="marker=42"))
    with pytest.raises(CloudUnavailable, match="never ends"):
        cloud.open().list_flavors()
    assert len(cloud.calls) == 100


@pytest.mark.parametrize("status", [400, 404])
def test_a_list_that_is_not_there_is_the_clouds_failure(cloud: Cloud, status: int) -> None:
    """Nobody asked for one flavor, and the marker of a page that is no more was not the caller's."""
    cloud.nova("GET", LIST, page(flavor_document(), following="marker=42"))
    cloud.nova("GET", "/flavors/detail?marker=42&is_public=None", {"status_code": status, "json": {}})
    with pytest.raises(CloudUnavailable) as caught:
        cloud.open().list_flavors()
    assert_fit_for_strangers(caught.value)


def test_one_flavor_costs_one_call(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": flavor_document()}})
    assert cloud.open().get_flavor("42") == make_nova_flavor(projects=None)
    assert cloud.calls == ["GET /flavors/42"]


def test_a_whole_flavor_has_its_access_list(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": flavor_document()}})
    cloud.nova("GET", "/flavors/42/os-flavor-access", {"json": access_document("p2", "p1")})
    assert cloud.open().get_whole_flavor("42") == make_nova_flavor()
    assert cloud.calls == ["GET /flavors/42", "GET /flavors/42/os-flavor-access"]


def test_a_whole_public_flavor_has_no_access_list(cloud: Cloud) -> None:
    public = flavor_document(**{"os-flavor-access:is_public": True})
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": public}})
    assert cloud.open().get_whole_flavor("42") == make_nova_flavor(is_public=True, projects=())
    assert cloud.calls == ["GET /flavors/42"]


def test_extra_specs_that_are_not_told_in_passing_are_asked_for(cloud: Cloud) -> None:
    public = flavor_document(**{"os-flavor-access:is_public": True})
    del public["extra_specs"]
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": public}})
    cloud.nova("GET", "/flavors/42/os-extra_specs", {"json": {"extra_specs": {"a": "1", "b": "2"}}})
    nova = cloud.open()
    assert nova.get_flavor("42").extra_specs is None
    assert nova.get_whole_flavor("42").extra_specs == {"a": "1", "b": "2"}


@pytest.mark.parametrize("path", ["os-extra_specs", "os-flavor-access"])
def test_a_flavor_that_is_not_shown_whole_is_not_taken_for_whole(cloud: Cloud, path: str) -> None:
    hidden = flavor_document()
    del hidden["extra_specs"]
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": hidden}})
    cloud.nova("GET", "/flavors/42/os-extra_specs", {"json": {"extra_specs": {}}})
    cloud.nova("GET", "/flavors/42/os-flavor-access", {"json": access_document()})
    forbidden = {"forbidden": {"code": 403, "message": "Policy does not allow it to be performed."}}
    cloud.nova("GET", f"/flavors/42/{path}", {"status_code": 403, "json": forbidden})
    with pytest.raises(Forbidden):
        cloud.open().find_flavor("42")


def test_finding_nothing_is_no_error(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", {"status_code": 404, "json": {"itemNotFound": {"message": "no flavor"}}})
    assert cloud.open().find_flavor("42") is None


# Ids in paths


@pytest.mark.parametrize(
    "id", [".", "..", "detail", "", "a?b", "a/b", "a\nb", "42\n", "a#b", "a%2Fb", "a;b", "é", "x" * 256]
)
def test_an_id_that_cannot_be_a_flavors_never_reaches_the_cloud(cloud: Cloud, id: str) -> None:
    nova = cloud.open()
    for call in (nova.get_flavor, nova.get_whole_flavor, nova.delete_flavor):
        with pytest.raises(FlavorNotFound):
            call(id)
    assert nova.find_flavor(id) is None
    assert cloud.calls == []


def test_an_id_with_spaces_is_quoted(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/a%20b.c_d-", {"json": {"flavor": flavor_document(id="a b.c_d-")}})
    assert cloud.open().get_flavor("a b.c_d-").id == "a b.c_d-"
    assert cloud.calls == ["GET /flavors/a%20b.c_d-"]


# Trying again


def test_reading_is_tried_once_more_when_the_connection_breaks(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", BROKEN, {"json": {"flavor": flavor_document()}})
    nova = cloud.open()
    assert nova.get_flavor("42").id == "42"
    assert cloud.calls == ["GET /flavors/42"] * 2


def test_reading_is_not_tried_a_third_time(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/42", BROKEN, BROKEN, {"json": {"flavor": flavor_document()}})
    nova = cloud.open()
    with pytest.raises(CloudUnavailable, match="could not be reached"):
        nova.get_flavor("42")
    assert cloud.calls == ["GET /flavors/42"] * 2


@pytest.mark.parametrize(
    "answer",
    [{"exc": requests.exceptions.ReadTimeout}, {"exc": requests.exceptions.ConnectTimeout}, {"status_code": 503}],
)
def test_reading_is_not_tried_again_when_there_was_an_answer_or_no_time(cloud: Cloud, answer: dict[str, Any]) -> None:
    cloud.nova("GET", "/flavors/42", answer, {"json": {"flavor": flavor_document()}})
    nova = cloud.open()
    with pytest.raises(CloudUnavailable):
        nova.get_flavor("42")
    assert cloud.calls == ["GET /flavors/42"]


# Normalising


OF_2_1 = {
    "id": "42",
    "name": "m1.custom",
    "ram": 4096,
    "disk": 20,
    "vcpus": 2,
    "swap": "",
    "OS-FLV-EXT-DATA:ephemeral": 0,
    "OS-FLV-DISABLED:disabled": False,
    "os-flavor-access:is_public": True,
    "rxtx_factor": 1.0,
    "links": [],
}
BARE = NovaFlavor(id="42", name="m1.custom", vcpus=2, ram=4096, disk=20)


@pytest.mark.parametrize(
    ("answer", "flavor"),
    [
        (OF_2_1, BARE),
        (OF_2_1 | {"swap": 512}, NovaFlavor(**BARE.as_json() | {"swap": 512})),
        (OF_2_1 | {"description": None}, BARE),
        (OF_2_1 | {"description": "d"}, NovaFlavor(**BARE.as_json() | {"description": "d"})),
        (OF_2_1 | {"extra_specs": {}}, NovaFlavor(**BARE.as_json() | {"extra_specs": {}})),
        (OF_2_1 | {"swap": 0}, BARE),
        (OF_2_1 | {"rxtx_factor": ""}, BARE),
        ({key: OF_2_1[key] for key in ("id", "name", "ram", "disk", "vcpus")}, BARE),
        (flavor_document(), make_nova_flavor(projects=None)),
    ],
)
def test_microversions_describe_the_same_flavor(answer: dict[str, Any], flavor: NovaFlavor) -> None:
    assert NovaFlavor.from_nova(answer) == flavor


@pytest.mark.parametrize("projects", [None, (), ("p1", "p2")])
@pytest.mark.parametrize("extra_specs", [None, {}, {"a": "1"}])
def test_json_keeps_a_flavor_whole(extra_specs: dict[str, str] | None, projects: tuple[str, ...] | None) -> None:
    flavor = make_nova_flavor(extra_specs=extra_specs, projects=projects)
    assert NovaFlavor.from_json(flavor.as_json()) == flavor
