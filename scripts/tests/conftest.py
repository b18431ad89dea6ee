"""The fixtures of the scripts' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tests.checkout import OLD_PYTHON, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """Return a copy of the project to type the scripts in."""
    made = Checkout(tmp_path)
    yield made
    made.end()


@pytest.fixture
def old_python(checkout: Checkout) -> str:
    """Leave no Python on the PATH but one that is too old."""
    checkout.put("python3", OLD_PYTHON)
    return "3.9"
