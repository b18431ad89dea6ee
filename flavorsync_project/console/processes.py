"""The processes that commands start: our own commands, and gunicorn, which serves."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder of our packages: a clone, or where pip has installed them."""

CONFIGURATION = ROOT / "flavorsync_serving" / "gunicorn.conf.py"


def own_command(*arguments: str) -> list[str]:
    """Return what runs one of our commands, in `own_environment`."""
    return [sys.executable, "-P", "-m", "flavorsync_project", *arguments]


def gunicorn(*arguments: str) -> list[str]:
    """Return what serves Flavor Sync, in `own_environment`."""
    return [sys.executable, "-P", "-m", "gunicorn", "-c", str(CONFIGURATION), *arguments, "flavorsync_project.wsgi"]


def own_environment(**more: str) -> dict[str, str]:
    """Return this process's environment, in which Python finds our packages, and not what the current folder has."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **more}
