"""Whatever the environment says: a setting has a value that it can have, or one line says which it cannot."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flavorsync_project.data_folder import data_folder, make_data_folder
from flavorsync_project.environment import SETTINGS, WrongSetting, load, read
from testing.source import ROOT

KEY, TOKEN = base64.urlsafe_b64encode(b"k" * 32).decode(), "a-token-that-is-long-enough"
BOOLEANS = {"COMPUTE_API", "DEBUG", "HTTPS", "KEYSTONE_IDENTITY", "LOCAL_SIGN_IN", "SYNC_REPAIR"}
RATES = {name for name in SETTINGS if name.endswith("_RATE")}
HOSTS = {"ALLOWED_HOSTS", "INFRASTRUCTURE_URL_ALLOWLIST"}
NUMBERS = {name for name, setting in SETTINGS.items() if "number from" in setting.kind.allowed}
MAY_BE_ZERO = NUMBERS - {"OPENSTACK_TIMEOUT", "OPENSTACK_CONNECT_TIMEOUT"}
URLS = {
    "KEYROCK_URL",
    "KEYSTONE_URL",
    "COMPUTE_PUBLIC_URL",
    "DATABASE_URL",
    "CACHE_URL",
    "TASKS_REDIS_URL",
    "CORS_ALLOWED_ORIGINS",
}
# Of the numbers those that need not be whole, and reach beyond 2.97
FRACTIONS = {
    "OPENSTACK_TIMEOUT",
    "OPENSTACK_CONNECT_TIMEOUT",
    "LOST_ANSWER_SECONDS",
    "COMPUTE_SETTLE_SECONDS",
    "CLOUD_BREAKER_SECONDS",
    "SYNC_ON_CHANGE_SECONDS",
}
SECRETS = {
    "EMAIL_URL",
    "SECRET_KEY",
    "KEYROCK_CLIENT_SECRET",
    "FIELD_ENCRYPTION_KEYS",
    "METRICS_TOKEN",
    "DATABASE_URL",
    "CACHE_URL",
    "TASKS_REDIS_URL",
}
EMPTY = ["", " ", "\t", "\n"]
# Those that each may be given to a setting of any text, and to no other but the ones named.
NONSENSE: dict[str, set[str]] = {
    "abc": HOSTS,
    "-1": set(),
    "0": HOSTS | MAY_BE_ZERO | BOOLEANS,
    "1e99": HOSTS,
    "NaN": HOSTS,
    "inf": HOSTS,
    "abc15": HOSTS,
    "1,5": HOSTS,
    "garbage": HOSTS,
    "10/fortnight": set(),
    "0/hour": set(),
    "ten/hour": set(),
    "http://": set(),
    "http:///path": set(),
    "ftp://example.org": set(),
    "http://example.org:99999": set(),
    "http://a b": set(),
    "*://x": set(),
    "a/b": set(),
    "[::1": set(),
    "2.60": HOSTS | FRACTIONS,
    "2.97": HOSTS | FRACTIONS,
    "9" * 500: set(),
    "٣": set(),
    "x\x00y": set(),
}
ANY_TEXT = {"SECRET_KEY", "KEYROCK_CLIENT_SECRET", "KEYROCK_APP_IDS", "KEYSTONE_MANAGERS", "KEYSTONE_OPERATORS"}
# Of these the test below says what is accepted, and what is not.
OF_ANOTHER_KIND = {"METRICS_TOKEN": {"http://example.org:99999", "ftp://example.org", "9" * 500}}

GOOD: list[tuple[str, str, Any]] = [
    *((name, word, True) for name in sorted(BOOLEANS) for word in ("true", "True", "YES", "on", "1")),
    *((name, word, False) for name in sorted(BOOLEANS) for word in ("false", "FALSE", "no", "off", "0", " false ")),
    *((name, rate, rate) for name in sorted(RATES) for rate in ("5/s", "10/min", "10/hour", "1000/day", "1/second")),
    *((name, "off", "") for name in sorted(RATES)),
    ("OPENSTACK_TIMEOUT", "0.1", 0.1),
    ("OPENSTACK_TIMEOUT", "300", 300.0),
    ("OPENSTACK_TIMEOUT", " 20 ", 20.0),
    ("CLOUD_BREAKER_SECONDS", "0", 0.0),
    ("NUM_PROXIES", "2", 2),
    ("SYNC_RETENTION_DAYS", "36500", 36500),
    ("NOVA_API_VERSION", "2.61", "2.61"),
    ("NOVA_API_VERSION", "2.96", "2.96"),
    ("OPENSTACK_VERIFY", "TRUE", True),
    ("OPENSTACK_VERIFY", "false", False),
    ("OPENSTACK_VERIFY", str(ROOT / "README.md"), str(ROOT / "README.md")),
    ("OPENSTACK_VERIFY", str(ROOT / "docs"), str(ROOT / "docs")),
    ("LOG_FORMAT", "json", "json"),
    ("METRICS_TOKEN", TOKEN, TOKEN),
    ("SECRET_KEY", "$with{odd}#letters é", "$with{odd}#letters é"),
    ("FIELD_ENCRYPTION_KEYS", f"{KEY}, {KEY}", [KEY, KEY]),
    ("ALLOWED_HOSTS", "*, .example.org,[::1],10.0.0.1,a_b", ["*", ".example.org", "[::1]", "10.0.0.1", "a_b"]),
    ("INFRASTRUCTURE_URL_ALLOWLIST", "*,127.0.0.1", ["*", "127.0.0.1"]),
    ("KEYROCK_URL", "https://idm.example.org:8443/idm/", "https://idm.example.org:8443/idm/"),
    ("KEYSTONE_URL", "http://[::1]:5000/v3", "http://[::1]:5000/v3"),
    ("KEYROCK_APP_IDS", "a-1, b-2,", ["a-1", "b-2"]),
    ("KEYSTONE_MANAGERS", "a b@system, c@project:d/E f", ["a b@system", "c@project:d/E f"]),
    ("CORS_ALLOWED_ORIGINS", "https://a.example, http://b:8443", ["https://a.example", "http://b:8443"]),
    ("STATIC_ROOT", "/opt/static files", "/opt/static files"),
    (
        "EMAIL_URL",
        "smtp+tls://user:pass%20word@mail.example.org",
        {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_FILE_PATH": "",
            "EMAIL_HOST": "mail.example.org",
            "EMAIL_HOST_PASSWORD": "pass word",
            "EMAIL_HOST_USER": "user",
            "EMAIL_PORT": 587,
            "EMAIL_USE_TLS": True,
        },
    ),
    ("EMAIL_FROM", "flavors@example.org", "flavors@example.org"),
    ("TASKS_REDIS_URL", "rediss://:password@redis.example.org:6379/0", "rediss://:password@redis.example.org:6379/0"),
]
BAD: list[tuple[str, str]] = [
    ("OPENSTACK_TIMEOUT", "0.05"),
    ("OPENSTACK_TIMEOUT", "300.1"),
    ("OPENSTACK_TIMEOUT", "+15"),
    ("NUM_PROXIES", "1.0"),
    ("SYNC_RETENTION_DAYS", "36501"),
    ("EMAIL_URL", "mail.example.org"),
    ("EMAIL_URL", "consolemail://"),
    ("EMAIL_FROM", "flavors"),
    ("NOVA_API_VERSION", "2"),
    ("NOVA_API_VERSION", "latest"),
    ("NOVA_API_VERSION", "3.61"),
    ("OPENSTACK_VERIFY", "/no/such/file"),
    ("LOG_FORMAT", "xml"),
    ("METRICS_TOKEN", "x" * 15),
    ("METRICS_TOKEN", "sixteen and more with spaces"),
    ("SECRET_KEY", "a\nb"),
    ("FIELD_ENCRYPTION_KEYS", f"{KEY},{KEY[:-4]}"),
    ("FIELD_ENCRYPTION_KEYS", "é" * 44),
    ("ALLOWED_HOSTS", "https://example.org"),
    ("ALLOWED_HOSTS", "example.org:8000"),
    ("ALLOWED_HOSTS", "a b"),
    ("INFRASTRUCTURE_URL_ALLOWLIST", "10.0.0.0/8"),
    ("KEYROCK_URL", "https://user:password@idm.example.org"),
    ("KEYROCK_URL", "https://idm.example.org/?x=1"),
    ("KEYSTONE_URL", "https://keystone.example.org/v3#x"),
    ("KEYSTONE_URL", "keystone.example.org"),
    ("KEYSTONE_OPERATORS", "flavor_operator@project:{node}/a\tb"),
    ("KEYSTONE_CACHE_SECONDS", "86401"),
    ("CORS_ALLOWED_ORIGINS", "*"),
    ("CORS_ALLOWED_ORIGINS", "https://a.example/"),
    ("DATABASE_URL", "postgres://user:password@host/name"),
    ("DATABASE_URL", "mysql://user:password@host:port/name"),
    ("DATABASE_URL", "mysql://user:password@host"),
    ("DATABASE_URL", "sqlite://"),
    ("CACHE_URL", "memcache://host"),
    ("CACHE_URL", "rediscache://:password@host:6379/one"),
    ("TASKS_REDIS_URL", "redis://:password@host:99999/0"),
    ("STATIC_ROOT", "static"),
    ("STATIC_ROOT", str(ROOT / "README.md")),
    ("ENV_FILE", "/no/such/file"),
    ("ENV_FILE", "/"),
]


def problem(name: str, value: str) -> str:
    """Return the one line about a value that is not allowed."""
    with pytest.raises(WrongSetting) as caught:
        read({name: value})
    said = str(caught.value)
    assert said.isprintable()
    assert said.startswith(f"{name} ")
    assert said.endswith(f": it must be {SETTINGS[name].kind.allowed}.")
    assert len(said) < 300
    return said


@pytest.mark.parametrize("name", SETTINGS)
def test_an_empty_value_is_none(name: str) -> None:
    for value in EMPTY:
        assert read({name: value}) == read({}), repr(value)


@pytest.mark.parametrize("name", SETTINGS)
def test_nonsense_is_said_in_one_line(name: str) -> None:
    if name in ANY_TEXT:
        return
    for value, taken_by in NONSENSE.items():
        if name in taken_by or value in OF_ANOTHER_KIND.get(name, ()):
            read({name: value})
        else:
            problem(name, value)


@pytest.mark.parametrize("name", sorted(ANY_TEXT))
def test_what_may_be_any_text_is_in_one_line_at_least(name: str) -> None:
    problem(name, "x\x00y")
    assert read({name: "1e99"})[name] in ("1e99", ["1e99"])


@pytest.mark.parametrize("name", sorted({name for name, _, _ in GOOD}))
def test_a_value_of_its_kind_is_taken(name: str) -> None:
    for value, expected in [(value, expected) for of, value, expected in GOOD if of == name]:
        taken = read({name: value})[name]
        assert (taken, type(taken)) == (expected, type(expected)), value


@pytest.mark.parametrize(("name", "value"), BAD)
def test_any_other_is_not(name: str, value: str) -> None:
    said = problem(name, value)
    assert "password" not in said.partition(": it must be")[0]
    assert (repr(value) in said) == (name not in SECRETS and "@" not in value)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_what_may_hold_a_secret_is_not_shown(name: str) -> None:
    said = problem(name, "hunter2 with a \x07 bell")
    assert "hunter2" not in said
    assert "has a wrong value, which is not shown" in said


def test_databases_and_caches_are_djangos() -> None:
    shown = read({"DATABASE_URL": "mysql://u:p%40ss@h:3306/flavorsync", "CACHE_URL": "rediscache://h:6379/1"})
    expected = {"NAME": "flavorsync", "PASSWORD": "p@ss", "HOST": "h", "PORT": 3306}
    assert expected.items() <= shown["DATABASE_URL"].items()
    assert shown["CACHE_URL"]["LOCATION"] == "redis://h:6379/1"
    assert read({"DATABASE_URL": "sqlite:////srv/a.sqlite3"})["DATABASE_URL"]["NAME"] == "/srv/a.sqlite3"


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(WrongSetting) as caught:
        read({"OPENSTACK_TIMEOUT": "0", "HTTPS": "garbage", "SYNC_RETENTION_DAYS": "-1"})
    assert str(caught.value).splitlines() == [
        "HTTPS is 'garbage': it must be true or false.",
        "OPENSTACK_TIMEOUT is '0': it must be a number from 0.1 to 300.",
        "SYNC_RETENTION_DAYS is '-1': it must be a whole number from 0 to 36500.",
    ]


# The file


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing set, and nothing that a file sets stay."""
    monkeypatch.setattr("os.environ", {})
    monkeypatch.setattr("environ.Env.ENVIRON", os.environ)


