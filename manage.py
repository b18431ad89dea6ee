#!/usr/bin/env python3
"""Run Django's and Flavor Sync's management commands, in the project's environment unless another one is active."""

import os
import sys
from pathlib import Path

PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
NO_ENVIRONMENT = "manage.py: the project's environment is missing; scripts/serve or scripts/test makes it."


def enter_environment() -> None:
    """Switch to the Python of the project's environment, if there is one and no other is active."""
    if sys.prefix == sys.base_prefix and PYTHON.exists():
        os.execv(PYTHON, [str(PYTHON), *sys.argv])  # noqa: S606 — what was typed, without a shell


def main() -> None:
    """Run what is typed."""
    try:
        import django  # noqa: F401, PLC0415 — it may be missing
    except ModuleNotFoundError:
        sys.exit(NO_ENVIRONMENT)
    from flavorsync_project import command_line  # noqa: PLC0415

    command_line.main()


if __name__ == "__main__":
    enter_environment()
    main()
