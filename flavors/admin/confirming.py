"""What was shown, and then confirmed just so."""

from django.contrib import messages
from django.http import HttpRequest

CHANGED = "The nodes or the catalogue have changed since this was shown. This is what would happen now."


def is_confirmed(request: HttpRequest, digest: str) -> bool:
    """Say whether just what has this *digest* was shown and confirmed; when it was something else, tell that."""
    confirmed = request.POST.get("plan")
    if confirmed not in (None, digest):
        messages.warning(request, CHANGED)
    return confirmed == digest
