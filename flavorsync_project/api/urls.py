"""What a URL shows by itself."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_safe_to_send_to(url: str) -> bool:
    """Say whether nobody on the way can read what is sent to *url*: it is https, or stays on this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def keystone_v3(url: str) -> str:
    """Return the URL of a Keystone's v3 API, whether *url* ends in /v3, /v3/, /v2.0 or none of these."""
    return re.sub(r"(/v3|/v2\.0)?/*\Z", "", url) + "/v3"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
