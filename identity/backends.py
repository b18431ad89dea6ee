"""Authentication backends of the pages, protected against guessing like the API: same accounts, same counts."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed

from identity import accounts
from identity.models import SignedIn, User
from identity.throttling import client_address


class LocalAccountBackend(ModelBackend):
    """Authentication of a local account by its password, with Django's own permissions."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the account with this name and password; None if there is none, or LOCAL_SIGN_IN is off.

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

    def get_user(self, user_id: int) -> User | None:
        """Return the account of a session; None if it is not active, or LOCAL_SIGN_IN is off. One query, or none."""
        return super().get_user(user_id) if settings.LOCAL_SIGN_IN else None


class ProviderBackend(BaseBackend):
    """Users who have signed in with an identity provider; this backend accepts no password.

    It grants no permissions: see `SignedIn`.
    """

    def get_user(self, user_id: int) -> SignedIn | None:
        """Return the user, if active. One query."""
        return SignedIn.objects.filter(pk=user_id, external_id__isnull=False, is_active=True).first()
