"""Clients that people have, each in an environment of its own below `.lab`, as its requirements file pins it."""

import hashlib
import subprocess
import sys
from pathlib import Path

from lab import install
from lab.files import locked

HERE = Path(__file__).parent
MAY_TAKE_SECONDS = 280


def environment_of(client: str) -> Path:
    """Return the folder with the programs of a client, made now or before; up to a minute for the first time."""
    requirements = HERE / f"{client}.txt"
    folder = install.STATE / "clients" / client
    stamp, digest = folder / "stamp", hashlib.sha256(requirements.read_bytes()).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / "lock"):
        if not stamp.exists() or stamp.read_text() != digest:
            _uv("venv", "--clear", "--python", sys.executable, str(folder))
            _uv("pip", "install", "--python", str(folder / "bin/python"), "--no-deps", "-r", str(requirements))
            stamp.write_text(digest)
    return folder / "bin"


def _uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", "--no-config", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAY_TAKE_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
