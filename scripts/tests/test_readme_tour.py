"""The README's tour, pasted from top to bottom into a shell beside scripts/serve --lab, prints what the README says."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from compute.tests.clients.environment import environment_of
from lab import Lab, seed
from scripts.tests.checkout import ROOT, Checkout
from testing.lab import lab_of_the_tests
from testing.proxied import until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
END = "=== the end of a block"
SERVE = "scripts/serve --lab\n"
CLIENTS = ("openstackclient", "ansible")


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The tests' lab, with its seed before and after."""
    lab = lab_of_the_tests()
    lab.reset()
    yield lab
    lab.reset()


def tour() -> list[tuple[str, str]]:
    """Return the blocks to paste into the second terminal, and what each prints."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"(?ms)^## Five minutes.*?(?=^## )", readme)
    blocks = BLOCK.findall(section)
    assert blocks.pop(0) == ("sh", SERVE)
    assert [kind for kind, _ in blocks] == ["sh", "text"] * (len(blocks) // 2)
    return [(commands, printed) for (_, commands), (_, printed) in zip(blocks[::2], blocks[1::2], strict=True)]


def test_it_can_be_pasted(checkout: Checkout, lab: Lab) -> None:
    # The tests' own lab, not one more, and what it is asked from now on.
    since = ",".join(f"{cloud}:{size}" for cloud, size in lab.mark().items())
    checkout.put_script(
        "lab", f'#!/bin/sh\n[ "$1" = requests ] && set -- requests --since {since}\nexec "{ROOT}/scripts/lab" "$@"\n'
    )
    server = checkout.serve("--lab")
    blocks = tour()
    pasted = "".join(f"{commands}echo '{END}'\n" for commands, _ in blocks)
    # Last: they have a python3 of their own, which ./manage.py must not find.
    path = os.pathsep.join([os.environ["PATH"], *(str(environment_of(client)) for client in CLIENTS)])
    shell = subprocess.run(
        ["bash"],
        input=pasted.replace("http://127.0.0.1:5000", server.url),
        cwd=checkout.root,
        env=os.environ | {"FLAVORSYNC_LAB": lab.name, "ENV_FILE": os.devnull, "PATH": path},
        capture_output=True,
        text=True,
        timeout=280,
    )
    printed = shell.stdout.split(f"{END}\n")
    assert printed.pop() == "", shell.stderr
    assert [UUID.sub("ID", found) for found in printed] == [UUID.sub("ID", expected) for _, expected in blocks]
    # What was made and deleted last is so in every cloud, within seconds.
    until(lambda: [names & {"fed.big", "fed.tiny"} for names in names_in(lab)] == [{"fed.tiny"}] * len(seed.REGIONS))
    server.stop()


def names_in(lab: Lab) -> list[set[str]]:
    """Return the names of the flavors that each cloud has."""
    return [{flavor["name"] for flavor in lab.flavors(region)} for region in seed.REGIONS]
