"""The lab that the tests speak to, and how they speak to it as a stranger would."""

import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab import Lab
from lab.client import Answer
from testing.lab import lab_of_the_tests

Ask = Callable[..., Answer]


@pytest.fixture(scope="session")
def lab() -> Lab:
    """A lab that is up; it is left so, for the next run."""
    instance = lab_of_the_tests()
    instance.up()
    return instance


@pytest.fixture
def seeded(lab: Lab) -> Lab:
    """The lab with the flavors of the seed and no others."""
    lab.reset()
    return lab


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Send a request as the service under test would: not marked as one of the lab's own."""

    def send(url: str, token: str = "", *, method: str = "GET", body: Any = None) -> Answer:
        target = urlsplit(url)
        connection = HTTPConnection(target.hostname or "", target.port, timeout=30)
        headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        connection.request(method, f"{target.path}?{target.query}", content, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        fields = {name.lower(): value for name, value in response.getheaders()}
        is_json = "json" in fields.get("content-type", "")
        return Answer(response.status, fields, json.loads(text) if is_json else text.decode())

    return send
