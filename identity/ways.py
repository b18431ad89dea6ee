"""The ways to sign in to the pages other than with a local account."""

from django.urls import reverse

from identity import oauth
from identity.keystone import Keystone


def ways() -> dict[str, str]:
    """Return the URL of each configured provider's sign-in page, by the provider's name."""
    found = {}
    if oauth.is_configured():
        found["the FIWARE IdM"] = reverse("with_keyrock")
    if Keystone().is_configured():
        found["Keystone"] = reverse("with_keystone")
    return found
