"""`manage.py create_operator`: a local account that operates clouds."""

import secrets
from argparse import ArgumentParser
from typing import Any

from flavorsync_project.console import commands
from flavorsync_project.console.commands import UsageError
from flavorsync_project.console.passwords import add_password_argument, find_password, read_password
from flavorsync_project.console.printing import print_json, refusals_in_one_line
from identity.models import User
from infrastructures.choosing import find_nodes
from infrastructures.registration import ensure_operator

PASSWORD_VARIABLE = "OPERATOR_PASSWORD"  # noqa: S105 — the name of a variable


class Command(commands.Command):
    """Create a local account that operates clouds, or let an existing one operate more."""

    help = (
        "Create a local account that may register clouds and operates those that you name; with --manager it may "
        "promote flavors, too. An existing account keeps its password and everything else that it has."
    )
    examples = ("./manage.py create_operator mordor-operator --infrastructure Mordor --generate-password",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account, its password and its clouds."""
        parser.add_argument("username", help="the account's name")
        parser.add_argument(
            "--infrastructure", dest="nodes", action="append", default=[], metavar="NODE",
            help="a cloud that the account operates; may be given several times",
        )  # fmt: skip
        parser.add_argument("--manager", action="store_true", help="let the account manage the promoted flavors")
        add_password_argument(parser, variable=PASSWORD_VARIABLE)
        parser.add_argument(
            "--generate-password", action="store_true", help="make a password for a new account, and print it once"
        )
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, username: str, nodes: list[str], manager: bool, **options: Any) -> None:
        """Create the account, and print its roles and nodes."""
        is_new = not User.objects.filter(username=username).exists()
        with refusals_in_one_line():
            infrastructures = find_nodes(nodes)
            password = _password(username, options, is_new=is_new)
            account, created = ensure_operator(
                username=username, password=password, infrastructures=infrastructures, is_manager=manager
            )
        shown = password if is_new and options["generate_password"] else None
        self._print(account, created=created, password=shown, as_json=options["as_json"])

    def _print(self, account: User, *, created: bool, password: str | None, as_json: bool) -> None:
        nodes = list(account.infrastructures.values_list("name", flat=True))
        roles = list(account.groups.order_by("name").values_list("name", flat=True))
        if as_json:
            values = {"username": account.username, "created": created, "infrastructures": nodes, "roles": roles}
            print_json(self.stdout, values | ({"password": password} if password else {}))
            return
        self.stdout.write(f"{account.username}: {'created' if created else 'already there'}.")
        self.stdout.write(f"Operates: {', '.join(nodes) or 'no node'}. Roles: {', '.join(roles)}.")
        if password:
            self.stdout.write(f"Password: {password} (shown this once)")


def _password(username: str, options: dict[str, Any], *, is_new: bool) -> str | None:
    """Return the given password; for a new account without one, generate it or ask for it."""
    file = options["password_file"]
    if options["generate_password"] and file is not None:
        raise UsageError("--generate-password and --password-file cannot be used together.")
    if is_new and options["generate_password"]:
        return secrets.token_urlsafe(12)
    if not is_new:
        return find_password(file=file, variable=PASSWORD_VARIABLE)
    prompt = f"Password of {username}"
    return read_password(file=file, variable=PASSWORD_VARIABLE, prompt=prompt, twice=True)
