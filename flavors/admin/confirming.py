"""Checking that what people confirm is what they were shown."""

from django.contrib import messages
from django.http import HttpRequest

CHANGED = "The nodes or the catalogue have changed since this was shown. This is what would happen now."


def is_confirmed(request: HttpRequest, digest: str) -> bool:
    """Say whether what was confirmed has this *digest*; if something else was, tell the user so."""
    confirmed = request.POST.get("plan")
    if confirmed not in (None, digest):
        messages.warning(request, CHANGED)
    return confirmed == digest
