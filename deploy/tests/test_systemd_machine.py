"""The units run as they are under a real systemd, the first process of namespaces of its own."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import django
import pytest
from cryptography.fernet import Fernet

from deploy.tests.stack import ROOT, until

SYSTEMD, PYTHON = Path("/lib/systemd/systemd"), Path("/usr/bin/python3")
PACKAGES = Path(django.__file__).parents[1]
NAMESPACES = ["unshare", "--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net", "--fork", "--kill-child"]
# What the units need, and nothing else of this machine's.
TARGETS = ("sysinit", "basic", "shutdown", "multi-user", "network-online")
PROGRAMS = ("web", "worker", "scheduler")
DATA = "/var/lib/flavor-sync"


def what_is_missing() -> str:
    """Return why there can be no machine here, or nothing."""
    if os.geteuid() != 0 or not SYSTEMD.exists():
        return "it takes root, and systemd"
    version = "import sys; print(*sys.version_info[:2])"
    found = subprocess.run([PYTHON, "-c", version], capture_output=True, text=True)
    if found.stdout.split() != [str(part) for part in sys.version_info[:2]]:
        return f"{PYTHON} is not of the version that our packages are for"
    mounts = "mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run"
    overlay = "mkdir /run/u /run/w && mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/u,workdir=/run/w /etc"
    can = subprocess.run([*NAMESPACES, "sh", "-c", f"{mounts} && {overlay}"], capture_output=True)
    return "" if can.returncode == 0 else "namespaces, or mounts in them, are not allowed"


pytestmark = [
    pytest.mark.process,
    pytest.mark.thorough,
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing() or "there is all"),
]

# The scheduler's first look at what is due would end it, if it could not be made.
STEPS = """\
ready() { curl -sf --unix-socket /run/flavor-sync/web.sock http://localhost/health/ready; }
wait_until() { for _ in $(seq 900); do "$@" >/dev/null && return; sleep 0.1; done; echo "not: $*"; }
active() { systemctl is-active -q flavor-sync-web flavor-sync-worker flavor-sync-scheduler; }
restarted() { [ "$(systemctl show -p NRestarts --value flavor-sync-worker)" = 1 ] && active; }
reloaded() { [ "$(pgrep -P "$web" | sort | head -1)" != "$first" ] && ready; }

systemctl start flavor-sync-web flavor-sync-worker flavor-sync-scheduler
wait_until ready
wait_until active
web=$(systemctl show -p MainPID --value flavor-sync-web)
stat -c '%U %a' /proc/$web
first=$(pgrep -P "$web" | sort | head -1)
systemctl reload flavor-sync-web
wait_until reloaded
kill -KILL "$(systemctl show -p MainPID --value flavor-sync-worker)"
wait_until restarted
for name in web worker scheduler; do
    systemctl show -p NRestarts --value flavor-sync-$name
done
systemctl stop flavor-sync-web flavor-sync-worker flavor-sync-scheduler
for name in web worker scheduler; do
    systemctl show -p Result --value flavor-sync-$name
done
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the machine needs."""
    units = tmp_path / "units"
    shutil.copytree(ROOT / "deploy" / "systemd", units)
    for target in TARGETS:
        (units / f"{target}.target").write_text(f"[Unit]\nDescription={target}\nDefaultDependencies=no\n")
    (tmp_path / "generators").mkdir()
    (tmp_path / "steps").write_text(STEPS)
    (tmp_path / "environment").write_text(
        f"SECRET_KEY=of-the-tests-{'x' * 50}\nFIELD_ENCRYPTION_KEYS={Fernet.generate_key().decode()}\n"
    )
    for program in PROGRAMS:
        use_sqlite(units / f"flavor-sync-{program}.service.d")
    make_virtual_environment(tmp_path / "venv")
    return tmp_path


def use_sqlite(more: Path) -> None:
    """Give a unit a place for the database and its locks, as docs/hardening.md says; with MariaDB they need none."""
    added = f"Environment=DATA_FOLDER={DATA}", f"ReadWritePaths={DATA}"
    assert all(line in (ROOT / "docs" / "hardening.md").read_text() for line in added)
    more.mkdir()
    (more / "override.conf").write_text("\n".join(["[Service]", *added, ""]))


def make_virtual_environment(folder: Path) -> None:
    """Make one of Debian's Python, which finds our packages where the machine has them."""
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text("/opt/packages\n")
    gunicorn = folder / "bin" / "gunicorn"
    gunicorn.write_text("#!/opt/flavor-sync/.venv/bin/python\nfrom gunicorn.app.wsgiapp import run\nrun()\n")
    gunicorn.chmod(0o755)


def test_they_start_are_reloaded_restarted_and_stopped(folder: Path) -> None:
    command: list[str | Path] = [*NAMESPACES, "bash", ROOT / "deploy/tests/machine.sh", folder, ROOT, PACKAGES]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DATA_FOLDER": DATA}
    with (folder / "machine.log").open("wb") as log:
        machine = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until(lambda: machine.poll() is not None or (folder / "done").exists(), "the steps are done", seconds=280)
        assert machine.poll() is None, (folder / "machine.log").read_text()
    finally:
        if machine.poll() is None:
            os.killpg(machine.pid, signal.SIGKILL)
            machine.wait(60)
    owner, *said = (folder / "said").read_text().splitlines()
    assert owner.startswith("flavor-sync "), said
    # Nobody has restarted but who was killed; all have ended as they should.
    assert said == ["0", "1", "0", "success", "success", "success"]
