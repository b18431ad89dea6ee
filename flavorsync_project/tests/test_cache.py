"""The Redis of CACHE_URL is killed or hangs: the service goes on without it, and keeps counting."""

import logging
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from flavorsync_project import cache as module
from testing.accounts import PASSWORD, make_account

pytestmark = [
    pytest.mark.process,
    pytest.mark.django_db,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="there is no redis-server"),
]

OURS = "flavorsync_project.cache"


@dataclass
class Redis:
    """Our own Redis, at a port that stays the same."""

    folder: Path
    port: int
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self.folder)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; wait for its end when that is one."""
        assert self._process
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def end(self) -> None:
        """Leave nothing of it."""
        self.send(signal.SIGKILL)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


@pytest.fixture
def redis(settings: Settings, tmp_path: Path) -> Iterator[Redis]:
    """The Redis of CACHE_URL, up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Redis(tmp_path, port)
    server.start()
    configured = environ.Env().cache_url_config(f"rediscache://127.0.0.1:{port}/0")
    settings.CACHES = settings.CACHES | {"default": configured | {"BACKEND": f"{OURS}.RedisOrMemory"}}
    settings.LOCAL_ACCOUNT_FAILURE_RATE = "3/hour"
    settings.LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE = ""
    make_account("operator")
    yield server
    server.end()


def sign_in(password: str = PASSWORD, name: str = "operator") -> Any:
    return Client().get("/v1/flavors", headers={"User": name, "Password": password})


def statuses(*passwords: str) -> list[int]:
    return [sign_in(password).status_code for password in passwords]


def test_the_setting_names_it(tmp_path: Path) -> None:
    script = "from flavorsync_project.settings import CACHES; print(CACHES['default']['BACKEND'])"
    environment = {"CACHE_URL": "rediscache://127.0.0.1:6379/0", "SECRET_KEY": "x", "ENV_FILE": "/dev/null"}
    root = Path(__file__).resolve().parents[2]
    command = [str(root / ".venv/bin/python"), "-c", script]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == f"{OURS}.RedisOrMemory", done.stderr


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_the_service_goes_on_and_counts_by_itself(
    redis: Redis, caplog: pytest.LogCaptureFixture, fault: signal.Signals
) -> None:
    assert statuses(PASSWORD) == [200]
    redis.send(fault)
    began = time.monotonic()
    assert statuses(*[PASSWORD] * 10) == [200] * 10
    assert statuses(*["wrong"] * 5) == [401, 401, 401, 429, 429]
    # It was waited for once, and not by each of them.
    assert time.monotonic() - began < 4 * module.SECONDS_TO_ANSWER
    assert module.AWAY._value.get() == 1
    (line,) = [record for record in caplog.records if record.name == OURS]
    assert line.levelno == logging.ERROR
    assert "127.0.0.1" not in caplog.text


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_it_is_asked_again_and_shared_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: signal.Signals
) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_LEAVE_ALONE", 0.2)
    cache.set("here", "in Redis")
    redis.send(fault)
    assert cache.get("here") is None
    if fault == signal.SIGKILL:
        redis.start()
        cache_is = "empty"
    else:
        redis.send(signal.SIGCONT)
        cache_is = "in Redis"
    deadline = time.monotonic() + 20
    while module.AWAY._value.get() and time.monotonic() < deadline:
        cache.get("here")
    assert cache.get("here", "empty") == cache_is
    assert [record.getMessage() for record in caplog.records if record.name == OURS][1:] == [
        "The Redis of CACHE_URL answers again"
    ]
    assert statuses("wrong", PASSWORD) == [401, 200]


def test_one_thread_alone_asks_again(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_LEAVE_ALONE", 0)
    redis.send(signal.SIGSTOP)
    cache.get("x")
    monkeypatch.setattr(module, "SECONDS_TO_LEAVE_ALONE", 60)
    state = module._states[f"redis://127.0.0.1:{redis.port}/0"]
    assert [state.may_be_asked() for _ in range(3)] == [True, False, False]


def test_all_that_a_cache_does_is_done(redis: Redis) -> None:
    redis.send(signal.SIGKILL)
    assert cache.add("number", 1)
    assert not cache.add("number", 2)
    assert cache.incr("number") == 2
    assert "number" in cache
    assert cache.touch("number", 10)
    cache.set_many({"a": 1, "b": 2})
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
    cache.delete_many(["a"])
    assert cache.delete("b")
    assert cache.get_or_set("b", 3) == 3
    cache.clear()
    assert cache.get("number", "nothing") == "nothing"


def test_ready_without_it(redis: Redis) -> None:
    """Every process is without it at once: sending none of them any requests would make the failure whole."""
    redis.send(signal.SIGKILL)
    assert Client().get("/health/ready").status_code == 200
