"""`manage.py list_subscribers`: the subscribers, and whether they accept their events."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Count

from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json
from synchronisation.telling import sending
from synchronisation.telling.models import Subscriber


class Command(commands.Command):
    """List the subscribers, or send some of them a test event."""

    help = (
        "List the receivers of webhooks and e-mail addresses that are told what happens. With --test, send them an "
        "event of no meaning. Fails when one does not take it. They are added by set_subscriber, or in the admin site."
    )
    examples = ("./manage.py list_subscribers", "./manage.py list_subscribers --test chat")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subscribers, the test and the format."""
        parser.add_argument("subscribers", nargs="*", metavar="NAME", help="only these subscribers")
        parser.add_argument("--test", action="store_true", help="send each a test event")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, subscribers: list[str], test: bool, as_json: bool, **options: Any) -> None:
        """Print the subscribers, after sending test events if asked to.

        Raises:
            CommandError: there is no such subscriber, or one has not accepted its test event.
        """
        found = _chosen(subscribers)
        errors = {each.name: _test(each) for each in found} if test else {}
        if as_json:
            print_json(self.stdout, [_as_json(each) for each in found])
        else:
            for each in found:
                self.stdout.write(_in_words(each))
        if refused := [f"{name}: {error}" for name, error in errors.items() if error]:
            raise CommandError("\n".join(refused))


def _chosen(names: list[str]) -> list[Any]:
    found = list(Subscriber.objects.annotate(pending=Count("deliveries")))
    if unknown := set(names) - {each.name for each in found}:
        raise CommandError(f"There is no subscriber {', '.join(sorted(unknown))}.")
    return [each for each in found if each.name in names] if names else found


def _test(subscriber: Subscriber) -> str:
    try:
        sending.send_test(subscriber)
    except sending.NotTaken as error:
        return str(error)
    return ""


def _as_json(subscriber: Any) -> dict[str, Any]:
    return {
        "name": subscriber.name,
        "webhook": bool(subscriber.url),
        "active": subscriber.active,
        "kinds": subscriber.kinds,
        "pending": subscriber.pending,
        "failures": subscriber.failures,
        "last_error": subscriber.last_error,
    }


def _in_words(subscriber: Any) -> str:
    way = "webhook" if subscriber.url else "e-mail"
    state = f"failed {subscriber.failures} times: {subscriber.last_error}" if subscriber.failures else "fine"
    return f"{subscriber.name} ({way}): {subscriber.pending} events to be told, {state}"
