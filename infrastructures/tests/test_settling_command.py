"""`settle_replacements`, typed at a shell."""

import io
import json
import os
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from infrastructures.models import Replacement
from testing.cloud import KEYSTONE, TOKEN, Cloud, access_document, flavor_document
from testing.infrastructures import make_infrastructure, make_replacement
from testing.shell import Terminal, ended, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """A shell that has a Keystone token, and a central Keystone to take it to."""
    monkeypatch.setenv("OS_TOKEN", TOKEN)
    settings.KEYSTONE_URL = KEYSTONE


def has_nova(cloud: Cloud, **members: Any) -> None:
    """Have the Nova hold the flavor 42."""
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": flavor_document(**members)}})
    cloud.nova("GET", "/flavors/42/os-flavor-access", {"json": access_document("p1", "p2")})


def test_lists_what_is_open_without_any_token() -> None:
    record = make_replacement(last_error="Spain2: why")
    line, count = run("settle_replacements").splitlines()
    assert line.startswith("Spain2  42  m1.custom -> m1.custom  since ")
    assert line.endswith(f"{record.created_at:%H:%M:%S} UTC  finish the replacement  Spain2: why")
    assert count == "1 open."


def test_lists_one_regions_alone() -> None:
    make_replacement()
    make_replacement(infrastructure=make_infrastructure("Mordor"), flavorid="7")
    nodes = [record["node"] for record in json.loads(run("settle_replacements", "--json"))]
    assert nodes == ["Spain2", "Mordor"]
    assert run("settle_replacements", "--node", "Mordor", "--dry-run").endswith("\n1 open.\n")


def test_says_it_in_json() -> None:
    record = make_replacement(requested_by="somebody")
    assert json.loads(run("settle_replacements", "--json")) == [
        {
            "node": "Spain2",
            "id": "42",
            "old": record.old,
            "new": record.new,
            "goal": "new",
            "state": "finish the replacement",
            "watched_until": None,
            "requested_by": "somebody",
            "last_error": "",
            "created_at": record.created_at.isoformat(),
        }
    ]


def test_says_what_is_watched_and_until_when() -> None:
    until = timezone.now() + timedelta(minutes=5)
    make_replacement(is_met=True, unsure_until=until)
    line, count = run("settle_replacements").splitlines()
    assert line.startswith("Spain2  42  m1.custom  since ")
    assert line.endswith(f"  watched  until {until:%Y-%m-%d %H:%M:%S} UTC")
    assert count == "0 open. 1 watched."
    assert json.loads(run("settle_replacements", "--json"))[0]["watched_until"] == until.isoformat()


@pytest.mark.usefixtures("shell")
def test_what_is_watched_is_no_failure(cloud: Cloud) -> None:
    make_replacement(is_met=True, unsure_until=timezone.now() + timedelta(minutes=5))
    has_nova(cloud, ram=8192)
    assert run("settle_replacements", "--node", "Spain2").endswith("\n0 open. 1 watched.\n")


@pytest.mark.usefixtures("shell")
def test_settles_with_the_shells_token(cloud: Cloud) -> None:
    make_replacement()
    has_nova(cloud, ram=8192)
    assert run("settle_replacements", "--node", "Spain2") == "0 open.\n"
    assert not Replacement.objects.exists()
    assert cloud.http.request_history[-1].headers["X-Auth-Token"] == TOKEN


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("exported", [None, ""])
def test_asks_for_the_token_where_the_shell_has_none(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, exported: str | None
) -> None:
    monkeypatch.delenv("OS_TOKEN")
    if exported is not None:
        monkeypatch.setenv("OS_TOKEN", exported)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed at {prompt}")
    monkeypatch.setattr("sys.stdin", Terminal())
    make_infrastructure()
    assert run("settle_replacements", "--node", "Spain2") == "0 open.\n"
    assert cloud.http.request_history[0].headers["X-Auth-Token"] == "typed at Keystone token: "


@pytest.mark.usefixtures("shell")
def test_without_a_token_it_says_so(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_TOKEN")
    monkeypatch.setattr("getpass.getpass", ended)
    monkeypatch.setattr("sys.stdin", Terminal())
    make_infrastructure()
    with pytest.raises(CommandError, match=r"^A Keystone token is needed: set OS_TOKEN, or type it at a terminal\.$"):
        run("settle_replacements", "--node", "Spain2")
    assert cloud.calls == []


@pytest.mark.usefixtures("shell")
def test_dry_run_asks_nobody(cloud: Cloud) -> None:
    make_replacement()
    assert run("settle_replacements", "--node", "Spain2", "--dry-run").endswith("\n1 open.\n")
    assert cloud.calls == []
    assert Replacement.objects.exists()


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("as_json", [True, False])
def test_what_stays_open_is_printed_and_a_failure(cloud: Cloud, as_json: bool) -> None:
    make_replacement()
    has_nova(cloud, ram=1)
    output = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 still open\.$") as caught:
        call_command("settle_replacements", "--node", "Spain2", as_json=as_json, stdout=output)
    assert "somebody else has created flavor 42 with different values" in output.getvalue()
    assert caught.value.returncode == 1
    assert Replacement.objects.exists()


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status_code": 401, "json": {}}, "Spain2: its Keystone does not accept the token."),
        ({"status_code": 503}, "Spain2: its Keystone answered 503."),
    ],
)
def test_a_cloud_that_fails_is_one_clear_line(cloud: Cloud, answer: dict[str, Any], message: str) -> None:
    make_replacement()
    cloud.keystone("GET", "/auth/tokens", answer)
    with pytest.raises(CommandError) as caught:
        run("settle_replacements", "--node", "Spain2")
    assert str(caught.value) == message


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_an_unknown_region_is_said(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"^There is no region Gondor\.$"):
        run("settle_replacements", "--node", "Gondor", *arguments)


def test_without_a_terminal_no_token_is_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """Or getpass would warn that it may be seen."""
    settings.KEYSTONE_URL = KEYSTONE
    monkeypatch.delenv("OS_TOKEN", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TOKEN}\n"))
    make_replacement()
    with pytest.raises(CommandError) as caught:
        run("settle_replacements", "--node", "Spain2")
    assert str(caught.value) == "A Keystone token is needed: set OS_TOKEN, or type it at a terminal."
    assert caught.value.returncode == os.EX_USAGE
    assert not recwarn.list
