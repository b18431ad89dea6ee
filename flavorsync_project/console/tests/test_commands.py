"""What is typed wrongly is told by an exit status of its own."""

import os

import pytest
from django.core.management import get_commands, load_command_class

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


def test_help_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class("flavors", "sync_flavors")
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", "sync_flavors", "--help"])
    assert not ended.value.code


@pytest.mark.parametrize(("count", "words"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_one_thing_is_one_thing(count: int, words: str) -> None:
    assert counted(count, "node") == words
