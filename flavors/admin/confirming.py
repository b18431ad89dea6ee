"""Checking that what people confirm is what they were shown."""

import json
from hashlib import sha256

from django.contrib import messages
from django.http import HttpRequest

CHANGED = "The nodes or the catalogue have changed since this was shown. This is what would happen now."


def digest_of(told: object) -> str:
    """Return a digest of what is shown, made of what JSON has: it changes with any of that."""
    return sha256(json.dumps(told).encode()).hexdigest()


def is_confirmed(request: HttpRequest, digest: str) -> bool:
    """Say whether what was confirmed has this *digest*; if something else was, tell the user so."""
    confirmed = request.POST.get("plan")
    if confirmed not in (None, digest):
        messages.warning(request, CHANGED)
    return confirmed == digest
