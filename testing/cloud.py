"""A Keystone and a Nova that give the answers that a test tells them to, in the real ones' documents."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import requests
import requests_mock

from infrastructures.openstack import keystone
from infrastructures.openstack.entering import CallersNova
from infrastructures.openstack.errors import CloudError
from infrastructures.openstack.nova import Nova
from testing.infrastructures import PASSWORD, make_region, make_registered

KEYSTONE = "https://keystone.example.org:5000/v3"
NOVA = "https://nova.example.org:8774/v2.1"
TOKEN = "gAAAAABm-a-token-of-somebody"
FAR_AWAY = "2099-01-01T00:00:00.000000Z"
OF_A_SERVER = "sentinel-of-a-server"
# As Nova's `[api] max_limit`
SERVERS_ON_A_PAGE = 1000
ENDPOINTS = {"Spain2": NOVA}


def token_document(
    *, project: str | None = "p1", expires_at: str = FAR_AWAY, endpoints: Mapping[str, str] = ENDPOINTS
) -> dict[str, Any]:
    """Return what Keystone says about a token, an unscoped one if there is no project."""
    document: dict[str, Any] = {"expires_at": expires_at, "user": {"id": "u1", "name": "somebody"}}
    if project:
        document["project"] = {"id": project, "name": f"project {project}", "domain": {"id": "default"}}
        document["catalog"] = [
            {
                "type": "compute",
                "id": "c1",
                "name": "nova",
                "endpoints": [
                    {
                        "id": f"e-{name}-{interface}",
                        "interface": interface,
                        "region": name,
                        "region_id": name,
                        "url": url,
                    }
                    for name, url in endpoints.items()
                    # We use only the public one.
                    for interface, url in (("internal", "http://10.0.0.1:8774/v2.1"), ("public", url))
                ],
            }
        ]
    return {"token": document}


def issued(token: str = "operators-token", **document: Any) -> dict[str, Any]:
    """Return Keystone's whole answer to a correct password."""
    return {"status_code": 201, "json": token_document(**document), "headers": {"X-Subject-Token": token}}


FAULTS = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    409: "conflictingRequest",
    503: "serviceUnavailable",
}


def fault(status: int, message: str = "as the test said") -> dict[str, Any]:
    """Return the body of a refusal by Nova."""
    return {FAULTS.get(status, "computeFault"): {"code": status, "message": message}}


def flavor_document(**overrides: Any) -> dict[str, Any]:
    """Return a flavor as Nova describes one at microversion 2.96."""
    return {
        "id": "42",
        "name": "m1.custom",
        "ram": 4096,
        "disk": 20,
        "vcpus": 2,
        "swap": 512,
        "OS-FLV-EXT-DATA:ephemeral": 10,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": False,
        "rxtx_factor": 2.0,
        "description": "for tests",
        "extra_specs": {"hw:cpu_policy": "shared", "quota:vif": "1"},
        "links": [{"rel": "self", "href": "http://10.0.0.1:8774/v2.1/flavors/42"}],
        **overrides,
    }


def access_document(*projects: str) -> dict[str, Any]:
    """Return a flavor's access list as Nova does."""
    return {"flavor_access": [{"flavor_id": "42", "tenant_id": project} for project in projects]}


def version_document(version: str | None) -> dict[str, Any]:
    """Return a compute endpoint's version document; None: it knows no microversions."""
    return {
        "version": {
            "id": "v2.1",
            "status": "CURRENT",
            "version": version or "",
            "min_version": "2.1" if version else "",
        }
    }


class _Answering:
    """Answers all of the process's HTTP requests meanwhile, and leaves no session with a cloud behind."""

    http: requests_mock.Mocker

    def __enter__(self) -> Self:
        self.http.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.http.stop()
        keystone._sessions.clear()


