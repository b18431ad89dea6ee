"""What the tests are made of: accounts, and Keyrock's answers as a real one gives them."""

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
