"""The lab's clouds, each behind a proxy that sees a run's every request to its Nova, and may hold or end it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from infrastructures.models import Infrastructure
from infrastructures.openstack.keystone import forget_session
from lab import Lab
from testing.federation import CLOUDS, make_node
from testing.process import Process, url_of_this_database
from testing.proxy import Exchange, NovaProxy, forwarded

SOON = 60
"""Seconds to wait at most for something to happen."""

LIST = "GET /v2.1/flavors/detail"


def until(holds: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)


@dataclass
class Clouds:
    """The proxies by node; `process` starts our own commands over the tests' database."""

    lab: Lab
    process: Process
    proxies: dict[str, NovaProxy]
    nodes: dict[str, Infrastructure]
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _count: int = 0
    _under_way: int = 0

    @property
    def count(self) -> int:
        """How many requests there were since `watch`."""
        return self._count

    def watch(self, at: int = 0, meet: Callable[[Exchange], None] = forwarded) -> None:
        """Count requests from 0; number *at*, over all clouds, meets a fault."""
        self._count = 0

        def fault(exchange: Exchange) -> None:
            with self._turn:
                self._count += 1
                self._under_way += 1
                is_it = self._count == at
            try:
                (meet if is_it else forwarded)(exchange)
            finally:
                with self._turn:
                    self._under_way -= 1

        for proxy in self.proxies.values():
            proxy.heal()
            proxy.plan("*", "", fault)

    def wait_until_idle(self) -> None:
        """Wait until the clouds have done what they were asked to: they go on even if the caller dies."""
        until(lambda: self._under_way == 0)

    def lists(self) -> dict[str, int]:
        """Return how often each Nova was asked for its list of flavors."""
        return {node: proxy.seen.count(LIST) for node, proxy in self.proxies.items()}


@contextmanager
def proxied_clouds(lab: Lab) -> Iterator[Clouds]:
    """Yield the lab's clouds as registered nodes behind proxies; afterwards they have their seed again."""
    with ExitStack() as proxies:
        started = {node: proxies.enter_context(NovaProxy(0, lab.nova_url(node))) for node in CLOUDS}
        nodes = {}
        for node, proxy in started.items():
            forget_session(node)
            nodes[node] = make_node(lab, node, nova_url=f"http://127.0.0.1:{proxy.port}/v2.1")
        yield Clouds(lab, Process(lab, url_of_this_database()), started, nodes)
    for node in CLOUDS:
        forget_session(node)
    lab.reset()