class Cloud(_Answering):
    """The cloud of one region. It refuses the connection for requests without a prepared answer."""

    def __init__(self) -> None:
        self.http = requests_mock.Mocker(case_sensitive=True)
        self.http.get(f"{KEYSTONE}/auth/tokens", json=token_document())
        self.version("2.96")

    def version(self, version: str | None, *, endpoint: str = NOVA) -> None:
        """Let Nova know microversions up to *version*."""
        self.http.get(f"{endpoint}/", json=version_document(version))

    def keystone(self, method: str, path: str, *answers: Mapping[str, Any]) -> None:
        """Let Keystone give these answers to a request, and then always the last one."""
        self.http.register_uri(method, f"{KEYSTONE}{path}", [dict(answer) for answer in answers])

    def nova(self, method: str, path: str, *answers: Mapping[str, Any]) -> None:
        """Let Nova give these answers to a request, and then always the last one."""
        self.http.register_uri(method, f"{NOVA}{path}", [dict(answer) for answer in answers])

    def open(self, **region: str) -> Nova:
        """Return the connector to this cloud, and forget the requests that opening it took."""
        nova = CallersNova(make_region(**region), TOKEN)
        self.http.reset_mock()
        return nova

    @property
    def calls(self) -> list[str]:
        """The requests so far, as `METHOD path?query`."""
        return [
            f"{request.method} {request.url.removeprefix(KEYSTONE).removeprefix(NOVA)}"
            for request in self.http.request_history
        ]

    @property
    def bodies(self) -> list[Any]:
        """The JSON that was sent so far."""
        return [request.json() for request in self.http.request_history if request.body]


class RegisteredCloud:
    """The cloud of `make_registered(name)`: a Keystone that knows the operator, and a Nova that keeps flavors.

    `before_call` is called before each answer of Nova, with `METHOD path`; requests in `failing` get that status
    instead. `servers` is the number of servers by flavor id. `rules` are the values that an extra spec may have, by its
    key, which microversions from 2.86 on validate. `microversion` is the highest that it knows.
    """

    microversion = "2.96"

    def __init__(self, http: requests_mock.Mocker, name: str, *flavors: Mapping[str, Any]) -> None:
        self.name = name
        self.password = PASSWORD
        self.endpoint = f"https://nova.{name.lower()}.example.org/v2.1"
        self.flavors = {flavor["id"]: dict(flavor) for flavor in flavors}
        self.servers: dict[str, int] = {}
        self.failing: dict[str, int] = {}
        self.rules: dict[str, set[str]] = {}
        self.before_call: Callable[[str], None] = lambda call: None
        self.calls: list[str] = []
        self.authentications = 0
        keystone = f"https://keystone.{name.lower()}.example.org/v3"
        http.post(f"{keystone}/auth/tokens", text=self._authenticate, headers={"X-Subject-Token": f"token-of-{name}"})
        http.register_uri(requests_mock.ANY, re.compile(re.escape(f"{self.endpoint}/")), text=self._answer)

    def _authenticate(self, request: Any, context: Any) -> str:
        self.authentications += 1
        known = request.json()["auth"]["identity"]["password"]["user"]["password"] == self.password
        context.status_code = 201 if known else 401
        return json.dumps(token_document(endpoints={self.name: self.endpoint}) if known else {"error": {}})

    def _answer(self, request: Any, context: Any) -> str:
        assert request.headers["X-Auth-Token"] == f"token-of-{self.name}"
        path = request.url.removeprefix(self.endpoint).partition("?")[0]
        call = f"{request.method} {path}"
        if path == "/":
            return json.dumps(version_document(self.microversion))
        self.calls.append(call)
        self.before_call(call)
        if path == "/servers/detail":
            context.status_code, body = self._lists_servers_in_detail(request)
        elif path == "/servers":
            context.status_code, body = self._lists_servers(request)
        else:
            context.status_code, body = self._does(request, *map(unquote, path.split("/")[2:]))
        return json.dumps(body) if body else ""

    def _lists_servers(self, request: Any) -> tuple[int, Any]:
        query = parse_qs(urlsplit(request.url).query)
        assert query["all_tenants"] == ["1"]
        if "GET /servers" in self.failing:
            return self.failing["GET /servers"], fault(self.failing["GET /servers"])
        count = self.servers.get(query["flavor"][0], 0)
        return 200, {"servers": [{"id": str(number)} for number in range(count)]}

    def _lists_servers_in_detail(self, request: Any) -> tuple[int, Any]:
        query = parse_qs(urlsplit(request.url).query)
        assert query["all_tenants"] == ["1"]
        assert request.headers.get("OpenStack-API-Version", "compute 2.1") == "compute 2.1"  # with flavors' ids
        if "GET /servers" in self.failing:
            return self.failing["GET /servers"], fault(self.failing["GET /servers"])
        ids = [flavorid for flavorid, count in self.servers.items() for _ in range(count)]
        told = {"name": OF_A_SERVER, "tenant_id": OF_A_SERVER}
        servers = [{"id": str(number), "flavor": {"id": id}, **told} for number, id in enumerate(ids)]
        first = int(query.get("marker", ["-1"])[0]) + 1
        last = first + SERVERS_ON_A_PAGE
        links = [{"rel": "next", "href": request.url}] if last < len(servers) else []
        return 200, {"servers": servers[first:last], "servers_links": links}

    def _does(self, request: Any, id: str = "", part: str = "", key: str = "") -> tuple[int, Any]:
        flavor = self.flavors.get(id)
        call = f"{request.method} {'/'.join(filter(None, ['/flavors', id, part, key]))}"
        if call in self.failing:
            return self.failing[call], fault(self.failing[call])
        match request.method, id, part:
            case "GET", "detail", "":
                return 200, {"flavors": list(self.flavors.values())}
            case "POST", "", "":
                return self._create(request.json()["flavor"])
            case "POST", _, "os-extra_specs" if self._refuses(request):
                return 400, fault(400, "Validation failed.")
            case _ if flavor is None:
                return 404, {"itemNotFound": {"message": f"Flavor {id} could not be found."}}
            case "GET", _, "":
                return 200, {"flavor": flavor}
            case "GET", _, "os-flavor-access":
                return 200, access_document()
            case "POST", _, "os-extra_specs":
                flavor["extra_specs"] |= request.json()["extra_specs"]
                return 200, request.json()
            case "DELETE", _, "os-extra_specs":
                del flavor["extra_specs"][key]
                return 200, None
            case "PUT", _, "":
                flavor |= request.json()["flavor"]
                return 200, {"flavor": flavor}
            case "DELETE", _, "":
                del self.flavors[id]
                return 202, None
        raise AssertionError(f"no such call: {call}")

    def _refuses(self, request: Any) -> bool:
        asked = request.headers.get("OpenStack-API-Version", "compute 2.1")
        version = tuple(map(int, asked.removeprefix("compute ").split(".")))
        specs = request.json()["extra_specs"].items()
        return version >= (2, 86) and any(value not in self.rules.get(key, {value}) for key, value in specs)

    def _create(self, values: dict[str, Any]) -> tuple[int, Any]:
        if values["id"] in self.flavors or values["name"] in {flavor["name"] for flavor in self.flavors.values()}:
            return 409, {"conflictingRequest": {"message": f"Flavor {values['name']} already exists."}}
        self.flavors[values["id"]] = {"extra_specs": {}, "description": None, **values}
        return 200, {"flavor": self.flavors[values["id"]]}


