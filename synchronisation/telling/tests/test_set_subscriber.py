"""Subscribers are added, changed and removed by a command, which takes and shows secrets as it should."""

import io
import os

import pytest
from pytest_django import Settings

from infrastructures.models import Infrastructure
from synchronisation.telling.models import Event, Kind, Subscriber
from synchronisation.telling.outbox import announce
from testing.infrastructures import make_infrastructure
from testing.shell import Terminal, shell

pytestmark = pytest.mark.django_db

URL = "https://chat.example.org/hook"
SECRET_URL = f"{URL}?key=sesame"
SHOWN = "The secret of its webhook, shown this once: "


def secret_in(output: str) -> str:
    return output.partition(SHOWN)[2].strip()


@pytest.fixture
def chat() -> Subscriber:
    """A webhook that is told of Mordor, and only when it is gone."""
    subscriber = Subscriber(name="chat", url=URL, kinds=["node.gone"])
    subscriber.renew_secret()
    subscriber.save()
    subscriber.nodes.set([make_infrastructure("Mordor")])
    return subscriber


def test_a_webhook_is_added_and_its_secret_is_shown_once() -> None:
    make_infrastructure("Mordor")
    answer = shell(
        "set_subscriber", "chat", "--url", URL, "--kind", "node.gone", "--kind", "node.back", "--node", "Mordor"
    )  # fmt: skip
    chat = Subscriber.objects.get()
    assert (answer.status, answer.output) == (0, f"chat: added.\n{SHOWN}{secret_in(answer.output)}\n")
    assert secret_in(answer.output).startswith("whsec_")
    assert (chat.name, chat.url, chat.kinds, chat.active) == ("chat", URL, ["node.gone", "node.back"], True)
    assert [node.name for node in chat.nodes.all()] == ["Mordor"]
    assert shell("set_subscriber", "chat", "--resume").output == "chat: changed.\n"


def test_an_address_has_no_secret() -> None:
    answer = shell("set_subscriber", "operators", "--email", "operators@example.org", "--json")
    assert answer.document == {
        "name": "operators",
        "created": True,
        "webhook": False,
        "active": True,
        "kinds": [],
        "nodes": [],
        "secret": None,
    }
    answer = shell("set_subscriber", "operators", "--new-secret")
    assert (answer.status, answer.error) == (1, "Only a webhook has a secret.")


def test_only_what_is_given_is_changed(chat: Subscriber) -> None:
    before = chat.encrypted_secret
    shell("set_subscriber", "chat", "--pause")
    chat.refresh_from_db()
    assert (chat.active, chat.url, chat.kinds, chat.encrypted_secret) == (False, URL, ["node.gone"], before)
    assert chat.nodes.count() == 1
    shell("set_subscriber", "chat", "--resume", "--every-kind", "--every-node")
    chat.refresh_from_db()
    assert (chat.active, chat.kinds, chat.nodes.count()) == (True, [], 0)
    assert secret_in(shell("set_subscriber", "chat", "--new-secret").output)
    chat.refresh_from_db()
    assert chat.encrypted_secret != before


def test_where_it_is_told_now_it_is_told_at_once(chat: Subscriber) -> None:
    Subscriber.objects.update(failures=3, last_error="It answers 500.", waits_until="2099-01-01T00:00Z")
    shell("set_subscriber", "chat", "--pause")
    assert Subscriber.objects.get().failures == 3
    shell("set_subscriber", "chat", "--email", "chat@example.org")
    chat.refresh_from_db()
    assert (chat.url, chat.email, chat.kinds) == ("", "chat@example.org", ["node.gone"])
    assert (chat.failures, chat.last_error, chat.waits_until) == (0, "", None)


@pytest.mark.parametrize("at_a_terminal", [True, False])
def test_a_url_that_holds_a_secret_is_typed_or_read_and_never_printed(
    monkeypatch: pytest.MonkeyPatch, at_a_terminal: bool
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal() if at_a_terminal else io.StringIO(f"{SECRET_URL}\n"))
    monkeypatch.setattr("getpass.getpass", lambda prompt: SECRET_URL)
    answer = shell("set_subscriber", "chat", "--url", "-")
    assert Subscriber.objects.get().url == SECRET_URL
    assert "sesame" not in answer.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", SECRET_URL], "A URL with a query may hold a secret"),
        (["--remove", "--pause"], "--remove goes with no other option than --json."),
        ([], "Nothing was given to set: give an option"),
    ],
)
def test_what_is_typed_wrongly_does_nothing(chat: Subscriber, arguments: list[str], said: str) -> None:
    answer = shell("set_subscriber", "chat", *arguments)
    assert answer.status == os.EX_USAGE
    assert said in answer.error
    assert "sesame" not in answer.error
    assert (Subscriber.objects.get().url, Subscriber.objects.get().active) == (URL, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "--pause"], "Give a webhook URL or an e-mail address, one of the two."),
        (["new", "--email", "nobody"], "Enter a valid email address."),
        (["new", "--url", "http://127.0.0.1/"], "must not lead to this machine"),
        (["new", "--url", URL, "--node", "Shire"], "There is no node Shire."),
        (["new", "--remove"], "There is no subscriber new."),
    ],
)
def test_what_cannot_be_is_refused(settings: Settings, arguments: list[str], said: str) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []
    answer = shell("set_subscriber", *arguments)
    assert answer.status == 1
    assert said in answer.error
    assert not Subscriber.objects.exists()


def test_it_is_removed_with_what_it_was_not_told(chat: Subscriber) -> None:
    announce([Event(kind=Kind.NODE_GONE, subject="Mordor", infrastructure=Infrastructure.objects.get())])
    answer = shell("set_subscriber", "chat", "--remove")
    assert answer.output == "chat: removed, with 1 event that it was not told.\n"
    assert not Subscriber.objects.exists()
    assert Infrastructure.objects.exists()
