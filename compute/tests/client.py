"""A client of Nova's API, which holds every answer to what Nova says of all of them."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from django.contrib.auth.models import Group, Permission
from django.test import Client

from flavors.permissions import PROMOTE
from identity.models import User
from identity.roles import Role
from testing.accounts import PASSWORD, make_account

ROOT = "http://testserver/compute"
FEDERATION = "/compute/v2.1"
_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOTHING = object()


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is None where there was none, and text where it was no JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def fault(self) -> tuple[str, int]:
        """Return the name and the code of an error."""
        ((name, error),) = self.body.items()
        assert error.keys() == {"code", "message"}
        assert error["message"]
        return name, error["code"]


@dataclass(frozen=True)
class Nova:
    """Asks the face of the federation, or of what `path` leads to."""

    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = FEDERATION

    def at(self, microversion: str) -> Self:
        """Return a client that asks in a microversion."""
        return replace(self, headers={**self.headers, "OpenStack-API-Version": f"compute {microversion}"})

    def having(self, **headers: str) -> Self:
        """Return a client that sends these headers too, by names with underscores."""
        return replace(
            self, headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        )

    def get(self, path: str) -> Answer:
        """Send GET."""
        return self.send("GET", path)

    def post(self, path: str, body: object) -> Answer:
        """Send POST."""
        return self.send("POST", path, body)

    def put(self, path: str, body: object) -> Answer:
        """Send PUT."""
        return self.send("PUT", path, body)

    def delete(self, path: str) -> Answer:
        """Send DELETE."""
        return self.send("DELETE", path)

    def send(self, method: str, path: str, body: object = _NOTHING, content_type: str = "application/json") -> Answer:
        """Send a request; the path is one below the version, and absolute where it begins with two slashes."""
        data = b"" if body is _NOTHING else body if isinstance(body, bytes) else json.dumps(body).encode()
        where = path[1:] if path.startswith("//") else f"{self.path}{path}"
        response = Client().generic(method, where, data, content_type=content_type, headers=dict(self.headers))
        answered = response.headers
        assert _REQUEST_ID.fullmatch(answered["X-Openstack-Request-Id"])
        assert answered["X-Compute-Request-Id"] == answered["X-Openstack-Request-Id"]
        is_json = answered.get("Content-Type") == "application/json"
        content = json.loads(response.content) if is_json and response.content else response.content.decode()
        return Answer(response.status_code, answered, content or None)


def basic(account: User) -> dict[str, str]:
    """Return the credential of a local account."""
    return {"Authorization": f"Basic {b64encode(f'{account.username}:{PASSWORD}'.encode()).decode()}"}


def a_manager() -> Nova:
    """Return a client of somebody who may promote flavors: here what an administrator is in Nova."""
    account = make_account("manager")
    account.user_permissions.add(_to_promote())
    return Nova(basic(account))


def a_user() -> Nova:
    """Return a client of somebody who may read."""
    return Nova(basic(make_account("user")))


def give_managers_their_group() -> None:
    """Make what a migration has made, and the end of an earlier test with real transactions has taken away."""
    group, _ = Group.objects.get_or_create(name=Role.INFRASTRUCTURE_MANAGER.value)
    group.permissions.add(_to_promote())


def _to_promote() -> Permission:
    app, _, codename = PROMOTE.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)
