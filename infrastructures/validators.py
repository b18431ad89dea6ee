"""The rules for the URL of a cloud."""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http.request import validate_host

from infrastructures.addresses import NEAR, is_name_of_this_machine, is_named, is_near

# Django's URLValidator accepts no host without a dot, such as the usual `controller`.
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_UNPRINTABLE = re.compile(r"[\s\x00-\x20\x7f\\]")


def validate_cloud_url(url: str) -> None:
    """Check that *url* is a plain HTTP URL of a host that INFRASTRUCTURE_URL_ALLOWLIST allows.

    Without such a list any host is allowed except this machine and its link, which must be named there. Where a name
    leads is checked again when we connect, since it may change.

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
    if (is_near(host) or is_name_of_this_machine(host)) and not is_named(host):
        raise ValidationError(f"must not lead to {NEAR}")
