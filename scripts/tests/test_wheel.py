"""The wheel and the sdist: what is in them, that they are the same whoever builds them, and that the wheel serves."""

import os
import re
import signal
import subprocess
import sys
import venv
import zipfile
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from django.conf import settings

from scripts.tests.checkout import DONE, ROOT, Server, free_port, password_in

pytestmark = pytest.mark.process

PACKAGES = {"flavorsync_serving", *(app for app in settings.INSTALLED_APPS if (ROOT / app / "__init__.py").exists())}
NOT_SHIPPED = {"tests", "__pycache__"}


def build(folder: Path, target: str = "wheel", source: Path = ROOT, **variables: str) -> Path:
    """Build the wheel or the sdist, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder]
    subprocess.run(command, cwd=source, env=os.environ | variables, check=True, capture_output=True)
    (built,) = folder.glob({"wheel": "flavor_sync-*.whl", "sdist": "flavor_sync-*.tar.gz"}[target])
    return built


def digest(file: Path) -> tuple[str, bytes]:
    """Return a file's name, and what its bytes come to."""
    return file.name, sha256(file.read_bytes()).digest()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this project."""
    return build(tmp_path_factory.mktemp("wheel"))


def test_whoever_builds_it_gets_the_same_file(wheel: Path, tmp_path: Path) -> None:
    again = build(tmp_path, TZ="Asia/Tokyo", PYTHONHASHSEED="7")
    assert digest(again) == digest(wheel)


@pytest.mark.thorough
def test_the_sdist_is_the_same_too_and_has_all_that_makes_the_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = build(tmp_path / "once", "sdist")
    assert digest(build(tmp_path / "again", "sdist", TZ="Asia/Tokyo", PYTHONHASHSEED="7")) == digest(sdist)
    subprocess.run(["tar", "-xzf", sdist, "-C", tmp_path], check=True)
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert digest(build(tmp_path / "of the sdist", source=unpacked)) == digest(wheel)


def test_it_has_all_of_our_packages_but_no_tests(wheel: Path) -> None:
    """Code, templates, static files and migrations."""
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    shipped = {str(path.relative_to(ROOT)) for path in files if not NOT_SHIPPED.intersection(path.parts)}
    templates = (path.relative_to(ROOT) for path in (ROOT / "templates").rglob("*") if path.is_file())
    shipped.update(f"flavorsync_project/{path}" for path in templates)
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == shipped
    assert {"flavorsync_project/templates/site/base.html", "flavorsync_project/static/flavorsync/site.css"} <= packed


def test_nothing_that_it_needs_has_a_module_of_the_same_name() -> None:
    """Our packages have plain names (docs/decisions/0009-package-names-stay.md)."""
    locked = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    needed = set(re.findall(r"^([a-z0-9-]+)==", locked, re.MULTILINE))
    theirs = {
        module
        for module, owners in packages_distributions().items()
        if needed.intersection(owner.lower().replace("_", "-").replace(".", "-") for owner in owners)
    }
    assert len(theirs) > len(needed) / 2
    assert theirs.isdisjoint(PACKAGES)


def install_beside_what_is_here(wheel: Path, folder: Path) -> list[str]:
    """Install the wheel alone; what it depends on is where the tests have it. Return what types its command."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", folder, wheel], check=True, capture_output=True)
    return [sys.executable, str(folder / "bin" / "flavor-sync")]


def install_with_pip(wheel: Path, folder: Path) -> list[str]:
    """Install the wheel and what it depends on into an environment that has nothing but pip."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", wheel], check=True, capture_output=True, timeout=400)
    return [str(folder / "bin" / "flavor-sync")]


@pytest.mark.parametrize(
    "install", [install_beside_what_is_here, pytest.param(install_with_pip, marks=pytest.mark.thorough)]
)
@pytest.mark.timeout(600)
def test_it_serves_from_where_it_is_installed(install: object, wheel: Path, tmp_path: Path) -> None:
    folder, home, elsewhere = (tmp_path / name for name in ("installed", "home", "elsewhere"))
    for made in (home, elsewhere):
        made.mkdir()
    assert callable(install)
    command = install(wheel, folder)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    if install is install_beside_what_is_here:
        environment["PYTHONPATH"] = str(folder)
    before = {path for path in folder.rglob("*") if path.is_file()}

    said = subprocess.run([*command, "--version"], cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert said.stdout.startswith("Flavor Sync "), said.stderr

    server = serve(command, elsewhere, environment)
    assert server.get("/v1")[0] == 200
    assert "promoted" in server.get("/")[1]
    assert server.get("/static/flavorsync/site.css")[0] == 200
    assert server.get("/static/admin/css/base.css")[0] == 200
    assert server.get("/v1/docs")[0] == 200
    printed = server.stop()
    assert server.process.returncode == 0, printed
    assert password_in(printed)
    # What it has made is the user's own, and nothing of it is beside the code.
    data = home / ".local" / "share" / "flavor-sync"
    assert {".secret_key", ".encryption_key", "db.sqlite3"} <= {path.name for path in data.iterdir()}
    assert (data.stat().st_mode & 0o777, (data / "db.sqlite3").stat().st_mode & 0o777) == (0o700, 0o600)
    assert {path for path in folder.rglob("*") if path.is_file()} == before
    assert list(elsewhere.iterdir()) == []


def serve(command: list[str], folder: Path, environment: dict[str, str]) -> Server:
    """Type `flavor-sync serve`, and wait until it serves."""
    port = free_port()
    output = folder.parent / "serve.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*command, "serve", "--port", str(port)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        return Server(process, port, output)
    except AssertionError:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(DONE)
        raise
