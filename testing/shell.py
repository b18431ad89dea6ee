"""Running commands as at a shell."""

import io
import json
from dataclasses import dataclass
from typing import Any

from django.core.management import CommandError, call_command


class Terminal(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


def ended(prompt: str) -> str:
    """Type Ctrl-D at a prompt."""
    raise EOFError


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its error, which is empty if the exit status is 0."""

    output: str
    error: str
    status: int

    @property
    def lines(self) -> list[str]:
        """What it printed, by line, with one space between columns."""
        return [" ".join(line.split()) for line in self.output.splitlines()]

    @property
    def document(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.output)


def shell(*arguments: str) -> Answer:
    """Run a command, and return how it ended."""
    output = io.StringIO()
    try:
        call_command(*arguments, stdout=output)
    except CommandError as error:
        return Answer(output.getvalue(), str(error), error.returncode)
    return Answer(output.getvalue(), "", 0)


def run(*arguments: str, **options: Any) -> str:
    """Run a command, and return what it printed; raise what it fails with."""
    output = io.StringIO()
    call_command(*arguments, stdout=output, **options)
    return output.getvalue()