@pytest.mark.usefixtures("environment")
def test_a_file_is_read_where_the_environment_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('# ours\n\nHTTPS=true\nexport NUM_PROXIES="1"\nLOG_FORMAT=json\n   \n')
    os.environ["LOG_FORMAT"] = "line"
    values = load(tmp_path)
    assert (values["HTTPS"], values["NUM_PROXIES"], values["LOG_FORMAT"]) == (True, 1, "line")


@pytest.mark.usefixtures("environment")
def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == read({})


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"HTTPS=true\n SECRET_KEY=hunter2\n", "where line 2 is not NAME=value."),
        (b"HTTPS=true\nhunter2", "where line 2 is not NAME=value."),
        (b"SECRET_KEY=\xff", "which cannot be read as text."),
    ],
)
def test_a_file_of_something_else_is_said_and_not_shown(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(WrongSetting) as caught:
        load(tmp_path)
    assert str(caught.value) == f"ENV_FILE is {str(tmp_path / '.env')!r}, {message}"


# In a process


GUNICORN = ["-m", "gunicorn", "--bind=127.0.0.1:0", "flavorsync_project.wsgi"]
LINE = "OPENSTACK_TIMEOUT is 'abc15': it must be a number from 0.1 to 300."


def ended(*command: str) -> subprocess.CompletedProcess[str]:
    """Return what came of a process whose environment has a wrong setting."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "flavorsync_project.settings", "OPENSTACK_TIMEOUT": "abc15"}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.process
@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        ["manage.py", "run_worker", "--batch"],
        ["manage.py", "no_such_command"],
        [*GUNICORN, "-c", "flavorsync_serving/gunicorn.conf.py"],
    ],
    ids=["a command of Django's", "a worker", "no command", "the server"],
)
def test_a_process_says_it_in_one_line_and_ends(command: list[str]) -> None:
    process = ended(*command)
    assert (process.returncode, process.stdout, process.stderr) == (1, "", f"{LINE}\n")


@pytest.mark.process
def test_a_worker_of_any_other_gunicorn_says_it_and_is_not_started_again() -> None:
    process = ended(*GUNICORN)
    assert process.returncode == 4
    assert process.stderr.splitlines().count(LINE) == 1
    assert "Traceback" not in process.stderr


# Secrets in files


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_may_be_in_a_file(name: str, tmp_path: Path) -> None:
    """As containers are handed them: Docker's secrets, Kubernetes' volumes."""
    value = next((value for good, value, _ in GOOD if good == name), "sqlite:////srv/a.sqlite3")
    value = "locmemcache://" if name == "CACHE_URL" else value
    (tmp_path / "secret").write_text(f"{value}\n", encoding="utf-8")
    assert read({f"{name}_FILE": str(tmp_path / "secret")})[name] == read({name: value})[name]
    # What the environment says itself comes first.
    assert read({name: value, f"{name}_FILE": "/no/such/file"})[name] == read({name: value})[name]


def test_a_secret_whose_file_is_wrong_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("sixteen and more with spaces")
    with pytest.raises(WrongSetting) as caught:
        read({"SECRET_KEY_FILE": "/no/such/file", "METRICS_TOKEN_FILE": str(tmp_path / "secret")})
    assert str(caught.value).splitlines() == [
        "SECRET_KEY_FILE is '/no/such/file', which cannot be read as text.",
        "METRICS_TOKEN has a wrong value, which is not shown: it must be 16 or more ASCII characters without a space.",
    ]


def test_what_is_no_secret_is_not_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("flavors.example.org")
    assert read({"ALLOWED_HOSTS_FILE": str(tmp_path / "hosts")}) == read({})


# The folder of what the service makes for itself


@pytest.mark.usefixtures("environment")
def test_a_clone_keeps_its_data_and_what_is_installed_puts_it_into_the_users_folder(tmp_path: Path) -> None:
    os.environ["HOME"] = str(tmp_path / "home")
    assert data_folder(ROOT) == ROOT
    assert data_folder(tmp_path) == tmp_path / "home/.local/share/flavor-sync"
    os.environ["XDG_DATA_HOME"] = str(tmp_path / "data")
    assert data_folder(tmp_path) == tmp_path / "data/flavor-sync"
    os.environ["DATA_FOLDER"] = str(tmp_path / "named")
    assert data_folder(tmp_path) == data_folder(ROOT) == tmp_path / "named"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongSetting, match=r"^DATA_FOLDER is '.*/file/x', which cannot be made: Not a directory\.$"):
        make_data_folder(tmp_path / "file" / "x")
