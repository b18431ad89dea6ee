"""The victims of the campaign: each method kills one process of a kind; clouds and the Redis are started again."""

import random
import time
from collections.abc import Callable

from deploy.tests.stack import Stack, kill, until
from lab import Lab

SECONDS_AWAY = 1.0
"""The most seconds before a cloud or the Redis is started again."""


class Victims:
    """The processes of the service and its surroundings; *chance* chooses one."""

    def __init__(self, stack: Stack, lab: Lab, chance: random.Random) -> None:
        self._stack, self._lab, self._chance = stack, lab, chance

    def kinds(self, *, has_connections: bool) -> list[Callable[[], None]]:
        """Return a method for each kind."""
        kinds = [
            self.web_worker,
            self.master,
            self.task_worker,
            self.scheduler,
            self.nova,
            self.keystone,
        ]
        if has_connections:
            kinds.append(self.database_connection)
        if self._stack.cache:
            kinds.append(self.redis)
        return kinds

    def web_worker(self) -> None:
        kill(self._chance.choice(sorted(until(self._stack.web_workers, "there are workers of web"))))

    def master(self) -> None:
        self._kill_program("web")

    def task_worker(self) -> None:
        self._kill_program("worker")

    def scheduler(self) -> None:
        self._kill_program("scheduler")

    def database_connection(self) -> None:
        """Kill one connection to the database, or all."""
        until(lambda: self._stack.database.kill_connections(self._chance.choice([1, None])), "there is a connection")

    def nova(self) -> None:
        self._kill_service(self._chance.choice(["nova-Mordor", "nova-Spain2"]))

    def keystone(self) -> None:
        self._kill_service(self._chance.choice(["keystone", "mordor-keystone"]))

    def redis(self) -> None:
        assert self._stack.cache
        self._stack.cache.kill()
        self._pause()
        self._stack.cache.start()

    def _kill_program(self, program: str) -> None:
        until(lambda: self._stack.running(program), f"{program} runs")
        kill(self._stack.pid(program))

    def _kill_service(self, service: str) -> None:
        self._lab.kill(service)
        self._pause()
        self._lab.start(service)

    def _pause(self) -> None:
        time.sleep(self._chance.uniform(0, SECONDS_AWAY))
