"""How people may sign in to the pages, other than with an account of this service."""

from django.urls import reverse

from identity import oauth
from identity.keystone import Keystone


def ways() -> dict[str, str]:
    """Return how people may sign in elsewhere: what to call it, and the page."""
    found = {}
    if oauth.is_configured():
        found["the FIWARE IdM"] = reverse("with_keyrock")
    if Keystone().is_configured():
        found["Keystone"] = reverse("with_keystone")
    return found
