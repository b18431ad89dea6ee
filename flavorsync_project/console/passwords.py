"""A password for a command: from a file, the environment, or typed; never an argument, which everybody can see."""

import getpass
import os
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import CommandError

from flavorsync_project.console.commands import UsageError


def add_password_argument(parser: ArgumentParser, *, variable: str) -> None:
    """Declare `--password-file`."""
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help=f"read the password from this file, - for standard input; by default from the variable {variable}, "
        "else the command asks for it",
    )


def read_password(*, file: str | None, variable: str, prompt: str, twice: bool = False) -> str:
    """Return the password from *file*, from the environment *variable*, or typed at the *prompt*.

    The line break at the end is not part of it.

    Args:
        twice: whether it must be typed twice.

    Raises:
        CommandError: there is none, or it cannot be read.
    """
    password = find_password(file=file, variable=variable)
    if password is None:
        password = _typed(prompt, variable, twice=twice)
    return password


def find_password(*, file: str | None, variable: str) -> str | None:
    """Return the password from *file* or from the environment *variable*, or None if neither was given.

    Raises:
        CommandError: the file cannot be read, or is empty.
    """
    if file is None:
        return os.environ.get(variable) or None
    return _required(_in_file(file))


def _in_file(file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"The password file {file} is not text in UTF-8.") from None
    except OSError as error:
        raise CommandError(f"The password file {file} cannot be read: {error.strerror}.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _typed(prompt: str, variable: str, *, twice: bool) -> str:
    if not sys.stdin.isatty():
        raise UsageError(f"A password is needed: give --password-file, set {variable}, or type it at a terminal.")
    try:
        password = getpass.getpass(f"{prompt}: ")
        again = getpass.getpass(f"{prompt} again: ") if twice else password
    except EOFError:
        raise CommandError("No password was typed.") from None
    if again != password:
        raise CommandError("The two passwords differ.")
    return _required(password)


def _required(password: str) -> str:
    if not password:
        raise CommandError("The password is empty.")
    return password
