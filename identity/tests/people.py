"""Somebody who signs in to the pages, with Keystone or with Keyrock, and what these say of them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests_mock
from django.test import Client

from testing.accounts import (
    KEYROCK_URL,
    KEYSTONE_URL,
    keystone_error,
    make_answer,
    make_keystone_token,
    make_project,
    make_role,
)

WITH_KEYSTONE, WITH_KEYROCK, BACK = "/sign-in/keystone", "/sign-in/keyrock", "/sign-in/keyrock/back"
PASSWORD, SECRET, CODE, ACCESS_TOKEN = (
    "of-frodo-in-keystone",
    "sesame-of-the-application",
    "the-code",
    "the-access-token",
)
ADMIN = "/admin/"

FEDERATION = make_project() | {"domain_id": "default"}
SPAIN2 = make_project("Spain2", "nodes") | {"domain_id": "nodes"}
SHIRE = make_project("shire") | {"domain_id": "default"}


class KeystoneOfPeople:
    """A Keystone that knows frodo, his projects and his roles there; None for the system."""

    def __init__(self, http: requests_mock.Mocker) -> None:
        self.roles: dict[str, list[str]] = {}
        self.projects: list[Mapping[str, Any]] = []
        self.id = "c0ffee"
        self.bodies: list[Any] = []
        self.revoked = False
        http.get(f"{KEYROCK_URL}/user", status_code=401, json="Invalid token")
        http.post(f"{KEYSTONE_URL}/auth/tokens", json=self._issue)
        http.get(f"{KEYSTONE_URL}/auth/tokens", json=self._show)
        http.delete(f"{KEYSTONE_URL}/auth/tokens", status_code=204)
        http.get(f"{KEYSTONE_URL}/auth/projects", json=lambda request, context: {"projects": self.projects})
        http.get(f"{KEYSTONE_URL}/auth/system", json=lambda request, context: {"system": [{"all": True}]})

    def gives(self, project: Mapping[str, Any], *roles: str) -> None:
        """Give him roles in a project."""
        self.projects.append(project)
        self.roles[project["id"]] = list(roles)

    def _issue(self, request: Any, context: Any) -> dict[str, Any]:
        auth = json.loads(request.text)["auth"]
        self.bodies.append(auth)
        given = auth["identity"].get("password", {}).get("user")
        if given and (given["name"], given["domain"]["name"], given["password"]) != ("frodo", "Default", PASSWORD):
            context.status_code = 401
            return keystone_error(401, "Unauthorized")
        context.status_code = 201
        scope = auth["scope"]["project"]["id"] if "project" in auth["scope"] else "".join(auth["scope"])
        context.headers["X-Subject-Token"] = f"gAAAAAB-{scope}"
        return make_keystone_token()

    def _show(self, request: Any, context: Any) -> dict[str, Any]:
        scope = request.headers["X-Subject-Token"].removeprefix("gAAAAAB-")
        if self.revoked:
            context.status_code = 404
            return keystone_error(404, "Not Found")
        projects = [project for project in self.projects if project["id"] == scope]
        scoped: dict[str, Any] = {"project": projects[0]} if projects else {}
        if scope == "system":
            scoped = {"system": {"all": True}}
        token = make_keystone_token(*self.roles.get(scope, []), **scoped)
        token["token"]["user"]["id"] = self.id
        return token


def sign_in(client: Client, path: str = WITH_KEYSTONE, **overrides: str) -> Any:
    return client.post(path, {"username": "frodo", "domain": "Default", "password": PASSWORD, **overrides})


def is_in(client: Client) -> bool:
    return bool(client.get(ADMIN).status_code == 200)


def keyrock(http: requests_mock.Mocker, **answer: object) -> None:
    """Have Keyrock give a token for a code, and say that it is a manager's."""
    http.post(f"{KEYROCK_URL}/oauth2/token", json={"access_token": ACCESS_TOKEN, "token_type": "bearer"})
    user = make_answer(**{"roles": [make_role("InfrastructureManager")], **answer})
    http.get(f"{KEYROCK_URL}/user", json=user)
    http.get(f"{KEYSTONE_URL}/auth/tokens", status_code=401, json=keystone_error(401, "Unauthorized"))


def begin(client: Client, wanted: str = "") -> dict[str, str]:
    """Go to the IdM, and return what it is told."""
    answer = client.get(WITH_KEYROCK, {"next": wanted} if wanted else {})
    where = urlsplit(answer["Location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{KEYROCK_URL}/oauth2/authorize"
    return {name: value for name, (value,) in parse_qs(where.query).items()}


def come_back(client: Client, **query: str) -> Any:
    return client.get(BACK, {"code": CODE, **query})
