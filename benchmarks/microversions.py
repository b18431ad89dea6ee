"""What each call about flavors costs at several microversions: a real Nova of the lab, by hand.

*Ours* is the microversion that Flavor Sync uses for the call, the floor another one.
"""

import json
import uuid
from collections.abc import Callable, Iterable

from benchmarks.clouds import FLAVORS, MICROVERSION, PATH, USERS
from benchmarks.load import Client, Request
from benchmarks.report import Row, compared
from lab import Lab

REGION = "Spain2"
OLDEST, DESCRIBES, WITHOUT_CHECKS, LATEST = "2.1", "2.55", "2.85", "2.96"
# Extra specs that Nova knows, and others. From 2.86 on it checks the values of the former, and compares the name of
# each of the latter with all that it knows.
KNOWN = {"hw:cpu_policy": "shared", "hw:mem_page_size": "any", "hw_rng:allowed": "true"}
OTHERS = {"scs:cpu-type": "shared-core", "scs:disk0-type": "ssd", "scs:name-v2": "SCS-2V-8-20s"}
PUBLIC, PRIVATE = "microversions-public", "microversions-private"

Call = Callable[[str], Iterable[Request]]
"""The requests of a call, made at a microversion."""


class Calls:
    """The calls about a region's flavors."""

    def __init__(self, lab: Lab) -> None:
        """Make a public and a private flavor to work on."""
        self._url, self._token = lab.nova_url(REGION), lab.token(USERS[REGION])
        self._project = next(iter(lab.project_ids(REGION).values()))  # Nova asks Keystone whether there is one
        for name in (PUBLIC, PRIVATE):
            lab.create_flavor(REGION, name, flavor_id=name, public=name == PUBLIC)
        self._flavors = [flavor["id"] for flavor in lab.flavors(REGION)]

    def list_all(self, version: str) -> Iterable[Request]:
        """List all flavors."""
        yield self._request(version, "GET", PATH)

    def list_then_specs(self, version: str) -> Iterable[Request]:
        """List all flavors, and read each one's extra specs with a request of its own."""
        yield from self.list_all(version)
        for flavor in self._flavors:
            yield self._request(version, "GET", f"/flavors/{flavor}/os-extra_specs")

    def access_list(self, version: str) -> Iterable[Request]:
        """Read who has access to the private flavor."""
        yield self._request(version, "GET", f"/flavors/{PRIVATE}/os-flavor-access")

    def grant_and_revoke(self, version: str) -> Iterable[Request]:
        """Grant a project access to the private flavor, and revoke it."""
        for action in ("addTenantAccess", "removeTenantAccess"):
            yield self._request(version, "POST", f"/flavors/{PRIVATE}/action", {action: {"tenant": self._project}})

    def set_known(self, version: str) -> Iterable[Request]:
        """Set extra specs of the public flavor that Nova knows."""
        yield self._request(version, "POST", f"/flavors/{PUBLIC}/os-extra_specs", {"extra_specs": KNOWN})

    def set_others(self, version: str) -> Iterable[Request]:
        """Set extra specs of the public flavor that Nova does not know."""
        yield self._request(version, "POST", f"/flavors/{PUBLIC}/os-extra_specs", {"extra_specs": OTHERS})

    def describe(self, version: str) -> Iterable[Request]:
        """Change the public flavor's description."""
        yield self._request(version, "PUT", f"/flavors/{PUBLIC}", {"flavor": {"description": uuid.uuid4().hex}})

    def create(self, version: str, **more: str) -> Iterable[Request]:
        """Create a flavor. `more` are Nova's own members, such as `description`."""
        flavor = {"name": uuid.uuid4().hex, "vcpus": 1, "ram": 512, "disk": 1, **more}
        yield self._request(version, "POST", "/flavors", {"flavor": flavor})

    def create_described(self, version: str) -> Iterable[Request]:
        """Create a flavor with a description."""
        return self.create(version, description="Large")

    def _request(self, version: str, method: str, path: str, body: object = None) -> Request:
        headers = {**MICROVERSION, "X-OpenStack-Nova-API-Version": version, "X-Auth-Token": self._token}
        content = b"" if body is None else json.dumps(body).encode()
        return Request(self._url + path, headers, method=method, content=content)


def measure(lab: Lab, *, rounds: int) -> list[Row]:
    """Measure every call at the microversion that we use, and at another, in turn.

    Args:
        rounds: how often each call is made.

    Raises:
        WrongAnswerError: Nova refuses one of them.
    """
    calls = Calls(lab)
    (listing,) = calls.list_all(LATEST)
    client = Client.to(listing)

    def milliseconds(call: Call, version: str) -> float:
        return sum(client.seconds(request) for request in call(version)) * 1000

    def row(work: str, call: Call, at: str, other: str, at_most: float, *, instead: Call | None = None) -> Row:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            times[0].append(milliseconds(call, at))
            times[1].append(milliseconds(instead or call, other))
        return compared(f"{work}, at {at}: at {other}", *times, unit="ms", at_most=at_most)

    same, quicker = 1.2, 0.8
    rows = [
        row(f"list {FLAVORS} flavors", calls.list_all, LATEST, OLDEST, 2),
        row("list, with extra specs", calls.list_all, LATEST, DESCRIBES, quicker, instead=calls.list_then_specs),
        row("read an access list", calls.access_list, LATEST, OLDEST, same),
        row("grant access and revoke it", calls.grant_and_revoke, LATEST, OLDEST, same),
        row("set 3 extra specs, known", calls.set_known, WITHOUT_CHECKS, LATEST, same),
        row("set 3 extra specs, others", calls.set_others, WITHOUT_CHECKS, LATEST, quicker),
        row("set 3 extra specs, others", calls.set_others, WITHOUT_CHECKS, OLDEST, same),
        row("describe", calls.describe, LATEST, DESCRIBES, same),
        row("create", calls.create, LATEST, OLDEST, same),
        row("create, with a description", calls.create_described, LATEST, DESCRIBES, same),
    ]
    client.close()
    return rows
