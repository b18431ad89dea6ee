"""How a deployment's environment becomes settings, tested in a separate process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from flavorsync_project.data_folder import kept_secret
from testing.source import ROOT, setting_names

pytestmark = pytest.mark.process

GOOD = {
    "ALLOWED_HOSTS": "flavors.example.org",
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "HTTPS": "true",
    "KEYROCK_APP_IDS": "flavor-sync",
    "KEYROCK_URL": "https://idm.example.org",
    "KEYSTONE_URL": "https://keystone.example.org/v3",
    "NUM_PROXIES": "1",
    "SECRET_KEY": "for-tests-only-and-long-enough-for-the-checks-of-the-deployment-0123456789",
}
SHOW = """
import json
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in %r}))
"""


def run(*arguments: str, **overrides: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project in the good environment, with overrides."""
    inherited = {name: value for name, value in os.environ.items() if name not in setting_names()}
    environment = {**inherited, "DJANGO_SETTINGS_MODULE": "flavorsync_project.settings", **GOOD, **overrides}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**environment, "ENV_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=120,
    )


def settings_of(*names: str, **overrides: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(run("-c", SHOW % (names,), **overrides).stdout)
    return shown


def found(**overrides: str) -> set[str]:
    """Return the ids of what the deployment check says, having checked that it fails for them."""
    checked = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **overrides)
    ids = set(re.findall(r"\((\w+\.[EW]\d+)\)", checked.stderr))
    assert bool(checked.returncode) == bool(ids), checked.stderr
    return ids


def test_a_good_deployment_has_nothing_said_of_it() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("overrides", "ids"),
    [
        ({"DEBUG": "true"}, {"security.W018"}),
        ({"HTTPS": "false"}, {"security.W004", "security.W010", "security.W016"}),
        ({"NUM_PROXIES": "0"}, {"flavorsync.W003"}),
        ({"ALLOWED_HOSTS": "*"}, {"flavorsync.W002"}),
        ({"SECRET_KEY": "short"}, {"security.W009"}),
        ({"KEYROCK_APP_IDS": ""}, {"identity.E001"}),
        ({"KEYROCK_URL": "http://idm.example.org"}, {"identity.W001"}),
        ({"KEYSTONE_URL": "http://keystone.example.org/v3"}, {"infrastructures.W001"}),
        ({"OPENSTACK_VERIFY": "false"}, {"infrastructures.W002"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_weak_setting_fails_the_check(overrides: dict[str, str], ids: set[str]) -> None:
    assert found(**overrides) == ids


@pytest.mark.parametrize("https", [True, False])
def test_cookies_and_browsers_are_kept_to_https_where_people_come_by_it(https: bool) -> None:
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SECURE_HSTS_SECONDS")
    year = 365 * 24 * 60 * 60
    assert settings_of(*names, HTTPS=str(https).lower()) == dict(
        zip(names, (https, https, True, year if https else 0), strict=True)
    )


def test_a_url_that_is_left_empty_is_one_that_is_not_set() -> None:
    """As a secret is: what stands in a file to be filled in, or what a container was not given."""
    names = ("DATABASES", "CACHES")
    shown = settings_of(*names)
    assert shown["DATABASES"]["default"]["ENGINE"] == "django.db.backends.sqlite3"
    assert settings_of(*names, DATABASE_URL="", CACHE_URL="") == shown


def test_lists_are_written_by_commas() -> None:
    assert settings_of("CORS_ALLOWED_ORIGINS", CORS_ALLOWED_ORIGINS="https://a.example, https://b.example:8443") == {
        "CORS_ALLOWED_ORIGINS": ["https://a.example", "https://b.example:8443"]
    }


def test_processes_that_begin_at_once_share_a_secret_that_is_made_for_them(tmp_path: Path) -> None:
    path, others = tmp_path / ".secret_key", []

    def make() -> str:
        others.append(kept_secret(path, lambda: "theirs"))
        return "ours"

    assert kept_secret(path, make) == "theirs"
    assert others == ["theirs"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_that_could_not_be_made_is_made_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / ".secret_key"
    with pytest.raises(KeyboardInterrupt):
        kept_secret(path, _interrupted)
    assert kept_secret(path, lambda: "ours") == "ours"


def _interrupted() -> str:
    raise KeyboardInterrupt
