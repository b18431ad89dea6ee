"""Every command that a page shows to be typed is one that its parser takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from testing.source import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(
    r"(?:\./manage\.py|^(?:\$ )?flavor-sync|python manage\.py) ([a-z_]+)((?: [^|;&<>\n]*)?)", re.MULTILINE
)
# Answered before there is a parser: flavorsync_project/tests/test_command_line.py
NO_COMMANDS = {"completion", "version"}


def typed(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of ours or of Django's in the blocks of a page, with its arguments."""
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        text = re.sub(r"\\\n(?:> )?\s*", "", block)
        for command, arguments in TYPED.findall(text):
            if command not in NO_COMMANDS:
                yield command, shlex.split(arguments.rstrip(")"))


def parses(command: str, arguments: list[str]) -> bool:
    """Say whether the command's parser takes these arguments."""
    try:
        load_command_class(get_commands()[command], command).create_parser("manage.py", command).parse_args(arguments)
    except (KeyError, SystemExit):
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_can_be_typed(page: Path) -> None:
    wrong = [
        f"{command} {shlex.join(arguments)}" for command, arguments in typed(page) if not parses(command, arguments)
    ]
    assert wrong == []


def test_there_are_many() -> None:
    assert sum(len(list(typed(page))) for page in PAGES) > 50
