"""The image that scripts/image builds without an engine, run as an unprivileged user with a read-only file system."""

import json
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from cryptography.fernet import Fernet

from deploy.tests.stack import ROOT, until
from deploy.tests.test_read_only import answer
from scripts.tests.checkout import Server, free_port, password_in

TOOLS = ("mmdebstrap", "umoci", "bwrap")
pytestmark = [
    pytest.mark.process,
    pytest.mark.thorough,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"it takes {', '.join(TOOLS)}"),
]
TO_TRY = {"DATA_FOLDER": "/tmp", "ENV_FILE": "/dev/null", "PATH": "/usr/local/bin:/usr/bin:/bin"}
SETTINGS = TO_TRY | {
    "SECRET_KEY": "of-the-tests-" + "x" * 50,
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "DATABASE_URL": "sqlite:////tmp/db.sqlite3",
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


def confined(image: Path, temporary: Path, *command: str, settings: dict[str, str] = SETTINGS) -> list[str]:
    """Return what runs a command in the image, as an engine would: as its user, without a capability."""
    views = ["--ro-bind", str(image / "rootfs"), "/", "--dev", "/dev", "--proc", "/proc"]
    views += ["--bind", str(temporary), "/tmp", "--unshare-user", "--unshare-pid", "--uid", "10001", "--gid", "10001"]
    set_up = [part for name, value in settings.items() for part in ("--setenv", name, value)]
    return ["bwrap", *views, "--clearenv", *set_up, "--cap-drop", "ALL", "--die-with-parent", "--", *command]


def test_it_migrates_and_serves(image: Path, tmp_path: Path) -> None:
    for typed in ("migrate --no-input", "run_scheduler --once"):
        command = confined(image, tmp_path, "flavor-sync", *typed.split())
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    port = free_port()
    command = confined(image, tmp_path, "flavor-sync", "run_web", "--bind", f"127.0.0.1:{port}")
    process = subprocess.Popen(command)
    try:
        until(lambda: answer(port, "/health/ready") == 200, "web is ready")
        assert [answer(port, path) for path in ("/v1", "/", "/static/flavorsync/site.css", "/v1/docs")] == [200] * 4
    finally:
        process.terminate()
        process.wait(60)


def test_serve_is_as_good_as_in_a_clone(image: Path, tmp_path: Path) -> None:
    """With nothing set but where it may write."""
    folder, log, port = tmp_path / "written", tmp_path / "log", free_port()
    folder.mkdir()
    command = confined(image, folder, "flavor-sync", "serve", "--port", str(port), settings=TO_TRY)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        server = Server(process, port, log)
        password = password_in(server.printed)
        assert password
        as_admin = {"Authorization": f"Basic {b64encode(f'admin:{password}'.encode()).decode()}"}
        body = json.dumps({"flavor": {"name": "fed.small", "vcpus": 1, "ram": 2048, "disk": 20}}).encode()
        promoting = Request(server.url + "/v1/promotedflavors", body, as_admin | {"Content-Type": "application/json"})
        with urlopen(promoting, timeout=60) as answer:
            assert answer.status == 201
        assert "fed.small" in server.get("/")[1]
        until(lambda: "Starting worker" in server.printed, "the worker works")
    finally:
        process.terminate()
        process.wait(60)


def test_it_has_the_driver_of_mariadb_and_runs_as_nobody_in_particular(image: Path, tmp_path: Path) -> None:
    program = "import os, sys; sys.path.insert(0, '/opt/flavor-sync'); import MySQLdb; print(os.getuid())"
    done = subprocess.run(confined(image, tmp_path, "python3", "-c", program), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "10001\n"), done.stderr


def test_its_modules_are_compiled_since_they_cannot_be_where_it_runs(image: Path) -> None:
    for folder in ("opt/flavor-sync", "usr/lib/python3.11"):
        modules = list((image / "rootfs" / folder).rglob("*.py"))
        assert len(modules) > 100
        assert [path for path in modules if not Path(cache_from_source(str(path))).exists()] == []


def test_the_oci_image_says_how_it_is_run(image: Path) -> None:
    (entry,) = json.loads((image / "oci" / "index.json").read_text())["manifests"]

    def blob(digest: str) -> dict[str, dict[str, object]]:
        read: dict[str, dict[str, object]] = json.loads((image / "oci/blobs" / digest.replace(":", "/")).read_text())
        return read

    manifest = blob(entry["digest"])
    config = blob(str(manifest["config"]["digest"]))["config"]
    assert (config["Entrypoint"], config["User"]) == (["flavor-sync"], "10001:10001")
    assert config["Cmd"] == ["run_web", "--bind", "0.0.0.0:8000"]
