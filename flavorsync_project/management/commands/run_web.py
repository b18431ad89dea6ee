"""`manage.py run_web`: answer requests, as in production."""

import os
from argparse import ArgumentParser
from typing import Any

from flavorsync_project.console import commands
from flavorsync_project.console.processes import gunicorn, own_environment


class Command(commands.Command):
    """Become gunicorn."""

    help = (
        "Serve the API and its pages with gunicorn: two workers of eight threads. SIGHUP reloads code and settings "
        "without losing a request, SIGTERM ends it when the requests at hand are answered."
    )
    examples = (
        "./manage.py run_web --bind 0.0.0.0:8000",
        "./manage.py run_web --bind unix:/run/flavor-sync/web.sock --workers 4",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where to listen, and how many workers there are."""
        parser.add_argument("--bind", default="127.0.0.1:8000", help="HOST:PORT or unix:PATH (%(default)s)")
        parser.add_argument("--workers", type=int, default=2, help="how many processes answer (%(default)s)")

    def handle(self, *, bind: str, workers: int, **options: Any) -> None:
        """Hand this process over."""
        command = gunicorn("--bind", bind, "--workers", str(workers))
        os.execve(command[0], command, own_environment())  # noqa: S606 — without a shell
