"""The image that scripts/image builds without an engine, run as an unprivileged user with a read-only file system."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from deploy.tests.stack import ROOT, until
from deploy.tests.test_read_only import answer
from scripts.tests.checkout import free_port

TOOLS = ("mmdebstrap", "umoci", "bwrap")
pytestmark = [
    pytest.mark.process,
    pytest.mark.thorough,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"it takes {', '.join(TOOLS)}"),
]
SETTINGS = {
    "SECRET_KEY": "of-the-tests-" + "x" * 50,
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "DATABASE_URL": "sqlite:////tmp/db.sqlite3",
    "DATA_FOLDER": "/tmp",
    "ENV_FILE": "/dev/null",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The image, built once; FLAVORSYNC_IMAGE names one that is there already."""
    if built := os.environ.get("FLAVORSYNC_IMAGE"):
        yield Path(built)
        return
    folder = tmp_path_factory.mktemp("image") / "image"
    subprocess.run([ROOT / "scripts" / "image", folder], check=True, capture_output=True, timeout=800)
    yield folder
    shutil.rmtree(folder)


def confined(image: Path, temporary: Path, *command: str) -> list[str]:
    """Return what runs a command in the image, as an engine would: as its user, without a capability."""
    views = ["--ro-bind", str(image / "rootfs"), "/", "--dev", "/dev", "--proc", "/proc"]
    views += ["--bind", str(temporary), "/tmp", "--unshare-user", "--unshare-pid", "--uid", "10001", "--gid", "10001"]
    set_up = [part for name, value in SETTINGS.items() for part in ("--setenv", name, value)]
    return ["bwrap", *views, "--clearenv", *set_up, "--cap-drop", "ALL", "--die-with-parent", "--", *command]


def test_it_migrates_and_serves(image: Path, tmp_path: Path) -> None:
    migrated = subprocess.run(
        confined(image, tmp_path, "flavor-sync", "migrate", "--no-input"), capture_output=True, text=True, timeout=120
    )
    assert migrated.returncode == 0, migrated.stderr
    port = free_port()
    command = confined(image, tmp_path, "flavor-sync", "run_web", "--bind", f"127.0.0.1:{port}")
    process = subprocess.Popen(command)
    try:
        until(lambda: answer(port, "/health/ready") == 200, "web is ready")
        assert [answer(port, path) for path in ("/v1", "/", "/static/flavorsync/site.css", "/v1/docs")] == [200] * 4
    finally:
        process.terminate()
        process.wait(60)


def test_it_has_the_driver_of_mariadb_and_runs_as_nobody_in_particular(image: Path, tmp_path: Path) -> None:
    program = "import os, sys; sys.path.insert(0, '/opt/flavor-sync'); import MySQLdb; print(os.getuid())"
    done = subprocess.run(confined(image, tmp_path, "python3", "-c", program), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "10001\n"), done.stderr


def test_the_oci_image_says_how_it_is_run(image: Path) -> None:
    (entry,) = json.loads((image / "oci" / "index.json").read_text())["manifests"]

    def blob(digest: str) -> dict[str, dict[str, object]]:
        read: dict[str, dict[str, object]] = json.loads((image / "oci/blobs" / digest.replace(":", "/")).read_text())
        return read

    manifest = blob(entry["digest"])
    config = blob(str(manifest["config"]["digest"]))["config"]
    assert (config["Entrypoint"], config["User"]) == (["flavor-sync"], "10001:10001")
    assert config["Cmd"] == ["run_web", "--bind", "0.0.0.0:8000"]
