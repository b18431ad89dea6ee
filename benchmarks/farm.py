"""A farm of simulated clouds: `python -m benchmarks.farm PORT`, each with a Keystone and a Nova at `/cloud/NUMBER`.

They answer what the synchronisation asks, after a latency, in the simplest form that real ones use. Some may be slow,
some dead: those accept connections and requests, and never answer. The operator's side is at `/farm`:

    POST /farm       {"clouds": 1000, "latency": 0.1, "slow": {"7": 3.0}, "dead": [8, 9]}: each named member replaces
                     its old value; new clouds are empty
    POST /farm/fill  {"flavors": [...]}: give every cloud exactly these flavors
    POST /farm/drift {"clouds": [3, 4]}: change the first flavor there, as an operator would
    GET /farm        how many calls of each kind were made since the last time, and how many flavors there are

One process is enough for a thousand: it does nothing but wait.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "farm-token"  # noqa: S105 — of no real cloud
EXPIRES = "2999-01-01T00:00:00.000000Z"
MICROVERSION = "2.96"
# Whether a dead cloud has come back
SECONDS_BETWEEN_LOOKS = 0.25

Flavor = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Cloud:
    """A cloud's flavors, by id, and the body of their list, once it was asked for."""

    flavors: dict[str, Flavor] = field(default_factory=dict)
    body: bytes = b""

    def put(self, flavor: Flavor) -> Flavor:
        """Add or change a flavor."""
        self.flavors[flavor["id"]], self.body = flavor, b""
        return flavor

    def drop(self, flavorid: str) -> None:
        """Remove a flavor."""
        del self.flavors[flavorid]
        self.body = b""

    def listed(self) -> bytes:
        """Return the body of the list."""
        self.body = self.body or json.dumps({"flavors": list(self.flavors.values())}).encode()
        return self.body


@dataclass
class Farm:
    """The clouds, by number; how they behave, and what they were asked."""

    latency: float = 0.0
    slow: dict[int, float] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    clouds: list[Cloud] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def become(self, told: dict[str, Any]) -> None:
        """Change the clouds as told."""
        if "clouds" in told:
            self.clouds = [Cloud() for _ in range(told["clouds"])]
        self.latency = told.get("latency", self.latency)
        self.slow = {int(cloud): seconds for cloud, seconds in told.get("slow", self.slow).items()}
        self.dead = set(told.get("dead", self.dead))

    def fill(self, flavors: Iterable[Flavor]) -> None:
        """Give every cloud these flavors, which are shared until one changes."""
        first = Cloud({flavor["id"]: {**_NEW, **flavor} for flavor in flavors})
        self.clouds = [Cloud(dict(first.flavors), first.listed()) for _ in self.clouds]

    def drift(self, clouds: Iterable[int]) -> None:
        """Change the first flavor of these clouds behind everybody's back."""
        for cloud in (self.clouds[number] for number in clouds):
            cloud.put({**next(iter(cloud.flavors.values())), "description": "changed by its operator"})

    async def wait(self, cloud: int) -> None:
        """Wait as long as this cloud takes: for ever while it is dead."""
        while cloud in self.dead:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        await asyncio.sleep(self.slow.get(cloud, self.latency))


# Nova's values for what a creation does not name
_NEW: Flavor = {
    "swap": 0,
    "OS-FLV-EXT-DATA:ephemeral": 0,
    "OS-FLV-DISABLED:disabled": False,
    "rxtx_factor": 1.0,
    "os-flavor-access:is_public": True,
    "description": None,
    "extra_specs": {},
}
FARM = web.AppKey("farm", Farm)


def application() -> web.Application:
    """Return the farm, with no cloud yet."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[FARM] = Farm()
    cloud = "/cloud/{cloud}"
    nova = f"{cloud}/v2.1"
    app.add_routes(
        [
            web.get("/farm", _told),
            web.post("/farm", _become),
            web.post("/farm/fill", _fill),
            web.post("/farm/drift", _drift),
            web.post(f"{cloud}/v3/auth/tokens", _asked("token", _token)),
            web.get(f"{nova}/", _asked("version", _version)),
            web.get(f"{nova}/flavors/detail", _asked("list", _list)),
            web.post(f"{nova}/flavors", _asked("create", _create)),
            web.get(f"{nova}/flavors/{{id}}", _asked("show", _show)),
            web.put(f"{nova}/flavors/{{id}}", _asked("update", _update)),
            web.delete(f"{nova}/flavors/{{id}}", _asked("delete", _delete)),
            web.get(f"{nova}/flavors/{{id}}/os-extra_specs", _asked("specs", _specs)),
            web.post(f"{nova}/flavors/{{id}}/os-extra_specs", _asked("set specs", _set_specs)),
            web.delete(f"{nova}/flavors/{{id}}/os-extra_specs/{{key}}", _asked("unset spec", _unset_spec)),
            web.get(f"{nova}/flavors/{{id}}/os-flavor-access", _asked("access", _access)),
            web.get(f"{nova}/servers", _asked("servers", _servers)),
        ]
    )
    return app


def _asked(kind: str, handler: Handler) -> Handler:
    """Wrap a cloud's answer: it is counted, delayed, and only for callers with a token."""

    async def answer(request: web.Request) -> web.StreamResponse:
        farm = request.app[FARM]
        farm.calls[kind] += 1
        await farm.wait(int(request.match_info["cloud"]))
        if kind != "token" and request.headers.get("X-Auth-Token") != TOKEN:
            return web.json_response({"error": {"code": 401, "message": "no token"}}, status=401)
        return await handler(request)

    return answer


def _cloud(request: web.Request) -> Cloud:
    return request.app[FARM].clouds[int(request.match_info["cloud"])]


def _flavor_of(request: web.Request) -> Flavor:
    flavor = _cloud(request).flavors.get(request.match_info["id"])
    if flavor is None:
        error = {"itemNotFound": {"code": 404, "message": "Flavor could not be found."}}
        raise web.HTTPNotFound(text=json.dumps(error), content_type="application/json")
    return flavor


async def _token(request: web.Request) -> web.StreamResponse:
    cloud = request.match_info["cloud"]
    where = {"interface": "public", "region": f"Cloud{cloud}", "region_id": f"Cloud{cloud}"}
    url = f"{request.scheme}://{request.host}/cloud/{cloud}/v2.1"
    token = {
        "methods": ["password"],
        "expires_at": EXPIRES,
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "project": {"id": "p", "name": "p", "domain": {"id": "default", "name": "Default"}},
        "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
        "catalog": [{"type": "compute", "name": "nova", "id": "c", "endpoints": [{"id": "e", "url": url, **where}]}],
    }
    return web.json_response({"token": token}, status=201, headers={"X-Subject-Token": TOKEN})


async def _version(request: web.Request) -> web.StreamResponse:
    return web.json_response({"version": {"id": "v2.1", "version": MICROVERSION, "min_version": "2.1"}})


async def _list(request: web.Request) -> web.StreamResponse:
    return web.Response(body=_cloud(request).listed(), content_type="application/json")


async def _create(request: web.Request) -> web.StreamResponse:
    flavor = {**_NEW, **(await request.json())["flavor"]}
    if flavor["id"] in _cloud(request).flavors:
        error = {"conflictingRequest": {"code": 409, "message": "There is such a flavor already."}}
        return web.json_response(error, status=409)
    return web.json_response({"flavor": _cloud(request).put(flavor)})


async def _show(request: web.Request) -> web.StreamResponse:
    return web.json_response({"flavor": _flavor_of(request)})


async def _update(request: web.Request) -> web.StreamResponse:
    changes = (await request.json())["flavor"]
    return web.json_response({"flavor": _cloud(request).put({**_flavor_of(request), **changes})})


async def _delete(request: web.Request) -> web.StreamResponse:
    _cloud(request).drop(_flavor_of(request)["id"])
    return web.Response(status=202)


async def _specs(request: web.Request) -> web.StreamResponse:
    return web.json_response({"extra_specs": _flavor_of(request)["extra_specs"]})


async def _set_specs(request: web.Request) -> web.StreamResponse:
    specs, flavor = (await request.json())["extra_specs"], _flavor_of(request)
    _cloud(request).put({**flavor, "extra_specs": {**flavor["extra_specs"], **specs}})
    return web.json_response({"extra_specs": specs})


async def _unset_spec(request: web.Request) -> web.StreamResponse:
    flavor = _flavor_of(request)
    kept = {key: value for key, value in flavor["extra_specs"].items() if key != request.match_info["key"]}
    _cloud(request).put({**flavor, "extra_specs": kept})
    return web.Response(status=200)


async def _access(request: web.Request) -> web.StreamResponse:
    _flavor_of(request)
    return web.json_response({"flavor_access": []})


async def _servers(request: web.Request) -> web.StreamResponse:
    return web.json_response({"servers": []})


async def _told(request: web.Request) -> web.StreamResponse:
    farm = request.app[FARM]
    calls, farm.calls = farm.calls, Counter()
    return web.json_response({"calls": calls, "flavors": sum(len(cloud.flavors) for cloud in farm.clouds)})


async def _become(request: web.Request) -> web.StreamResponse:
    request.app[FARM].become(await request.json())
    return web.Response(status=204)


async def _fill(request: web.Request) -> web.StreamResponse:
    request.app[FARM].fill((await request.json())["flavors"])
    return web.Response(status=204)


async def _drift(request: web.Request) -> web.StreamResponse:
    request.app[FARM].drift((await request.json())["clouds"])
    return web.Response(status=204)


def main() -> None:
    """Serve until stopped."""
    web.run_app(
        application(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        backlog=4096,
        print=None,
        keepalive_timeout=3600,
        handler_cancellation=True,
    )


if __name__ == "__main__":
    main()
