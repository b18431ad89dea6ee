"""The access log of a service of the lab: one JSON object per line, written before it answers.

A caller that has its answer can then rely on the line being there.
"""

import json
import os
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

Caller = Literal["service", "nova", "lab"]
"""Who sent a request: the service under test, a Nova checking a token, or the lab itself."""

USER_AGENT: Final = "flavorsync-lab"
"""The `User-Agent` of the lab's own calls, which tells them from those of the service under test."""

NOVA_PROGRAM: Final = "nova-api"
"""The program name that the lab's Novas give to their identity client."""

_NOVA_AGENTS: Final = (
    NOVA_PROGRAM,
    "python-keystoneclient",  # keystonemiddleware, when it validates a token
)

_NAMED: Final = re.compile(
    r"/(flavors|os-extra_specs|os-flavor-access|projects|users|roles|regions|services|endpoints)"
    r"/(?!detail$)[^/]+"
)


def template(path: str) -> str:
    """Return the path without the names of single things: `/v2.1/flavors/{id}`."""
    return _NAMED.sub(r"/\1/{id}", path)


def caller(user_agent: str) -> Caller:
    """Return who sent a request, by its `User-Agent`."""
    if user_agent.startswith(USER_AGENT):
        return "lab"
    if "keystonemiddleware" in user_agent or user_agent.startswith(_NOVA_AGENTS):
        return "nova"
    return "service"


class AccessLog:
    """An append-only log for several threads; it never holds a query or a header."""

    def __init__(self, path: Path) -> None:
        """Open the log at `path`, creating it if need be.

        Raises:
            OSError: it cannot be opened.
        """
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def record(self, method: str, path: str, user_agent: str) -> None:
        """Append one request, in a single write, so that threads' lines do not mix."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "caller": caller(user_agent),
            "request": f"{method} {template(path)}",
            "path": path,
        }
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


def size(path: Path) -> int:
    """Return the length of a log in bytes, 0 if there is none yet."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def count(path: Path, *, since: int, by: Caller) -> Counter[str]:
    """Count the requests that `by` sent after byte `since` of a log."""
    if not path.exists():
        return Counter()
    with path.open("rb") as log:
        log.seek(since)
        lines = [json.loads(line) for line in log if line.endswith(b"\n")]
    return Counter(line["request"] for line in lines if line["caller"] == by)
