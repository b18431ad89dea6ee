"""The command that all of ours are: its help begins with what is its own, and its exit status tells slips apart."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

# What argparse ends with when the arguments are wrong, which is a finding of `sync_flavors`
ARGPARSE_ERROR = 2


class UsageError(CommandError):
    """The command was typed in a way that it does not take; it did nothing."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, returncode=os.EX_USAGE)


class HelpFormatter(DjangoHelpFormatter):
    """Django's, which puts a command's own options before those of all commands; lines of examples stay whole."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(line if line.startswith(" ") else fill(line, width, indent) for line in text.splitlines())


class Command(BaseCommand):
    """A command that ends with 64 (EX_USAGE) when it is typed in a way that it does not take."""

    examples: Sequence[str] = ()
    """What people type, each of them as it works from the project's folder."""

    _has_begun = False

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """Return the parser, whose help has the examples before all options."""
        parser = super().create_parser(prog_name, subcommand, formatter_class=HelpFormatter, **options)
        parser.description = "\n".join([self.help, "", "Examples:", *(f"  {example}" for example in self.examples)])
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Do what is typed, as Django does, and tell wrong arguments by their own exit status."""
        try:
            super().run_from_argv(argv)
        except SystemExit as ended:
            if ended.code == ARGPARSE_ERROR and not self._has_begun:
                sys.exit(os.EX_USAGE)
            raise

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Do it, now that the arguments are understood."""
        self._has_begun = True
        return super().execute(*args, **options)
