"""Accounts for tests, and answers like those of a real Keyrock and Keystone."""

from typing import Any

from identity.models import User

KEYROCK_URL = "https://idm.example.org"
APP_ID = "5f2c8c1e-8a1f-4c07-9c0a-0d1f4f1f0b11"
PASSWORD = "correct horse battery staple"


def make_account(username: str = "operator", **overrides: Any) -> User:
    """Return a stored local account with PASSWORD."""
    return User.objects.create_user(**{"username": username, "password": PASSWORD, **overrides})


def make_role(name: object) -> dict[str, object]:
    """Return a role as Keyrock lists it."""
    return {"id": "0c1d2e3f-1111-4a4a-8b8b-000000000001", "name": name}


def make_organization(name: object, *roles: object) -> dict[str, object]:
    """Return an organization as Keyrock lists it, with the user's roles in it."""
    return {
        "id": "0c1d2e3f-2222-4a4a-8b8b-000000000002",
        "name": name,
        "description": "",
        "website": None,
        "roles": [make_role(role) for role in roles],
    }


def make_answer(**overrides: object) -> dict[str, object]:
    """Return Keyrock's answer about the token of a basic user."""
    return {
        "organizations": [],
        "displayName": "",
        "roles": [],
        "app_id": APP_ID,
        "trusted_apps": [],
        "isGravatarEnabled": "",
        "id": "b6a5f0de-3c3b-4a52-9f3e-3a1b7b7a0001",
        "authorization_decision": "",
        "app_azf_domain": "",
        "eidas_profile": {},
        "attributes": {},
        "shared_attributes": "",
        "username": "basic",
        "email": "basic@example.org",
        "extra": None,
        "sub": "b6a5f0de-3c3b-4a52-9f3e-3a1b7b7a0001",
        **overrides,
    }


KEYSTONE_URL = "https://keystone.example.org/v3"
FERNET = "gAAAAABnSentinelOfKeystone"
MANAGERS = ["flavor_manager@project:federation/Default", "cloud_admin@system"]
OPERATORS = ["flavor_operator@project:{node}/nodes", "operator_of_{node}@project:federation/Default"]


def make_project(name: str = "federation", domain: str = "Default") -> dict[str, Any]:
    """Return a project as Keystone shows it in a token."""
    return {"id": f"id-of-{name}-in-{domain}", "name": name, "domain": {"id": domain.lower(), "name": domain}}


def make_keystone_token(*roles: str, **members: object) -> dict[str, Any]:
    """Return Keystone's answer about a valid token, unscoped unless the members say otherwise."""
    token = {
        "methods": ["password"],
        "user": {
            "domain": {"id": "default", "name": "Default"},
            "id": "c0ffee",
            "name": "frodo",
            "password_expires_at": None,
        },
        "audit_ids": ["5Ze6pTUrTKGQXrGhdOFNBw"],
        "expires_at": "2106-01-01T00:00:00.000000Z",
        "issued_at": "2026-11-29T16:30:00.000000Z",
        **({"roles": [make_role(role) for role in roles]} if roles else {}),
        **members,
    }
    return {"token": token}


def keystone_error(code: int, title: str) -> dict[str, Any]:
    """Return a refusal in Keystone's own words."""
    return {"error": {"code": code, "title": title, "message": "The request you have made is not granted."}}
