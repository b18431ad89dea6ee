"""The bounds on a cloud's responses, so that no cloud can fill our memory or hold us up for minutes.

A flavor takes some 600 bytes of JSON and 25 values, with ten extra specs 1,000 bytes and 35. By default a Nova puts
1,000 on a page, and few clouds have that many. `infrastructures/tests/test_bounds.py` measures how much memory 16 MiB
and 500,000 values take.
"""

import re
import time
from urllib.parse import urlsplit

from infrastructures.openstack.errors import CloudAnswersTooMuch, CloudTimedOut

KEYSTONE, NOVA = "Keystone", "Nova"
_KEYSTONES = re.compile(r"/auth/(tokens|projects)\Z|/v3/(regions|services|endpoints|projects|domains)(/|\Z)")

# For one response, and for all the pages of a list together
ANSWER_BYTES = 16 * 1024 * 1024
# `[[],[],…` takes 24 times its size in memory, so the number of values matters.
ANSWER_VALUES = 500_000
LIST_FLAVORS = 10_000
# The number of time-outs for all the pages together: a slow first page leaves as much time for the others.
LIST_TIMEOUTS = 2

# A catalogue of 30 regions with 15 services each takes some 350 kB.
KEYSTONE_BYTES = 2 * 1024 * 1024
# The bounds on what we remember of a catalogue: the number of compute endpoints, and the characters of each.
ENDPOINTS = 1000
ENDPOINT_LENGTH = 255

# Characters of an error message from a cloud
MESSAGE_LENGTH = 1000


def bytes_allowed(url: str) -> int:
    """Return the maximum size in bytes of a response from *url*."""
    return KEYSTONE_BYTES if service_at(url) == KEYSTONE else ANSWER_BYTES


def service_at(url: str) -> str:
    """Return the name of the service at *url*, for people."""
    return KEYSTONE if _KEYSTONES.search(urlsplit(url).path) else NOVA


def count_values(json: bytes) -> int:
    """Return an upper bound for the number of values in a JSON document, without parsing it."""
    return json.count(b",") + json.count(b"[") + json.count(b"{") + 1


class Allowance:
    """What a cloud may still send for one list, in any number of pages."""

    def __init__(self, cloud: str, *, timeout: float) -> None:
        self._cloud = cloud
        self._timeout = timeout
        self._ends_at = time.monotonic() + timeout * LIST_TIMEOUTS
        self._bytes, self._values, self._flavors = ANSWER_BYTES, ANSWER_VALUES, LIST_FLAVORS

    def timeout(self) -> float:
        """Return how many seconds the next page may take.

        Raises:
            CloudTimedOut: the pages so far have used up the time.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise CloudTimedOut(self._cloud, "its Nova did not give the whole list in time.")
        return min(left, self._timeout)

    def take(self, page: bytes, body: object) -> None:
        """Count a page, and the flavors in its *body*.

        Raises:
            CloudAnswersTooMuch: the list is too large.
        """
        listed = body.get("flavors") if isinstance(body, dict) else None
        self._flavors -= len(listed) if isinstance(listed, list) else 0
        self._bytes -= len(page)
        self._values -= count_values(page)
        if self._flavors < 0:
            raise CloudAnswersTooMuch(self._cloud, f"its Nova lists more than {LIST_FLAVORS} flavors.")
        if self._bytes < 0 or self._values < 0:
            raise CloudAnswersTooMuch(self._cloud, "its Nova's list is too large.")
