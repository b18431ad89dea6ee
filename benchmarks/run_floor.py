"""Make only the calls of a run over the farm, once for each line of input, and print the seconds they took.

`python -m benchmarks.run_floor PORT CLOUDS FLAVORS`. A line is `nothing` or `everything`: how much there is to do. The
answers are parsed, since no caller could do without that. It prints seconds on the clock and of processor time.
"""

import asyncio
import json
import sys
import time
from typing import Any

from aiohttp import ClientSession, TCPConnector

from benchmarks.data import flavor_values
from benchmarks.farm import TOKEN

HEADERS = {"X-Auth-Token": TOKEN, "X-OpenStack-Nova-API-Version": "2.96", "Accept": "application/json"}


def creation(number: int) -> dict[str, Any]:
    """Return the body that creates one of the flavors, as Flavor Sync sends it."""
    values = flavor_values(number)
    return {
        "flavor": {
            "name": values["name"],
            "ram": values["ram"],
            "vcpus": values["vcpus"],
            "disk": values["disk"],
            "id": values["flavorid"],
            "swap": 0,
            "OS-FLV-EXT-DATA:ephemeral": 0,
            "rxtx_factor": 1.0,
            "os-flavor-access:is_public": True,
        }
    }


async def _work_in(http: ClientSession, nova: str, flavors: int) -> None:
    async with http.get(f"{nova}/flavors/detail?is_public=None") as answer:
        json.loads(await answer.read())
    for number in range(flavors):
        async with http.post(f"{nova}/flavors", json=creation(number)) as answer:
            json.loads(await answer.read())


async def _measure(port: int, clouds: int, flavors: int) -> None:
    async with ClientSession(connector=TCPConnector(limit=0), headers=HEADERS) as http:
        for line in sys.stdin:
            to_create = flavors if line.strip() == "everything" else 0
            began, processor = time.perf_counter(), time.process_time()
            novas = [f"http://127.0.0.1:{port}/cloud/{cloud}/v2.1" for cloud in range(clouds)]
            await asyncio.gather(*(_work_in(http, nova, to_create) for nova in novas))
            print(time.perf_counter() - began, time.process_time() - processor, flush=True)


if __name__ == "__main__":
    asyncio.run(_measure(*map(int, sys.argv[1:])))
