"""Signing in to pages, guarded against guessing as the API is: the same accounts, the same counts."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed

from identity import accounts
from identity.models import User
from identity.throttling import client_address


class LocalAccountBackend(ModelBackend):
    """Authenticate a local account by its password. Permissions are Django's own."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the account, or None when there is none of this name and password. Costs as `accounts.sign_in`.

        Raises: Throttled after too many failures; forms show it.
        """
        if username is None or password is None:
            return None
        try:
            return accounts.sign_in(
                username=username, password=password, address=client_address(request) if request else ""
            )
        except AuthenticationFailed:
            return None
