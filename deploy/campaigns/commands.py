"""A process that carries out commands of manage.py, each in a fork of its own, so that none of them has to load Django.

Loading it takes more of the processor's time than most commands themselves. It runs in the tested checkout's folder, as
`python commands.py SOCKET SECONDS`, and serves a Unix socket. Each connection is one command: `carry_out` speaks to it.
"""

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer
from subprocess import CompletedProcess


def carry_out(address: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> "CompletedProcess[str]":
    """Have a command carried out, and return its status and output; -SIGALRM if it takes longer than it may."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rwb") as stream:
        connection.connect(str(address))
        stream.write(json.dumps([arguments, dict(environment)]).encode() + b"\n")
        stream.flush()
        answer = stream.readline()
    status, output, errors = json.loads(answer or json.dumps([-signal.SIGALRM, "", "killed, since it took too long"]))
    return CompletedProcess(["manage.py", *arguments], status, output, errors)


class _Server(ForkingMixIn, UnixStreamServer):
    max_children = 64


class _Command(StreamRequestHandler):
    """One command, in a fork."""

    may_take = 0

    def handle(self) -> None:
        """Carry it out, and send its status and output; the kernel ends a process that takes too long."""
        signal.alarm(self.may_take)
        arguments, environment = json.loads(self.rfile.readline())
        os.environ.update(environment)
        output, errors = StringIO(), StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            status = _status_of(["manage.py", *arguments])
        self.wfile.write(json.dumps([status, output.getvalue(), errors.getvalue()]).encode() + b"\n")


def _status_of(command: list[str]) -> int:
    """Run a command as manage.py does, and return its exit status."""
    from django.core.management import execute_from_command_line  # noqa: PLC0415 — after the path is set

    try:
        execute_from_command_line(command)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(ended.code)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 — as the interpreter does
        traceback.print_exc()
        return 1
    return 0


def _serve(address: str, may_take: int) -> None:
    sys.path[0] = str(Path.cwd())  # rather than the folder of this file
    import django  # noqa: PLC0415 — from the environment of the checkout

    django.setup()
    _Command.may_take = may_take
    with _Server(address, _Command) as server:
        server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
