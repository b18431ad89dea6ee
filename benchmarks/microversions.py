"""What each call about a flavor costs at the microversions that can make it: a real Nova of the lab, by hand.

*Ours* is the microversion that Flavor Sync uses for the call, the floor another one.
"""

import time
import uuid
from collections.abc import Callable
from typing import Any

import requests

from benchmarks.clouds import FLAVORS, PATH, USERS
from benchmarks.load import WrongAnswerError
from benchmarks.report import Row, compared
from lab import Lab

REGION = "Spain2"
SECONDS_TO_ANSWER = 60
OLDEST, DESCRIBES, WITHOUT_CHECKS, LATEST = "2.1", "2.55", "2.85", "2.96"
# Names that Nova knows, whose values it checks from 2.86 on, and others, which it compares with all that it knows.
KNOWN = {"hw:cpu_policy": "shared", "hw:mem_page_size": "any", "hw_rng:allowed": "true"}
OTHERS = {"scs:cpu-type": "shared-core", "scs:disk0-type": "ssd", "scs:name-v2": "SCS-2V-8-20s"}


class Flavors:
    """A region's flavors, each call at a microversion of its own."""

    def __init__(self, lab: Lab) -> None:
        """Make a public and a private flavor to work on."""
        self._session = requests.Session()
        self._session.headers.update({"X-Auth-Token": lab.token(USERS[REGION]), "Accept": "application/json"})
        self._url = lab.nova_url(REGION)
        self._project = next(iter(lab.project_ids(REGION).values()))  # Nova asks Keystone whether there is one
        self._public, self._private = self.create(OLDEST), self.create(OLDEST, public=False)

    def create(self, version: str, *, public: bool = True, **more: str) -> str:
        """Create a flavor, and return its id. `more` are Nova's own members, such as `description`."""
        name = uuid.uuid4().hex
        values = {"name": name, "id": name, "vcpus": 1, "ram": 512, "disk": 1, **more}
        self._call(version, "POST", "/flavors", {"flavor": {**values, "os-flavor-access:is_public": public}})
        return name

    def create_described(self, version: str) -> None:
        """Create a flavor with a description."""
        self.create(version, description="Large")

    def describe(self, version: str) -> None:
        """Change the public flavor's description."""
        body = {"flavor": {"description": uuid.uuid4().hex}}
        self._call(version, "PUT", f"/flavors/{self._public}", body)

    def set_known(self, version: str) -> None:
        """Set extra specs of the public flavor that Nova knows."""
        self._set_specs(version, KNOWN)

    def set_others(self, version: str) -> None:
        """Set extra specs of the public flavor that Nova does not know."""
        self._set_specs(version, OTHERS)

    def grant_and_revoke(self, version: str) -> None:
        """Grant a project access to the private flavor, and revoke it."""
        for action in ("addTenantAccess", "removeTenantAccess"):
            self._call(version, "POST", f"/flavors/{self._private}/action", {action: {"tenant": self._project}})

    def access_list(self, version: str) -> None:
        """Read who has access to the private flavor."""
        self._call(version, "GET", f"/flavors/{self._private}/os-flavor-access")

    def list_all(self, version: str) -> list[dict[str, Any]]:
        """List all flavors."""
        found: list[dict[str, Any]] = self._call(version, "GET", PATH)["flavors"]
        return found

    def list_then_specs(self, version: str) -> None:
        """List all flavors, and read each one's extra specs with a call of its own."""
        for flavor in self.list_all(version):
            self._call(version, "GET", f"/flavors/{flavor['id']}/os-extra_specs")

    def _set_specs(self, version: str, specs: dict[str, str]) -> None:
        self._call(version, "POST", f"/flavors/{self._public}/os-extra_specs", {"extra_specs": specs})

    def _call(self, version: str, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self._session.request(
            method,
            self._url + path,
            json=body,
            headers={"X-OpenStack-Nova-API-Version": version},
            timeout=SECONDS_TO_ANSWER,
        )
        if not answer.ok:
            raise WrongAnswerError(f"{method} {path} at {version}: {answer.status_code} {answer.text[:200]}")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


def measure(lab: Lab, *, rounds: int) -> list[Row]:
    """Measure every call at the microversion that we use, and at another, in turn.

    Args:
        rounds: how often each call is made.

    Raises:
        WrongAnswerError: Nova refuses one of them.
    """
    flavors = Flavors(lab)

    def row(
        work: str, ours: Callable[[str], object], at: str, floor: Callable[[str], object], other: str, at_most: float
    ) -> Row:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            times[0].append(_milliseconds(ours, at))
            times[1].append(_milliseconds(floor, other))
        return compared(f"{work}, at {at}: at {other}", *times, unit="ms", at_most=at_most)

    same, quicker = 1.2, 0.8
    return [
        row(f"list {FLAVORS} flavors", flavors.list_all, LATEST, flavors.list_all, OLDEST, 2),
        row("list, with extra specs", flavors.list_all, LATEST, flavors.list_then_specs, DESCRIBES, quicker),
        row("read an access list", flavors.access_list, LATEST, flavors.access_list, OLDEST, same),
        row("grant access and revoke it", flavors.grant_and_revoke, LATEST, flavors.grant_and_revoke, OLDEST, same),
        row("set 3 extra specs, known", flavors.set_known, WITHOUT_CHECKS, flavors.set_known, LATEST, same),
        row("set 3 extra specs, others", flavors.set_others, WITHOUT_CHECKS, flavors.set_others, LATEST, quicker),
        row("set 3 extra specs, others", flavors.set_others, WITHOUT_CHECKS, flavors.set_others, OLDEST, same),
        row("describe", flavors.describe, LATEST, flavors.describe, DESCRIBES, same),
        row("create", flavors.create, LATEST, flavors.create, OLDEST, same),
        row("create, with a description", flavors.create_described, LATEST, flavors.create_described, DESCRIBES, same),
    ]


def _milliseconds(call: Callable[[str], object], version: str) -> float:
    began = time.perf_counter()
    call(version)
    return (time.perf_counter() - began) * 1000
