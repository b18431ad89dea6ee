"""What scripts/serve does the first time, the second time, and when something is missing."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tests.checkout import DONE, ROOT, Checkout, free_port, password_in

pytestmark = pytest.mark.process


def test_a_first_start_makes_everything_and_a_second_one_nothing(checkout: Checkout) -> None:
    first = checkout.serve()
    status, body = first.get("/v1")
    printed = first.stop()

    assert status == 200
    assert "regions" in body
    assert checkout.installed() == ["requirements.txt"]
    assert len(password_in(printed)) >= 12
    assert first.process.returncode == 0

    calls = len(checkout.calls)
    second = checkout.serve()
    printed_again = second.stop()

    new_calls = checkout.calls[calls:]
    assert not [call for call in new_calls if "pip" in call or "venv" in call]
    assert sum("manage.py serve" in call for call in new_calls) == 1
    assert password_in(printed_again) == ""
    assert password_in(printed) not in printed_again
    assert "migration" not in printed_again
    assert second.seconds < 20


CHILDREN = ("run_worker", "run_scheduler", "gunicorn")


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(other, marks=pytest.mark.thorough) for other in (signal.SIGTERM, signal.SIGHUP))],
)
def test_a_worker_and_a_scheduler_begin_and_end_with_the_server(checkout: Checkout, number: signal.Signals) -> None:
    server = checkout.serve()
    server.wait_for(*CHILDREN)
    assert "with a worker and a scheduler" in server.printed

    server.process.send_signal(number)
    assert server.process.wait(DONE) == 0
    assert server.processes() == {}
    assert "Traceback" not in server.printed


@pytest.mark.thorough
@pytest.mark.parametrize("which", CHILDREN)
def test_the_end_of_one_ends_them_all(checkout: Checkout, which: str) -> None:
    server = checkout.serve()
    server.wait_for(*CHILDREN)
    os.kill(server.wait_for(which)[0], signal.SIGKILL)
    assert server.process.wait(DONE) == 1
    server.wait_until_all_ended()
    assert "CommandError: The server, the worker or the scheduler has ended: see its messages above." in server.printed


# Ctrl-C reaches its second thread, since the first does not take it.
OF_TWO_THREADS = """
import signal
import threading
from flavorsync_project.management.commands.serve import run_until_one_ends
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
run_until_one_ends(["sh", "-c", "echo begun; exec sleep 300"])
"""


def test_a_signal_that_reaches_another_thread_ends_it_too() -> None:
    command = [sys.executable, "-c", OF_TWO_THREADS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(DONE) == 0
        finally:
            process.kill()


def files_of(pid: int, folder: Path) -> set[Path]:
    """Return the files of figures that a process has open."""
    opened = {descriptor.resolve() for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
    return {file for file in folder.glob("*.db") if file in opened}


@pytest.mark.thorough
def test_all_three_write_their_figures_into_one_folder_that_goes_with_them(checkout: Checkout, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = checkout.serve(TMPDIR=str(temporary))
    pids = server.wait_for("run_worker", "run_scheduler")
    (folder,) = temporary.iterdir()
    server.wait_until(lambda: all(files_of(pid, folder) for pid in pids), "both write figures")
    theirs = [files_of(pid, folder) for pid in pids]
    assert not set.intersection(*theirs)
    server.wait_until(lambda: set(folder.glob("*.db")) > set.union(*theirs), "web writes figures, too")
    server.stop()
    assert list(temporary.iterdir()) == []


def test_the_password_printed_opens_the_account(checkout: Checkout) -> None:
    printed = checkout.run("serve", "--help").stdout
    assert "--lab" in printed
    server = checkout.serve()
    server.stop()
    with sqlite3.connect(checkout.root / "db.sqlite3") as database:
        rows = database.execute("SELECT username, is_superuser, is_staff FROM identity_user").fetchall()
    database.close()
    assert rows == [("admin", 1, 1)]


def test_a_port_that_is_taken_is_told_before_anything_is_made(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answer = checkout.run("serve", "--port", str(port))
        by_variable = checkout.run("serve", PORT=str(port))
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == f"serve: port {port} is in use: stop what listens there, or choose another with --port.\n"
    assert by_variable.stderr == answer.stderr
    assert checkout.calls == []
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize("script", ["serve", "test", "check"])
def test_a_python_that_is_too_old_is_one_line(checkout: Checkout, old_python: str, script: str) -> None:
    answer = checkout.run(script, PORT=str(free_port()))
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == f"{script}: Python 3.11 or newer is needed; python3 is Python {old_python}.\n"


def test_no_python_at_all_is_one_line(checkout: Checkout) -> None:
    (checkout.bin / "python3").unlink()
    answer = checkout.run("serve", "--port", str(free_port()))
    assert answer.returncode == 1
    assert answer.stderr == "serve: Python 3.11 or newer is needed.\n"


@pytest.mark.usefixtures("old_python")
def test_a_newer_python_under_its_own_name_is_found(checkout: Checkout) -> None:
    checkout.put("python3.12", '#!/usr/bin/env bash\ncase "$*" in *print*) echo 3.12 ;; -m*) exit 9 ;; *) ;; esac\n')
    answer = checkout.run("serve", "--port", str(free_port()))
    assert answer.stderr.startswith("serve: python3.12 could not make ")


@pytest.mark.thorough
def test_a_failing_pip_is_one_line_after_its_own_and_is_tried_again(checkout: Checkout) -> None:
    broken = checkout.folder / "no-pip"
    broken.touch()
    answer = checkout.run("serve", "--port", str(free_port()))
    assert answer.returncode == 1
    assert answer.stderr == (
        "ERROR: no network\nserve: pip could not install requirements.txt: see its messages above.\n"
    )
    broken.unlink()
    checkout.serve().stop()
    assert checkout.installed() == ["requirements.txt", "requirements.txt"]


@pytest.mark.thorough
def test_an_installation_killed_half_way_is_begun_anew(checkout: Checkout) -> None:
    checkout.serve().stop()
    (checkout.root / ".venv" / ".installing").touch()
    leftover = checkout.root / ".venv" / "half-written"
    leftover.touch()
    checkout.serve().stop()
    assert not leftover.exists()
    assert sum("-m venv" in call for call in checkout.calls) == 2


@pytest.mark.thorough
def test_other_requirements_are_installed_into_the_same_environment(checkout: Checkout) -> None:
    checkout.serve().stop()
    with (checkout.root / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    checkout.serve().stop()
    assert checkout.installed() == ["requirements.txt", "requirements.txt"]
    assert sum("-m venv" in call for call in checkout.calls) == 1


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ("", {"DATABASE_URL": "mysql://root@127.0.0.1:1/flavorsync"}),
        ("export DATABASE_URL='mysql://root@127.0.0.1:1/flavorsync'\n", {}),
        ("DATABASE_URL=sqlite:////tmp/x\nDATABASE_URL = mysql://root@127.0.0.1:1/flavorsync\n", {}),
    ],
    ids=["variable", "quoted", "last"],
)
def test_a_mysql_database_installs_its_driver(checkout: Checkout, written: str, variables: dict[str, str]) -> None:
    (checkout.folder / "no-pip").touch()
    (checkout.root / ".env").write_text(written, encoding="utf-8")
    answer = checkout.run("serve", "--port", str(free_port()), **variables)
    assert checkout.installed() == ["requirements-mysql.txt"]
    assert "libmariadb-dev" in answer.stderr


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", ""])
def test_what_is_no_port_is_one_line(checkout: Checkout, port: str) -> None:
    answer = checkout.run("serve", f"--port={port}")
    assert answer.returncode == 1
    assert answer.stderr == f"serve: '{port}' is not a port: a number from 1 to 65535.\n"


def test_an_unknown_argument_is_one_line(checkout: Checkout) -> None:
    answer = checkout.run("serve", "--laboratory")
    assert answer.returncode == 1
    assert answer.stderr == "serve: unknown argument '--laboratory'; see scripts/serve --help.\n"


def test_the_scripts_are_started_from_wherever_a_link_to_the_project_leads(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkout.root)
    checkout.root = link
    assert "Usage" in checkout.run("serve", "--help").stdout
