"""`flavor-sync`: our commands without Django's noise, and what completes them."""

import logging
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.core.management import get_commands
from pytest_django import Settings

from flavorsync_project import __version__
from flavorsync_project.command_line import OF_DJANGO, main, ours
from testing.source import ROOT


@pytest.fixture(autouse=True)
def _own_logging(settings: Settings) -> Iterator[None]:
    """Keep what a command makes of the log from the tests that follow."""
    settings.LOGGING, level = deepcopy(settings.LOGGING), logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what is printed."""
    main(["flavor-sync", *arguments])
    return capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]])
def test_its_help_has_all_of_our_commands_and_few_of_djangos(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = typed(capsys, *arguments)
    listed = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert listed == [*ours(), *OF_DJANGO]
    assert {"serve", "sync_flavors", "list_subscribers", "check_identity"} <= set(listed)
    assert {"startapp", "rqworker", "db_worker"}.isdisjoint(listed)
    assert {"startapp", "rqworker", "db_worker"} & set(get_commands())  # they still work
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", ours())
def test_a_commands_help_says_how_it_is_typed_where_it_is_installed(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        typed(capsys, name, "--help")
    text = capsys.readouterr().out
    assert f"flavor-sync {name}" in text.partition("Examples:")[2].partition("\n\n")[0]
    assert "manage.py" not in text


def test_the_version_is_that_of_pyproject(capsys: pytest.CaptureFixture[str]) -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert typed(capsys, "--version") == typed(capsys, "version") == f"Flavor Sync {__version__}\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("flavor-sync li", {"list_flavors", "list_infrastructures", "list_subscribers"}),
        ("flavor-sync prepare --dry", {"--dry-run"}),
    ],
)
def test_a_shell_completes_commands_and_their_options(
    words: str, completed: set[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "complete -o default -F _flavor_sync flavor-sync" in typed(capsys, "completion")
    monkeypatch.setenv("DJANGO_AUTO_COMPLETE", "1")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        typed(capsys)
    assert set(capsys.readouterr().out.split()) == completed


@pytest.mark.parametrize(("command", "level"), [("sync_flavors", "WARNING"), ("run_worker", "INFO")])
def test_a_typed_command_logs_warnings_alone_and_a_service_what_it_does(
    command: str, level: str, settings: Settings
) -> None:
    with pytest.raises(SystemExit):
        main(["manage.py", command, "--help"])
    assert settings.LOGGING["root"]["level"] == level


@pytest.mark.process
def test_a_command_does_not_wait_for_the_pages_of_the_admin_site() -> None:
    program = """if True:
        import atexit, sys
        from flavorsync_project.command_line import main
        atexit.register(lambda: print(*sys.modules))
        main(["manage.py", "list_infrastructures", "--help"])
    """
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(printed.stdout.split())
    assert "infrastructures.models" in loaded
    assert {"flavors.admin", "pages.views", "drf_spectacular.generators"}.isdisjoint(loaded)
