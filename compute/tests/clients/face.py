"""The two faces of a service, as people point their clients at them, and what is in the clouds afterwards."""

import json
import os
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compute.tests.clients.environment import environment_of
from compute.tests.clients.service import FEDERATION, NODE, manage_all
from lab import Lab, seed
from testing.federation import CLOUDS, in_nova
from testing.process import Process

HERE = Path(__file__).parent
NAME = "of.the.client"
MAY_TAKE_SECONDS = 280

Found = dict[str, dict[str, Any]]
"""A flavor as Nova has it, by the node, or by its name."""


@dataclass(frozen=True)
class Face:
    """The face of the federation, for its manager, or that of a node, for the administrator of its Keystone."""

    process: Process
    name: str

    @property
    def nodes(self) -> set[str]:
        """Return the nodes where a flavor is in the end that was made here."""
        return set(CLOUDS) if self.name == FEDERATION else {NODE}

    @property
    def url(self) -> str:
        """Return the endpoint."""
        path = "" if self.name == FEDERATION else f"/nodes/{NODE}"
        return f"http://127.0.0.1:{self.process.port}/compute{path}/v2.1"

    @property
    def environment(self) -> dict[str, str]:
        """Return what a client is told by variables: the region of the federation, or where a node's Nova is."""
        user, project = ("flavor-manager", "federation") if self.name == FEDERATION else ("spain2-admin", "spain2")
        pointed = {} if self.name == FEDERATION else {"OS_COMPUTE_ENDPOINT_OVERRIDE": self.url}
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "LC_ALL": "C.UTF-8",
            "OS_AUTH_URL": self.lab.keystone_url,
            "OS_USERNAME": user,
            "OS_PASSWORD": seed.PASSWORD,
            "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": self.name,
            **pointed,
        }

    @property
    def lab(self) -> Lab:
        """Return the lab that the service runs before."""
        return self.process.lab

    def bring(self) -> None:
        """Have what was written brought to the nodes."""
        if self.name == FEDERATION:
            manage_all(self.process, ["run_scheduler", "--once"], ["run_worker", "--batch"])

    def named(self, names: Collection[str]) -> dict[str, Found]:
        """Return the flavors of these names that each cloud has, by name."""
        clouds = {node: in_nova(self.lab, node).values() for node in CLOUDS}
        return {
            node: {flavor["name"]: flavor for flavor in flavors if flavor["name"] in names}
            for node, flavors in clouds.items()
        }

    def in_clouds(self, name: str = NAME) -> Found:
        """Return the flavor of that name in each cloud that has it."""
        return {node: flavors[name] for node, flavors in self.named([name]).items() if flavors}

    def brought(self, name: str = NAME) -> dict[str, Any]:
        """Return the flavor of that name as each node of this face has it, and no other, once it was brought there."""
        self.bring()
        found = self.in_clouds(name)
        assert found.keys() == self.nodes
        first, *others = found.values()
        assert all(other == first for other in others)
        return first


def run(client: str, program: str, *arguments: str, environment: Mapping[str, str], fails: bool = False) -> str:
    """Run a program of a client's environment, and return what it prints; what it complains of where it *fails*."""
    done = subprocess.run(
        [environment_of(client) / program, *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=MAY_TAKE_SECONDS,
    )
    assert bool(done.returncode) is fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def script(client: str, name: str, *arguments: str, face: Face) -> Any:
    """Run a script of `programs/` with a client's Python before a face, and return what it prints, read as JSON."""
    return json.loads(run(client, "python", str(HERE / "programs" / name), *arguments, environment=face.environment))
