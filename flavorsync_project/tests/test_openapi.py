"""The description of the API: every operation of it, in both formats."""

import json
from typing import Any

import pytest
import yaml
from rest_framework.test import APIClient

from flavorsync_project.api import views

OPERATIONS = {
    ("/v1", "get"),
    ("/v1/flavors", "get"),
    ("/v1/flavors", "post"),
    ("/v1/flavors/{id}", "get"),
    ("/v1/flavors/{id}", "put"),
    ("/v1/flavors/{id}", "delete"),
    ("/v1/infrastructures", "post"),
    ("/v1/infrastructures/{name}", "delete"),
    ("/v1/promotedflavors", "get"),
    ("/v1/promotedflavors", "post"),
    ("/v1/promotedflavors/{id}", "get"),
    ("/v1/promotedflavors/{id}", "put"),
    ("/v1/promotedflavors/{id}", "delete"),
    ("/v1/regions", "get"),
    ("/v1/regions/{region}/flavors", "get"),
    ("/v1/regions/{region}/flavors", "post"),
    ("/v1/regions/{region}/flavors/{id}", "get"),
    ("/v1/regions/{region}/flavors/{id}", "put"),
    ("/v1/regions/{region}/flavors/{id}", "delete"),
    ("/v1/sync/status", "get"),
    ("/v1/sync/runs", "get"),
    ("/v1/sync/runs", "post"),
    ("/v1/sync/runs/{id}", "get"),
    ("/v1/sync/runs/{id}", "delete"),
}


@pytest.fixture(scope="session")
def document() -> Any:
    answer = APIClient().get("/v1/schema")
    assert answer.status_code == 200
    return yaml.safe_load(answer.content)


def test_every_operation_is_described_once(document: Any) -> None:
    described = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert described == OPERATIONS


def test_every_operation_has_both_formats_and_its_credentials(document: Any) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            assert {"200", "201", "202", "204"} & set(operation["responses"]), operation["operationId"]
            assert {"400", "401", "503"} <= set(operation["responses"]), operation["operationId"]
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                formats = set(body.get("content", ())) - {"text/plain"}
                assert not formats or {"application/json", "application/xml"} <= formats, operation["operationId"]
            assert {"idmToken": []} in operation["security"]


def test_what_is_tried_as_it_stands_does_as_little_as_possible(document: Any) -> None:
    """Without examples the page of the API would fill in true, wherever it may be: publish, retire, replace."""
    components = document["components"]["schemas"]
    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if body := operation.get("requestBody", {}).get("content"):
                wrapper = components[body["application/json"]["schema"]["$ref"].rpartition("/")[2]]
                (content,) = wrapper["properties"].values()
                component = components[content["$ref"].rpartition("/")[2]]
                found[method, path] = component["example"]
                assert body["application/xml"]["schema"]["example"] == component["example"]
                assert (
                    set(component.get("required", ())) <= component["example"].keys() <= component["properties"].keys()
                )
    told = {key: name for key, example in found.items() for name in example if example[name] is True}
    # The last compares alone, and what is promoted stays so
    assert told == {("put", "/v1/promotedflavors/{id}"): "promoted", ("post", "/v1/sync/runs"): "dry_run"}
    assert len(found) == 8


def test_the_page_of_the_api_says_which_credential_to_send() -> None:
    text = APIClient().get("/v1/docs").content.decode()
    for told in ("X-Auth-Token", "HTTP Basic", "X-Auth-Token-KeyStone", "What you try here is done"):
        assert told in text


def test_the_keystone_token_is_a_parameter_of_a_regions_flavors(document: Any) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            assert ("X-Auth-Token-KeyStone" in names) == path.startswith("/v1/regions/")


@pytest.mark.parametrize(
    ("path", "root", "item"),
    [
        ("/v1/flavors", "flavors", "flavor"),
        ("/v1/regions", "infrastructures", "infrastructure"),
        ("/v1/sync/runs", "runs", "run"),
    ],
)
def test_an_xml_list_is_described_by_its_elements(document: Any, path: str, root: str, item: str) -> None:
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/xml"]["schema"]
    assert schema["type"] == "array"
    assert schema["xml"] == {"name": root, "wrapped": True}
    assert schema["items"]["xml"] == {"name": item}


@pytest.mark.parametrize(
    ("component", "list_name", "item"),
    [
        ("SyncRunInFull", "nodes", "node"),
        ("SyncRunInFull", "flavors", "flavor"),
        ("SyncNode", "outcomes", "outcome"),
        ("Outcome", "differences", "difference"),
    ],
)
def test_a_list_inside_is_described_by_its_elements(document: Any, component: str, list_name: str, item: str) -> None:
    schema = document["components"]["schemas"][component]["properties"][list_name]
    assert (schema["type"], schema["items"]["xml"]) == ("array", {"name": item})


def test_a_run_that_is_started_tells_where_to_look(document: Any) -> None:
    assert "Location" in document["paths"]["/v1/sync/runs"]["post"]["responses"]["202"]["headers"]


@pytest.mark.parametrize("component", ["Flavor", "Region", "SyncRun"])
def test_an_id_is_an_attribute_in_xml(document: Any, component: str) -> None:
    assert document["components"]["schemas"][component]["properties"]["id"]["xml"] == {"attribute": True}


@pytest.mark.parametrize("path", ["/v1/flavors", "/v1/promotedflavors"])
def test_a_list_that_the_client_has_already_is_described(document: Any, path: str) -> None:
    described = document["paths"][path]["get"]["responses"]["304"]
    assert described == {"description": "The client has it already: `If-None-Match` holds its `ETag`."}


JSON = "application/vnd.oai.openapi+json"


def test_it_is_had_as_json_too(document: Any) -> None:
    answer = APIClient().get("/v1/schema", headers={"Accept": JSON})
    assert answer["Content-Type"] == f"{JSON}; charset=utf-8"
    assert json.loads(answer.content) == document


def test_it_is_made_once(document: Any) -> None:
    made = views._description.cache_info().misses
    (content,) = {APIClient().get(path).content for path in ("/v1/schema", "/api/v1/schema", "/v1/schema/")}
    assert yaml.safe_load(content) == document
    assert views._description.cache_info().misses == made


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = APIClient().get("/v1/docs", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert b"https://" not in page.content
    assert b"//cdn" not in page.content


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/schema", "/v1/docs", "/v1"])
def test_a_wrong_credential_is_refused_here_too(path: str) -> None:
    answer = APIClient().get(path, headers={"user": "nobody", "password": "wrong"})
    assert answer.status_code == 401
    assert answer.json()["error"]["message"]
