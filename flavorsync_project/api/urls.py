"""What can be told of a URL by looking at it."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_safe_to_send_to(url: str) -> bool:
    """Say whether nobody on the way can read what is sent to *url*: it is https, or never leaves this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
