"""A token for a command: from a file, standard input, or typed; never an argument, which everybody can see."""

import getpass
import sys
from pathlib import Path

from django.core.management.base import CommandError


def read_token(file: str | None) -> str:
    """Return the token from the file or, without one, from standard input or the terminal.

    Raises:
        CommandError: the file cannot be read, or holds none.
    """
    if file is None and sys.stdin.isatty():
        return getpass.getpass("Token: ").strip()
    try:
        text = sys.stdin.read() if file is None else Path(file).read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise CommandError(f"The file {file} holds no token: it is not plain text.") from None
    except OSError as error:
        raise CommandError(f"The file {file} cannot be read: {error.strerror}.") from None
    return text.strip()
