"""`manage.py check_identity`: a token's user, roles and nodes, and why it has no more."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.errors import ServiceUnavailable
from flavorsync_project.console import commands
from flavorsync_project.console.tokens import read_token
from identity import tokens
from identity.keystone import Keystone
from identity.principals import TokenUser

NOTHING_FITS = {
    Keystone.name: "none: no entry of KEYSTONE_MANAGERS or KEYSTONE_OPERATORS fits what the token has",
}


class Command(commands.Command):
    """Ask the identity providers about a token."""

    help = (
        "Ask the identity providers whose token this is, and print who that is here, with which roles and nodes, and "
        "until when; or why the token is not valid. The token is read from the file, from standard input, or typed; "
        "what is remembered about it is not used. Fails if it is not valid here."
    )
    examples = (
        "./manage.py check_identity --token-file token.txt",
        "openstack token issue -f value -c id | ./manage.py check_identity",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the source of the token."""
        parser.add_argument("--token-file", metavar="FILE", help="read the token from this file, not standard input")

    def handle(self, *args: Any, token_file: str | None, **options: Any) -> None:
        """Ask about the token, and print one line for each fact."""
        try:
            user = tokens.ask(read_token(token_file))
        except (AuthenticationFailed, ServiceUnavailable) as error:
            raise CommandError(str(error.detail)) from None
        for word, what in _lines(user):
            self.stdout.write(f"{word:6} {what}")


def _lines(user: TokenUser) -> Iterator[tuple[str, str]]:
    yield "who", f"{user}, {user.id} of {tokens.PROVIDERS[user.provider].title}"
    yield "has", ", ".join(user.grants) or "no role"
    yield "roles", ", ".join(sorted(user.roles)) or NOTHING_FITS.get(user.provider, "none")
    yield "nodes", ", ".join(sorted(user.owned_nodes)) or "none"
    yield "until", user.expires_at.isoformat() if user.expires_at else "the provider does not say"
