"""Addresses that lead to this machine or its link.

There is no cloud there, but services that trust their neighbours: databases, or a host's metadata service,
169.254.169.254.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

NEAR = "this machine or its link (INFRASTRUCTURE_URL_ALLOWLIST can name exceptions)"

_THIS_HOST = ip_address("0.0.0.0")  # noqa: S104 — to be refused
# IPv6 forms of an IPv4 address besides the mapped one: the deprecated compatible form, and NAT64.
_HOLD_IPV4 = (IPv6Network("::/96"), IPv6Network("64:ff9b::/96"))


def is_near(address: str) -> bool:
    """Say whether an IP address leads to this machine or its link, however it is written; False for names.

    Does not resolve names. The old forms of IPv4 (`127.1`, `0x7f000001`, `2130706433`) are read as the C library reads
    them, since it makes the connections.
    """
    ip = _parsed(address)
    if isinstance(ip, IPv6Address):
        if ip.is_loopback or ip.is_link_local or ip.is_unspecified:
            return True
        ip = _held(ip)
    return isinstance(ip, IPv4Address) and (ip.is_loopback or ip.is_link_local or ip.packed[0] == _THIS_HOST.packed[0])


def is_name_of_this_machine(host: str) -> bool:
    """Say whether every system takes *host* for this machine. Source: RFC 6761, section 6.3."""
    return host.lower().rstrip(".").rpartition(".")[2] == "localhost" or host.lower() in {
        "localhost.localdomain",
        "ip6-localhost",
        "ip6-loopback",
    }


def is_named(host: str) -> bool:
    """Say whether INFRASTRUCTURE_URL_ALLOWLIST names a host or its domain; `*` names none."""
    patterns = [pattern for pattern in settings.INFRASTRUCTURE_URL_ALLOWLIST if pattern != "*"]
    bare = host.strip("[]").lower()
    return validate_host(f"[{bare}]" if ":" in bare else bare, patterns)


_believed: set[tuple[str, int]] = set()


def believe(url: str) -> None:
    """Allow connections to the host and port of *url*, a URL from the federation's own Keystone, to lead here."""
    _believed.add(_host_and_port(url))


def may_be_near(host: str, port: int) -> bool:
    """Say whether a connection to *host* may lead here: the setting or the central Keystone has named it."""
    where = host.strip("[]").lower(), port
    return is_named(host) or where in _believed or where == _host_and_port(settings.KEYSTONE_URL)


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(address))
    except OSError:
        return None


def _held(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one contains."""
    if any(ip in network for network in _HOLD_IPV4):
        return IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour
