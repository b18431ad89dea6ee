"""What the URL of a cloud must be like."""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http.request import validate_host

# Django's URLValidator takes no host without a dot, such as the `controller` of many an installation.
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_UNPRINTABLE = re.compile(r"[\s\x00-\x20\x7f\\]")


def validate_cloud_url(url: str) -> None:
    """Check that *url* is one of HTTP, to a host that INFRASTRUCTURE_URL_ALLOWLIST allows, and no more than that.

    Raises:
        ValidationError: it is not.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValidationError("must be a URL") from None
    if parts.scheme not in {"http", "https"}:
        raise ValidationError("must be an http or https URL")
    if not _HOST.fullmatch(host) or _UNPRINTABLE.search(url):
        raise ValidationError("must be a URL with a host")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValidationError("must hold no user name, query or fragment")
    allowed = settings.INFRASTRUCTURE_URL_ALLOWLIST
    if allowed and not validate_host(f"[{host}]" if ":" in host else host, allowed):
        raise ValidationError("names a host that INFRASTRUCTURE_URL_ALLOWLIST does not allow")
