"""The programs in Python that docs/openstack-clients.md shows print what it shows."""

import re
from pathlib import Path

import pytest

from compute.tests.clients.face import Face, run
from compute.tests.clients.service import FEDERATION
from testing.process import Process

pytestmark = [pytest.mark.lab, pytest.mark.process, pytest.mark.thorough, pytest.mark.timeout(900)]

PAGE = Path(__file__).parents[3] / "docs" / "openstack-clients.md"
PROGRAM = re.compile(r"### (\w+)\n\n```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def in_any_order(printed: str) -> list[str]:
    """Return the words: lists are in the order of the ids, which are random."""
    return sorted(re.findall(r"[\w.:]+", printed))


def test_what_is_shown_is_printed(process: Process) -> None:
    programs = PROGRAM.findall(PAGE.read_text())
    assert [client for client, _, _ in programs] == ["openstacksdk", "novaclient", "libcloud"]
    environment = Face(process, FEDERATION).environment
    for client, program, shown in programs:
        printed = run(client, "python", "-c", program, environment=environment)
        assert in_any_order(printed) == in_any_order(shown), client
