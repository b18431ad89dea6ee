"""`manage.py register_infrastructure`: register a cloud."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from flavorsync_project.console import commands
from flavorsync_project.console.commands import UsageError
from flavorsync_project.console.passwords import add_password_argument, read_password
from flavorsync_project.console.printing import print_json, refusals_in_one_line
from identity.accounts import find_accounts
from infrastructures.registration import ensure_infrastructure

PASSWORD_VARIABLE = "OS_PASSWORD"  # noqa: S105 — the name of a variable, as the openstack client calls it
CREDENTIALS = ("username", "tenant")


class Command(commands.Command):
    """Register a cloud, with or without the credentials to enter it."""

    help = (
        "Register a cloud. With --username and --tenant, Flavor Sync can enter it; without them, only its users reach "
        "it, with their own Keystone tokens. The cloud is not contacted; see check_infrastructures. Registering again "
        "with the same values changes nothing."
    )
    examples = (
        "./manage.py register_infrastructure Spain2",
        (
            "./manage.py register_infrastructure Mordor --keystone-url https://keystone.mordor.example.org:5000/v3"
            " --username flavor-sync --tenant admin --operator mordor-operator"
        ),
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the cloud's name, its location and its credentials."""
        parser.add_argument("name", help="the cloud's name in the API")
        parser.add_argument("--keystone-url", default="", help="the cloud's own Keystone; by default KEYSTONE_URL")
        parser.add_argument("--region", default="", help="its name in the Keystone catalogue, if that differs")
        parser.add_argument("--nova-url", default="", help="its Nova, if the Keystone catalogue does not say")
        parser.add_argument("--username", default="", help="our account there")
        parser.add_argument("--tenant", default="", help="the project that our account is for")
        parser.add_argument("--user-domain", default="Default", help="the account's domain (Default)")
        parser.add_argument("--project-domain", default="Default", help="the project's domain (Default)")
        add_password_argument(parser, variable=PASSWORD_VARIABLE)
        parser.add_argument(
            "--operator", dest="operators", action="append", default=[], metavar="ACCOUNT",
            help="a local account that operates the cloud; may be given several times",
        )  # fmt: skip
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, operators: list[str], as_json: bool, **options: Any) -> None:
        """Register the cloud, or say that it is already registered with these values."""
        with refusals_in_one_line():
            accounts = find_accounts(operators)
            infrastructure, created = ensure_infrastructure(values=_values(options), operators=accounts)
        if as_json:
            credentials = infrastructure.has_credentials
            print_json(self.stdout, {"name": infrastructure.name, "created": created, "credentials": credentials})
        else:
            self.stdout.write(f"{infrastructure}: {'registered' if created else 'already registered'}.")


def _values(options: dict[str, Any]) -> dict[str, str]:
    """Return the cloud's values by member, including the password if it has credentials."""
    members = ("name", "keystone_url", "region", "nova_url", *CREDENTIALS, "user_domain", "project_domain")
    values = {member: options[member] for member in members}
    if not any(values[member] for member in CREDENTIALS):
        if options["password_file"] is not None:
            raise UsageError("--password-file needs --username and --tenant.")
        return values
    for member in CREDENTIALS:
        if not values[member]:
            raise UsageError(f"--{member} is missing: credentials are an account and its project.")
    values["keystone_url"] = values["keystone_url"] or settings.KEYSTONE_URL
    prompt = f"Password of {values['username']} in {values['name']}"
    return values | {
        "password": read_password(file=options["password_file"], variable=PASSWORD_VARIABLE, prompt=prompt)
    }
