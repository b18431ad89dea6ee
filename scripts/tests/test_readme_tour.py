"""The tours of README.md and docs/tour.md, pasted into a shell beside scripts/serve --lab, print what is there."""

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
RUN = re.compile(r"Run [0-9]+")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
END = "=== the end of a block"
SERVE = "scripts/serve --lab\n"
CLIENTS = ("openstackclient", "ansible")


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The tests' lab, with its seed before and after."""
    lab = lab_of_the_tests()
    lab.up()
    lab.reset()
    yield lab
    lab.reset()


def tour(page: str) -> list[tuple[str, str]]:
    """Return the blocks to paste into the second terminal, and what each prints."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text[text.index(f"```sh\n{SERVE}") :])
    assert blocks.pop(0) == ("sh", SERVE)
    assert [kind for kind, _ in blocks] == ["sh", "text"] * (len(blocks) // 2)
    return [(commands, printed) for (_, commands), (_, printed) in zip(blocks[::2], blocks[1::2], strict=True)]


def pasted(page: str, checkout: Checkout, lab: Lab, url: str) -> None:
    """Paste a page's tour into a shell, and compare what it prints with the page."""
    # The tests' own lab, not one more, and what it is asked from now on.
    since = ",".join(f"{cloud}:{size}" for cloud, size in lab.mark().items())
    checkout.put_script(
        "lab", f'#!/bin/sh\n[ "$1" = requests ] && set -- requests --since {since}\nexec "{ROOT}/scripts/lab" "$@"\n'
    )
    blocks = tour(page)
    commands = "".join(f"{commands}echo '{END}'\n" for commands, _ in blocks)
    shell = typed(commands.replace("http://127.0.0.1:5000", url), checkout, lab)
    printed = shell.stdout.split(f"{END}\n")
    assert printed.pop() == "", shell.stderr
    assert list(map(comparable, printed)) == [comparable(expected) for _, expected in blocks], shell.stderr


def comparable(text: str) -> str:
    """Leave out what differs from one day to the next."""
    return RUN.sub("Run N", UUID.sub("ID", text))


def typed(commands: str, checkout: Checkout, lab: Lab) -> "subprocess.CompletedProcess[str]":
    """Return what comes of commands in a shell beside the server."""
    # Last: they have a python3 of their own, which ./manage.py must not find.
    path = os.pathsep.join([os.environ["PATH"], *(str(environment_of(client)) for client in CLIENTS)])
    environment = os.environ | {"FLAVORSYNC_LAB": lab.name, "ENV_FILE": os.devnull, "PATH": path}
    return subprocess.run(
        ["bash"], input=commands, cwd=checkout.root, env=environment, capture_output=True, text=True, timeout=280
    )


@pytest.mark.parametrize(
    ("page", "left"),
    [
        pytest.param("README.md", {"fed.small", "fed.big"}, id="README"),
        pytest.param("docs/tour.md", {"fed.tiny"}, id="tour", marks=pytest.mark.thorough),
    ],
)
def test_a_tour_can_be_pasted(page: str, left: set[str], checkout: Checkout, lab: Lab) -> None:
    checkout.put_script("lab", f'#!/bin/sh\nexec "{ROOT}/scripts/lab" "$@"\n')
    server = checkout.serve("--lab")
    pasted(page, checkout, lab, server.url)
    # What was made and deleted is so in every cloud, within seconds.
    until(lambda: names_in(lab) == [left] * len(seed.REGIONS))
    server.stop()


def names_in(lab: Lab) -> list[set[str]]:
    """Return the names of the federation's flavors that each cloud has."""
    names = [{flavor["name"] for flavor in lab.flavors(region)} for region in seed.REGIONS]
    return [{name for name in found if name.startswith("fed.")} for found in names]
