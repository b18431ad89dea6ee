"""Write the tables of the documentation that the code knows better: of the settings, and of all commands.

    .venv/bin/python -m scripts.reference

In docs/settings.md the table has a row for each setting of `flavorsync_project/environment.py`, with its default and
what is allowed as they are there; what it means is written in the page, and stays. In docs/commands.md the table of all
commands is made from their parsers and their help.
"""

import os
import re
from argparse import Action, ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

import django
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter

from flavorsync_project.command_line import ours
from flavorsync_project.environment import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
SETTINGS_PAGE, COMMANDS_PAGE = ROOT / "docs" / "settings.md", ROOT / "docs" / "commands.md"
SETTINGS_HEAD = "| name | default | allowed | meaning |\n| --- | --- | --- | --- |\n"
COMMANDS_HEAD = "| command | what |\n| --- | --- |\n"
Writer = Callable[[str], str]
TO_BE_WRITTEN = "TO BE WRITTEN"
NO_DEFAULT = "none"
WRITTEN = r"^\| `([A-Z_]+)` \| (.*?) \| .*? \| (.*) \|$"
# What argparse and Django add to each command
NOT_OURS = {"-h", *DjangoHelpFormatter.show_last}


def main() -> None:
    """Write both pages anew."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
    django.setup()
    SETTINGS_PAGE.write_text(with_settings(SETTINGS_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    COMMANDS_PAGE.write_text(with_commands(COMMANDS_PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_settings(page: str) -> str:
    """Return the page of settings with the table as it should be."""
    return _with_table(page, SETTINGS_HEAD, _settings_rows)


def with_commands(page: str) -> str:
    """Return the page of commands with the table as it should be."""
    return _with_table(page, COMMANDS_HEAD, lambda _: _command_rows())


def _with_table(page: str, head: str, rows: Callable[[str], Iterator[str]]) -> str:
    before, _, rest = page.partition(head)
    table = re.match(r"(?:\|.*\n)*", rest)
    old = table[0] if table else ""
    return f"{before}{head}{''.join(rows(old))}{rest[len(old) :]}"


def _settings_rows(old: str) -> Iterator[str]:
    """Yield a row for each setting, in the order of the page, the new ones last."""
    written = {name: (default, meaning) for name, default, meaning in re.findall(WRITTEN, old, re.MULTILINE)}
    for name in sorted(SETTINGS, key=lambda name: (name not in written, [*written, *SETTINGS].index(name))):
        setting = SETTINGS[name]
        default, meaning = written.get(name, (NO_DEFAULT, TO_BE_WRITTEN))
        # What has none in the code says what happens then.
        default = f"`{setting.default}`" if setting.default else default
        yield f"| `{name}` | {default} | {setting.kind.allowed} | {meaning} |\n"


def _command_rows() -> Iterator[str]:
    """Yield a row for each command: how it is typed, and the first sentence of its help."""
    for name in ours():
        command = load_command_class(get_commands()[name], name)
        typed = " ".join([f"./manage.py {name}", *_arguments(command.create_parser("manage.py", name))])
        what = " ".join(command.help.partition(". ")[0].split()).rstrip(".")
        yield "| `{}` | {}{} |\n".format(typed.replace("|", r"\|"), what[0].lower(), what[1:])


def _arguments(parser: ArgumentParser) -> Iterator[str]:
    """Yield a command's own arguments as they are typed, those that are needed first."""
    own = [action for action in parser._actions if not NOT_OURS.intersection(action.option_strings)]
    choices = {id(action): group for group in parser._mutually_exclusive_groups for action in group._group_actions}
    needed = [action for action in own if id(action) not in choices and action.required]
    yield from map(_typed, (action for action in needed if not action.option_strings))
    yield from map(_typed, (action for action in needed if action.option_strings))
    for group in parser._mutually_exclusive_groups:
        either = " | ".join(_typed(action).strip("[]") for action in group._group_actions)
        yield f"({either})" if group.required else f"[{either}]"
    yield from (f"[{_typed(action)}]" for action in own if id(action) not in choices and not action.required)


def _typed(action: Action) -> str:
    option = action.option_strings[-1] if action.option_strings else ""
    name = action.metavar if isinstance(action.metavar, str) else (option or action.dest).rpartition("-")[2].upper()
    if not option:
        return {"*": f"[{name} …]", "+": f"{name} …"}.get(str(action.nargs), name)
    return option if action.nargs == 0 else f"{option} {name}"


if __name__ == "__main__":
    main()
