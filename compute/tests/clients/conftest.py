"""The service that clients are tried on."""

from collections.abc import Iterator

import pytest

from compute.tests.clients.face import Face
from compute.tests.clients.service import FEDERATION, NODE, served
from lab import Lab
from testing.fixtures import lab
from testing.process import Process

__all__ = ["lab"]


@pytest.fixture(scope="module")
def process(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The service, for all tests of a module."""
    with served(lab, tmp_path_factory.mktemp("service")) as process:
        yield process


@pytest.fixture(params=[FEDERATION, pytest.param(NODE, marks=pytest.mark.thorough)])
def face(request: pytest.FixtureRequest, process: Process) -> Iterator[Face]:
    """Each of the two faces in turn; whatever a test makes there is gone in the end, from the clouds too."""
    face = Face(process, request.param)
    yield face
    if face.in_clouds():
        face.bring()
    assert face.in_clouds() == {}
