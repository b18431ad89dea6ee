"""Signing in to pages, guarded against guessing as the API is: the same accounts, the same counts."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed

from identity import accounts
from identity.models import SignedIn, User
from identity.throttling import client_address


class LocalAccountBackend(ModelBackend):
    """Authenticate a local account by its password. Permissions are Django's own."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the account, or None when there is none of this name and password, or LOCAL_SIGN_IN says no.

        Costs as `accounts.sign_in`.

        Raises: Throttled after too many failures; forms show it.
        """
        if username is None or password is None or not settings.LOCAL_SIGN_IN:
            return None
        try:
            return accounts.sign_in(
                username=username, password=password, address=client_address(request) if request else ""
            )
        except AuthenticationFailed:
            return None


class ProviderBackend(BaseBackend):
    """Finds again whoever has signed in with an identity provider; nobody signs in here by a password.

    What they may is not the backend's to say: see `SignedIn`.
    """

    def get_user(self, user_id: int) -> SignedIn | None:
        """Return the person, if their row is not closed. One query."""
        return SignedIn.objects.filter(pk=user_id, external_id__isnull=False, is_active=True).first()
