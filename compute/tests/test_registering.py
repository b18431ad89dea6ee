"""`register_compute_endpoint`: the federation's face in the catalogue of the central Keystone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from testing.infrastructures import make_infrastructure

KEYSTONE = "https://keystone.example.org/v3"
URL = "https://flavors.example.org/compute"
TOKEN = "gAAAAA-an-administrators-token"

pytestmark = pytest.mark.django_db


class Catalogue:
    """Regions, services and endpoints of a Keystone, by kind and id."""

    def __init__(self, http: requests_mock.Mocker) -> None:
        self.things: dict[str, dict[str, dict[str, Any]]] = {"regions": {}, "services": {}, "endpoints": {}}
        self.writes: list[str] = []
        http.register_uri(requests_mock.ANY, requests_mock.ANY, text=self._answer)

    def _answer(self, request: Any, context: Any) -> str:
        assert request.headers["X-Auth-Token"] == TOKEN
        _, kind, *ids = request.path.strip("/").split("/")
        things, one = self.things[kind], kind[:-1]
        if request.method != "GET":
            self.writes.append(f"{request.method} {kind}")
        match request.method:
            case "GET":
                wanted = {name: values[0] for name, values in request.qs.items()}
                found = [each for each in things.values() if _has(each, wanted)]
                return json.dumps({kind: found})
            case "POST":
                members = request.json()[one]
                id = members.get("id", f"{one}-{len(things)}")
                things[id] = {**members, "id": id}
                context.status_code = 201
                return json.dumps({one: things[id]})
            case "PATCH":
                things[ids[0]] |= request.json()[one]
                return json.dumps({one: things[ids[0]]})
            case _:
                del things[ids[0]]
                context.status_code = 204
                return ""


def _has(thing: dict[str, Any], wanted: dict[str, str]) -> bool:
    return all(thing.get(name) == value for name, value in wanted.items())


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    """A Keystone with nothing but a compute service, and its endpoint in Spain2."""
    settings.KEYSTONE_URL, settings.COMPUTE_PUBLIC_URL = KEYSTONE, URL
    with requests_mock.Mocker(case_sensitive=True) as http:
        catalogue = Catalogue(http)
        catalogue.things["regions"]["Spain2"] = {"id": "Spain2"}
        catalogue.things["services"]["nova"] = {"id": "nova", "type": "compute"}
        catalogue.things["services"]["keystone"] = {"id": "keystone", "type": "identity"}
        catalogue.things["endpoints"]["e"] = {"id": "e", "service_id": "nova", "region_id": "Spain2"}
        yield catalogue


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command, and return what it prints."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")

    def run(*arguments: str) -> list[str]:
        call_command("register_compute_endpoint", "--token-file", str(file), *arguments)
        return capsys.readouterr().out.splitlines()

    return run


def ours(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [each for each in catalogue.things["endpoints"].values() if each["region_id"] == "Federation"]


def test_it_is_put_there_once(catalogue: Catalogue, run: Any) -> None:
    assert run() == [
        "region Federation: made",
        f"compute endpoint {URL}/v2.1 in Federation: made",
        f"identity endpoint {KEYSTONE} in Federation: made",
        "3 changes.",
    ]
    compute, identity = ours(catalogue)
    assert compute.items() >= {"service_id": "nova", "interface": "public", "url": f"{URL}/v2.1"}.items()
    assert identity.items() >= {"service_id": "keystone", "interface": "public", "url": KEYSTONE}.items()
    assert run() == ["Nothing to do."]


def test_without_a_compute_service_there_is_one_afterwards(catalogue: Catalogue, run: Any) -> None:
    del catalogue.things["services"]["nova"]
    assert run()[-1] == "4 changes."
    assert ours(catalogue)[0]["service_id"] == "service-1"


def test_another_url_moves_it(catalogue: Catalogue, run: Any) -> None:
    run()
    assert run("--url", "https://other.example.org/compute/")[-1] == "1 change."
    endpoint, _ = ours(catalogue)
    assert endpoint["url"] == "https://other.example.org/compute/v2.1"


def test_it_is_taken_out_again(catalogue: Catalogue, run: Any) -> None:
    before = json.dumps(catalogue.things)
    run()
    assert run("--remove")[-1] == "3 changes."
    assert json.dumps(catalogue.things) == before
    assert run("--remove") == ["Nothing to do."]


def test_a_region_in_which_there_is_something_else_stays(catalogue: Catalogue, run: Any) -> None:
    run()
    catalogue.things["endpoints"]["other"] = {"id": "other", "service_id": "glance", "region_id": "Federation"}
    assert run("--remove")[-1] == "2 changes."
    assert "Federation" in catalogue.things["regions"]


@pytest.mark.parametrize("arguments", [(), ("--remove",)])
def test_a_dry_run_says_the_same_and_does_nothing(catalogue: Catalogue, run: Any, arguments: tuple[str, ...]) -> None:
    if arguments:
        run()
    catalogue.writes.clear()
    said = run("--dry-run", *arguments)
    assert catalogue.writes == []
    assert said[-1] == "3 changes."
    assert [line.replace("would be ", "") for line in said] == run(*arguments)


def test_no_node_is_hidden(catalogue: Catalogue, run: Any) -> None:
    make_infrastructure("Spain2")
    make_infrastructure("Lannion", region="lannion-region")
    for region in ("Spain2", "lannion-region"):
        with pytest.raises(CommandError, match="whose own Nova is there"):
            run("--region", region)
    assert catalogue.writes == []


def test_what_keystone_refuses_is_said(catalogue: Catalogue, run: Any) -> None:
    with requests_mock.Mocker() as http:
        refusal = {"error": {"code": 403, "message": "You are nobody."}}
        http.get(requests_mock.ANY, status_code=403, json=refusal, headers={"Content-Type": "application/json"})
        with pytest.raises(CommandError, match="The federation: You are nobody"):
            run()


def test_without_a_keystone_or_an_url_there_is_nothing_to_say(
    catalogue: Catalogue, run: Any, settings: Settings
) -> None:
    settings.COMPUTE_PUBLIC_URL = ""
    with pytest.raises(CommandError, match="COMPUTE_PUBLIC_URL"):
        run()
    settings.KEYSTONE_URL = ""
    with pytest.raises(CommandError, match="KEYSTONE_URL"):
        run()
