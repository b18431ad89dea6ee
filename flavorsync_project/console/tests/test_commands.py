"""Commands that are typed wrongly have their own exit status."""

import os
import re
import shlex
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter

from flavorsync_project.console.commands import Command
from flavorsync_project.console.words import counted

PROJECT_APPS = {"flavorsync_project", "identity", "infrastructures", "flavors", "regions"}
OURS = sorted(name for name, app in get_commands().items() if app in PROJECT_APPS)


@pytest.mark.parametrize("name", OURS)
def test_wrong_arguments_have_an_exit_status_of_their_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, Command)
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", name, "--no-such-option"])
    assert ended.value.code == os.EX_USAGE
    assert f"usage: manage.py {name}" in capsys.readouterr().err


def help_of(name: str, monkeypatch: pytest.MonkeyPatch, columns: int) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    return load_command_class(get_commands()[name], name).create_parser("./manage.py", name).format_help()


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("name", OURS)
def test_help_begins_with_what_is_the_commands_own(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    command: Any = load_command_class(get_commands()[name], name)
    text = help_of(name, monkeypatch, columns)
    usage, _, rest = text.partition("\n\n")
    description, _, options = rest.partition("\n\noptions:\n")
    own = [
        action.option_strings[-1]
        for action in command.create_parser("manage.py", name)._actions
        if action.option_strings and not set(action.option_strings) & {*DjangoHelpFormatter.show_last, "--help"}
    ]
    for part in (usage, options):
        places = [re.split(rf"{option}\b", part)[0] for option in (*own, "--no-color", "--skip-checks")]
        assert all(len(place) < len(part) for place in places)
        assert max([0, *map(len, places[:-2])]) < min(map(len, places[-2:]))
    assert command.examples
    for example in command.examples:
        assert f"\n  {example}\n" in f"{description}\n"
        assert f"./manage.py {name}" in example


@pytest.mark.parametrize("name", OURS)
def test_every_example_can_be_typed(name: str) -> None:
    command: Any = load_command_class(get_commands()[name], name)
    for example in command.examples:
        typed = shlex.split(example.partition(f"./manage.py {name}")[2].partition(" > ")[0])
        command.create_parser("manage.py", name).parse_args(typed)


def test_help_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class("synchronisation", "sync_flavors")
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", "sync_flavors", "--help"])
    assert not ended.value.code


@pytest.mark.parametrize(("count", "words"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_one_thing_is_one_thing(count: int, words: str) -> None:
    assert counted(count, "node") == words
