"""What `flavor-sync` and `./manage.py` run: our commands, and those of Django's that are of use here."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from django.conf import settings
from django.core.management import ManagementUtility, execute_from_command_line, get_commands, load_command_class

from flavorsync_project import __version__
from flavorsync_project.console.commands import INSTALLED
from flavorsync_project.environment import WrongSetting
from flavorsync_project.telemetry.request_id import traced

OURS = {"flavorsync_project", "identity", "infrastructures", "flavors", "regions", "compute", "pages"}
OURS |= {"synchronisation", "synchronisation.telling"}
OF_DJANGO = ("migrate", "showmigrations", "createsuperuser", "changepassword", "check", "collectstatic")

SERVICES = {"serve", "run_web", "run_worker", "run_scheduler"}
LONGEST_SENTENCE = 90

# Django answers a shell that asks it for words, in the variables of bash's own completion.
COMPLETION = """\
_flavor_sync() {
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD DJANGO_AUTO_COMPLETE=1 "$1" 2>/dev/null))
}
if [ -n "${ZSH_VERSION:-}" ]; then autoload -U +X compinit && compinit; autoload -U +X bashcompinit && bashcompinit; fi
complete -o default -F _flavor_sync flavor-sync
"""


class CommandLine(ManagementUtility):
    """Django's own, but for its help and its completion, which name what is of use here and nothing else."""

    def main_help_text(self, commands_only: bool = False) -> str:
        """Return the list of commands, each with the first sentence of its help unless *commands_only*."""
        if commands_only:
            return "\n".join([*ours(), *OF_DJANGO])
        width = max(map(len, [*ours(), *OF_DJANGO]))
        return "\n".join(
            [
                f"Usage: {self.prog_name} COMMAND [ARGUMENT ...]",
                "",
                f"Commands; `{self.prog_name} COMMAND --help` says more:",
                *(f"  {name:{width}}  {_first_sentence(name)}" for name in ours()),
                "",
                "Django's commands for the database, accounts and pages:",
                *(f"  {name:{width}}  {_first_sentence(name)}" for name in OF_DJANGO),
                "",
                f"{self.prog_name} --version prints the version; {self.prog_name} completion what bash and zsh need to",
                f'complete commands: eval "$({self.prog_name} completion)"',
            ]
        )

    def autocomplete(self) -> None:
        """Print the words that complete what is typed, if a shell asks for them, and end."""
        if "DJANGO_AUTO_COMPLETE" in os.environ and os.environ["COMP_CWORD"] == "1":
            begun = [*os.environ["COMP_WORDS"].split()[1:], ""][0]
            sys.stdout.write(" ".join(name for name in [*ours(), *OF_DJANGO] if name.startswith(begun)))
            sys.exit()
        super().autocomplete()


def ours() -> Sequence[str]:
    """Return the names of our commands."""
    return sorted(name for name, app in get_commands().items() if app in OURS)


def _first_sentence(name: str) -> str:
    text = load_command_class(get_commands()[name], name).help
    return shorten(str(text).partition(". ")[0].partition(": ")[0].rstrip("."), LONGEST_SENTENCE, placeholder=" …")


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is typed."""
    arguments = list(sys.argv if argv is None else argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
    if arguments[1:] in (["version"], ["--version"]):
        _look_at_settings()
        sys.stdout.write(f"Flavor Sync {__version__}\n")
    elif arguments[1:] == ["completion"]:
        sys.stdout.write(COMPLETION)
    else:
        _look_at_settings()
        if not SERVICES.intersection(arguments[1:2]):
            _log_warnings_only()
        with traced():
            if Path(arguments[0]).name == INSTALLED:
                CommandLine(arguments).execute()
            else:
                execute_from_command_line(arguments)


def _look_at_settings() -> None:
    """Read the environment now, since Django would show a traceback for what is wrong in it."""
    try:
        settings.INSTALLED_APPS  # noqa: B018 — reading it is what counts
    except WrongSetting as error:
        sys.exit(str(error))


def _log_warnings_only() -> None:
    """Leave out of what a typed command prints what the log of a service has of each refusal, expected or not."""
    root: Any = settings.LOGGING["root"]
    root["level"] = "WARNING"
