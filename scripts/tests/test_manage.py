"""./manage.py, typed as in the README: it runs in the project's environment, unless another one is active."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tests.checkout import FAKE_PYTHON, Checkout

pytestmark = pytest.mark.process

# The Python that environments are made with, which has no Django
PYTHON = Path(sys.base_prefix) / "bin" / "python3"


@pytest.fixture
def bare(checkout: Checkout) -> Checkout:
    """A copy of the project with a Python that nothing was installed for."""
    (checkout.bin / "python3").unlink()
    (checkout.bin / "python3").symlink_to(PYTHON)
    return checkout


def type_manage(checkout: Checkout, *arguments: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    here = folder or checkout.root
    return subprocess.run(
        [f"./{os.path.relpath(checkout.root / 'manage.py', here)}", *arguments],
        cwd=here,
        env=checkout.environment({"ENV_FILE": os.devnull, "SECRET_KEY": "x"}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def make_environment(checkout: Checkout) -> None:
    python = checkout.root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(FAKE_PYTHON.format(log=checkout.log, folder=checkout.folder, python=sys.executable))
    python.chmod(0o755)


def test_it_finds_the_projects_own_environment(bare: Checkout) -> None:
    make_environment(bare)
    for folder in (bare.root, bare.elsewhere):
        done = type_manage(bare, "list_flavors", "--help", folder=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("usage: manage.py list_flavors [-h] [--node NODE]")
    assert bare.calls == ["./manage.py list_flavors --help", "./../checkout/manage.py list_flavors --help"]


def test_before_there_is_one_it_says_what_makes_it(bare: Checkout) -> None:
    done = type_manage(bare, "list_flavors")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "manage.py: the project's environment is missing; scripts/serve or scripts/test makes it.\n"


def test_in_another_environment_it_stays_there(checkout: Checkout) -> None:
    """The Python on the PATH is that of the tests' environment."""
    make_environment(checkout)
    done = type_manage(checkout, "list_flavors", "--help")
    assert done.returncode == 0, done.stderr
    assert checkout.calls == ["./manage.py list_flavors --help"]
