"""The farm of simulated clouds (`benchmarks.farm`), in a thread of the tests: what only many real connections show."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from benchmarks.farm import FARM, Farm, application
from infrastructures.models import Infrastructure
from testing.infrastructures import PASSWORD

SECONDS_TO_START = 30


@contextmanager
def registered_farm(clouds: int) -> Iterator[Farm]:
    """Give a farm of so many clouds, each of them registered; INFRASTRUCTURE_URL_ALLOWLIST has to name 127.0.0.1."""
    app, loop = application(), asyncio.new_event_loop()
    app[FARM].become({"clouds": clouds})
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(start(), loop).result(SECONDS_TO_START)
        for number in range(clouds):
            _register(number, port)
        yield app[FARM]
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(SECONDS_TO_START)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _register(number: int, port: int) -> None:
    url = f"http://127.0.0.1:{port}/cloud/{number}/v3"
    cloud = Infrastructure(name=f"Cloud{number}", keystone_url=url, tenant="farm", username="farm")
    cloud.set_password(PASSWORD)
    cloud.save()
