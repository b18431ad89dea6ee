"""The service before the lab's clouds, for clients that find it in the catalogue of the central Keystone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import Lab, seed
from testing.process import Process

FEDERATION, NODE = "Federation", "Spain2"
SETTINGS = {
    "KEYROCK_URL": "",
    "KEYSTONE_IDENTITY": "true",
    "KEYSTONE_MANAGERS": seed.KEYSTONE_MANAGERS,
    "INFRASTRUCTURE_URL_ALLOWLIST": "*,127.0.0.1",
    "COMPUTE_SETTLE_SECONDS": "0",
}


@contextmanager
def served(lab: Lab, folder: Path) -> Iterator[Process]:
    """Run the service over a database of its own in *folder*, with all clouds of the lab registered."""
    process = Process(lab, f"sqlite:///{folder}/served.sqlite3", settings=SETTINGS)
    manage_all(process, ["migrate", "-v0"], *(_registration(process, node, folder) for node in seed.REGIONS))
    process.start()
    try:
        with registered(process, folder, FEDERATION, f"http://127.0.0.1:{process.port}/compute"):
            yield process
    finally:
        process.kill()
        lab.reset()


@contextmanager
def registered(process: Process, folder: Path, region: str, url: str) -> Iterator[None]:
    """Have Keystone's catalogue name this URL as the compute service of a region."""
    token = folder / "token"
    token.write_text(process.lab.token("spain2-admin"))
    endpoint = ("register_compute_endpoint", "--token-file", str(token), "--region", region)
    manage(process, *endpoint, "--url", url)
    try:
        yield
    finally:
        manage(process, *endpoint, "--remove")


def manage(process: Process, *command: str) -> None:
    """Run a command of the service's."""
    done = process.manage(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def manage_all(process: Process, *commands: list[str]) -> None:
    """Run several commands of the service's in one process: each takes seconds to start."""
    code = f"from django.core.management import call_command\nfor command in {commands!r}: call_command(*command)"
    manage(process, "shell", "-v0", "-c", code)


def _registration(process: Process, node: str, folder: Path) -> list[str]:
    """Return the command that registers a node."""
    project = node.lower()
    password = folder / "password"
    password.write_text(seed.PASSWORD)
    keystone = process.lab.mordor_keystone_url if seed.REGIONS[node] == "mordor-keystone" else process.lab.keystone_url
    account = ["--username", f"{project}-admin", "--tenant", project, "--password-file", str(password)]
    return ["register_infrastructure", node, "--keystone-url", keystone, *account]