class Federation(_Answering):
    """Several registered clouds, by name; no other address answers."""

    def __init__(self) -> None:
        self.http = requests_mock.Mocker(case_sensitive=True)
        self.http.register_uri(requests_mock.ANY, requests_mock.ANY, exc=requests.exceptions.ConnectionError)
        self.clouds: dict[str, RegisteredCloud] = {}

    def add(self, name: str, *flavors: Mapping[str, Any]) -> RegisteredCloud:
        """Return a new cloud with these flavors."""
        self.clouds[name] = RegisteredCloud(self.http, name, *flavors)
        return self.clouds[name]

    def calls(self) -> dict[str, list[str]]:
        """Return the requests to each cloud's Nova, if it had any."""
        return {name: cloud.calls for name, cloud in self.clouds.items() if cloud.calls}


@contextmanager
def registered_clouds(*names: str) -> Iterator[Federation]:
    """Yield these clouds, registered and without flavors."""
    with Federation() as federation:
        for name in names:
            federation.add(name)
            make_registered(name)
        yield federation


def assert_fit_for_strangers(error: CloudError) -> None:
    """Check that the message names the region, but no address, token, user or password."""
    message = str(error.detail)
    assert message.startswith("Spain2: ")
    assert error.cloud == "Spain2"
    assert not re.search(rf"http|example|:\d|8774|5000|10\.0\.0|{TOKEN}|{PASSWORD}|operator", message), message
