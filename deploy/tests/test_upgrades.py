"""Upgrades, from earlier commits as they were: what they wrote is kept, and the version before answers meanwhile."""

import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from deploy.tests.stack import ROOT, until
from scripts.tests.checkout import free_port

FIRST = "e6f0fe6"
"""The first commit that had data: flavors, installations and clouds with passwords."""


def git(*arguments: str) -> bytes:
    """Return what git says, or nothing."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False).stdout
    except OSError:
        return b""


pytestmark = [
    pytest.mark.process,
    pytest.mark.thorough,
    pytest.mark.skipif(
        not git("rev-parse", "--verify", "--quiet", f"{FIRST}^{{commit}}"), reason="there is no history"
    ),
]


class Version:
    """The code of a commit, or of now, over one database."""

    def __init__(self, root: Path, database: Path, key: str) -> None:
        self.root = root
        self.environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "of-the-tests-" + "x" * 50,
            "FIELD_ENCRYPTION_KEYS": key,
            "DATABASE_URL": f"sqlite:///{database}",
        }

    def manage(self, *arguments: str, code: str = "") -> str:
        """Return what a command prints."""
        command = [sys.executable, str(self.root / "manage.py"), *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, input=code, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def serve(self, port: int) -> "subprocess.Popen[bytes]":
        """Start web."""
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "flavorsync_project.wsgi"]
        return subprocess.Popen(command, cwd=self.root, env=self.environment)


def version(commit: str, folder: Path, now: Version) -> Version:
    """Return the code of a commit, over the same database."""
    archive = io.BytesIO(git("archive", commit))
    with tarfile.open(fileobj=archive) as files:
        files.extractall(folder / commit, filter="data")
    made = Version(folder / commit, Path(), "")
    made.environment = now.environment
    return made


@pytest.fixture
def now(tmp_path: Path) -> Version:
    """The code of now, over an empty database."""
    return Version(ROOT, tmp_path / "db.sqlite3", Fernet.generate_key().decode())


WRITE = """
from flavors.models import Flavor, Installation
from infrastructures.models import Infrastructure
cloud = Infrastructure(
    name="Mordor", region="Mordor", keystone_url="https://keystone.example.org/v3", tenant="t", username="u"
)
cloud.set_password("kept-secret")
cloud.save()
flavor = Flavor.objects.create(
    flavorid="42", name="m1.kept", vcpus=2, ram=4096, disk=20, public=True, promoted=True,
    extra_specs={"hw:cpu_policy": "shared"},
)
Installation.objects.create(flavor=flavor, infrastructure=cloud, flavorid="42")
"""
READ = "from infrastructures.models import Infrastructure; print(Infrastructure.objects.get().get_password())"


def test_what_the_first_version_wrote_is_kept(now: Version, tmp_path: Path) -> None:
    first = version(FIRST, tmp_path, now)
    first.manage("migrate", "--no-input")
    first.manage("shell", "-c", WRITE)
    now.manage("migrate", "--no-input")
    now.manage("check")
    (flavor,) = json.loads(now.manage("list_flavors", "--json"))
    assert (flavor["id"], flavor["name"], flavor["ram"], flavor["promoted"]) == ("42", "m1.kept", 4096, True)
    assert (flavor["nodes"], flavor["extra_specs"]) == (["Mordor"], {"hw:cpu_policy": "shared"})
    assert now.manage("shell", "-c", READ).splitlines()[-1] == "kept-secret"


def flavors(port: int) -> tuple[int, Any]:
    """Return the status and the body of the catalogue, 0 where nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/v1/flavors")
        answered = connection.getresponse()
        return answered.status, answered.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def test_the_version_before_answers_while_the_new_one_migrates_and_after(now: Version, tmp_path: Path) -> None:
    """Expand and contract, for the newest migrations; and back to the version before, without migrating back."""
    newest = git("log", "--diff-filter=A", "-1", "--format=%H", "--", "*/migrations/0*.py").decode().strip()
    before = version(f"{newest}~", tmp_path, now)
    before.manage("migrate", "--no-input")
    before.manage("shell", "-c", WRITE)
    port, statuses, done = free_port(), [], threading.Event()
    old = before.serve(port)
    try:
        until(lambda: flavors(port)[0] == 200, "the version before answers")

        def ask() -> None:
            while not done.is_set():
                statuses.append(flavors(port)[0])

        asking = threading.Thread(target=ask)
        asking.start()
        now.manage("migrate", "--no-input")
        done.set()
        asking.join()
        assert (set(statuses), len(statuses) > 10) == ({200}, True)
        # It sees what the new one writes; and writes what the new one sees.
        now.manage("promote_flavor", "m1.kept")
        assert b"m1.kept" in flavors(port)[1]
    finally:
        old.terminate()
        old.wait(60)
    # Back: the old code, started over the new schema.
    before.manage("shell", "-c", "from flavors.models import Flavor; Flavor.objects.update(description='of before')")
    (flavor,) = json.loads(now.manage("list_flavors", "--json"))
    assert flavor["description"] == "of before"
