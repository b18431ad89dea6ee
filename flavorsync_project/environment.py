"""The settings from the environment: each with its type, its range and its default, in one table.

settings.py takes its values from here, and a test keeps docs/settings.md the same. Space around values does not count,
and an empty value counts as not set. A secret can also be in a file, which the variable NAME_FILE names.
"""

import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

SHORTEST_TOKEN = 16
# 2.61 includes extra specs in a flavor; 2.96 is the highest that novaclient knows.
MICROVERSIONS = range(61, 97)
LONGEST_SHOWN = 100
LONGEST_HOST = 253
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}

TRUE, FALSE = {"true", "yes", "on", "1", "y", "ok"}, {"false", "no", "off", "0", "n"}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]")
_RATE = re.compile(r"[1-9]\d{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)")
_UNPRINTABLE = re.compile(r"[\s\x00-\x20\x7f]")


class WrongSetting(ImproperlyConfigured):
    """Variables of the environment have values that are not allowed; the message has a line for each."""


@dataclass(frozen=True)
class Kind:
    """The values that a setting may have: in words, and a function that reads one or raises ValueError."""

    allowed: str
    read: Callable[[str], Any]
    is_secret: bool = False
    """Whether to hide a wrong value, since it may hold a secret."""
    nothing: Callable[[], Any] = str
    """Makes the value of a setting that is not set."""


@dataclass(frozen=True)
class Setting:
    """A setting: its kind, and its default as the environment would give it; "" for none, or one that is made."""

    kind: Kind
    default: str = ""


# Kinds. Each reader raises ValueError for a value that is not allowed.


def whole(least: int, most: int) -> Kind:
    """Return the kind of integers in a range."""

    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return Kind(f"a whole number from {least} to {most}", read)


def number(least: float, most: float) -> Kind:
    """Return the kind of numbers in a range."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text) or not least <= float(text) <= most:
            raise ValueError
        return float(text)

    return Kind(f"a number from {least:g} to {most:g}", read)


def one_of(*words: str) -> Kind:
    """Return the kind that allows these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Kind(" or ".join(words), read)


def list_of(allowed: str, read_one: Callable[[str], Any], *, is_secret: bool = False) -> Kind:
    """Return the kind of lists, separated by commas."""

    def read(text: str) -> list[Any]:
        return [read_one(part) for part in map(str.strip, text.split(",")) if part]

    return Kind(f"{allowed}, separated by commas", read, is_secret, nothing=list)


def _truth(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError
    return text.lower() in TRUE


def _rate(text: str) -> str:
    if text.lower() == "off":
        return ""
    if not _RATE.fullmatch(text):
        raise ValueError
    return text


def _host(text: str) -> str:
    if len(text) > LONGEST_HOST or (text != "*" and not _HOST.fullmatch(text.removeprefix("."))):
        raise ValueError
    return text


def _token(text: str) -> str:
    if len(text) < SHORTEST_TOKEN or not text.isascii() or _UNPRINTABLE.search(text):
        raise ValueError
    return text


def _word(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError
    return text


def _key(text: str) -> str:
    Fernet(text)
    return text


def _microversion(text: str) -> str:
    version = re.fullmatch(r"2\.([0-9]{1,3})", text)
    if not version or int(version[1]) not in MICROVERSIONS:
        raise ValueError
    return text


def _verification(text: str) -> bool | str:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if "\0" in text or not Path(text).exists():
        raise ValueError
    return text


def _folder(text: str) -> str:
    if not text.isprintable() or not Path(text).is_absolute() or Path(text).is_file():
        raise ValueError
    return text


def _file(text: str) -> str:
    if "\0" in text or Path(text).is_dir() or not os.access(text, os.R_OK):
        raise ValueError
    return text


def _parts(text: str, schemes: list[str]) -> SplitResult:
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError if it is not a port
    host = parts.hostname or ""
    if parts.scheme not in schemes or _UNPRINTABLE.search(text):
        raise ValueError
    if not _HOST.fullmatch(f"[{host}]" if ":" in host else host):
        raise ValueError
    return parts


def _service(text: str) -> str:
    """Read the URL of a service that gets tokens: only where it is."""
    parts = _parts(text, ["http", "https"])
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError
    return text


def _origin(text: str) -> str:
    parts = _parts(text, ["http", "https"])
    if text != f"{parts.scheme}://{parts.netloc}" or "@" in text:
        raise ValueError
    return text


def _database(text: str) -> dict[str, Any]:
    scheme, _, rest = text.partition("://")
    if scheme not in {"mysql", "sqlite"} or not rest.strip("/") or not text.isprintable():
        raise ValueError
    config: dict[str, Any] = environ.Env.db_url_config(text)
    if not config["NAME"]:
        raise ValueError
    return config


def _cache(text: str) -> dict[str, Any]:
    if not re.fullmatch(r"locmemcache://[\w-]*(\?[\w=&-]*)?", text):
        _redis(text, ["rediscache", "redis", "rediss"])
    return dict(environ.Env.cache_url_config(text))


def _mail(text: str) -> dict[str, Any]:
    scheme = _parts(text, [*MAIL_PORTS]).scheme
    settings: dict[str, Any] = environ.Env.email_url_config(text)
    return settings | {"EMAIL_PORT": settings["EMAIL_PORT"] or MAIL_PORTS[scheme]}


def _address(text: str) -> str:
    name, at, host = text.rpartition("@")
    if not (name and at and _HOST.fullmatch(host)) or _UNPRINTABLE.search(text):
        raise ValueError
    return text


def _redis(text: str, schemes: list[str]) -> str:
    if not re.fullmatch(r"(/\d*)?", _parts(text, schemes).path):
        raise ValueError
    return text


def _queue(text: str) -> str:
    return _redis(text, ["redis", "rediss"])


BOOLEAN = Kind("true or false", _truth)
RATE = Kind("a number per s, m, h or d, such as 30/hour, or off", _rate)
HOSTS = list_of("host names, addresses, or .domain for all names below it", _host)
# A check in identity/ looks at each entry, and names the wrong ones.
ROLES_IN_SCOPES = list_of("roles in scopes, such as ROLE@system or ROLE@project:NAME/DOMAIN", _printable)
SERVICE = Kind("a URL such as https://host/path, of http or https, without user, query and fragment", _service)

SETTINGS: Mapping[str, Setting] = {
    "ENV_FILE": Setting(Kind("a file that can be read", _file)),
    "DATA_FOLDER": Setting(Kind("the absolute path of a folder", _folder)),
    "SECRET_KEY": Setting(Kind("printable characters", _printable, is_secret=True)),
    "DEBUG": Setting(BOOLEAN, "false"),
    "ALLOWED_HOSTS": Setting(HOSTS, "localhost,127.0.0.1,[::1]"),
    "HTTPS": Setting(BOOLEAN, "false"),
    "NUM_PROXIES": Setting(whole(0, 100), "0"),
    "DATABASE_URL": Setting(
        Kind("a URL such as mysql://user:password@host:port/name or sqlite:////path", _database, is_secret=True)
    ),
    "FIELD_ENCRYPTION_KEYS": Setting(list_of("Fernet keys", _key, is_secret=True)),
    "CACHE_URL": Setting(
        Kind("a URL such as rediscache://host:port/number or locmemcache://", _cache, is_secret=True),
        "locmemcache://?max_entries=10000",
    ),
    "KEYROCK_URL": Setting(SERVICE),
    "KEYROCK_APP_IDS": Setting(list_of("ids of applications", _word)),
    "KEYROCK_CACHE_SECONDS": Setting(whole(0, 86_400), "60"),
    "KEYROCK_CLIENT_SECRET": Setting(Kind("printable characters", _printable, is_secret=True)),
    "KEYROCK_OIDC_DISCOVERY_URL": Setting(SERVICE),
    "LOCAL_SIGN_IN": Setting(BOOLEAN, "true"),
    "LOCAL_ACCOUNT_CACHE_SECONDS": Setting(whole(0, 86_400), "300"),
    "LOCAL_ACCOUNT_FAILURE_RATE": Setting(RATE, "30/hour"),
    "LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE": Setting(RATE, "100/hour"),
    "TOKEN_ADDRESS_FAILURE_RATE": Setting(RATE, "300/min"),
    "ANONYMOUS_RATE": Setting(RATE, "off"),
    "CORS_ALLOWED_ORIGINS": Setting(list_of("origins such as https://host:port", _origin)),
    "INFRASTRUCTURE_URL_ALLOWLIST": Setting(HOSTS),
    "KEYSTONE_URL": Setting(SERVICE),
    "KEYSTONE_IDENTITY": Setting(BOOLEAN, "false"),
    "KEYSTONE_MANAGERS": Setting(ROLES_IN_SCOPES),
    "KEYSTONE_OPERATORS": Setting(ROLES_IN_SCOPES),
    "KEYSTONE_CACHE_SECONDS": Setting(whole(0, 86_400), "60"),
    "NOVA_API_VERSION": Setting(Kind(f"2.{MICROVERSIONS[0]} to 2.{MICROVERSIONS[-1]}", _microversion), "2.96"),
    "OPENSTACK_TIMEOUT": Setting(number(0.1, 300), "15"),
    "OPENSTACK_CONNECT_TIMEOUT": Setting(number(0.1, 300), "5"),
    "LOST_ANSWER_SECONDS": Setting(number(0, 86_400), "1200"),
    "CLOUD_CONCURRENCY": Setting(whole(0, 1000), "4"),
    "CLOUD_BREAKER_FAILURES": Setting(whole(0, 1000), "5"),
    "CLOUD_BREAKER_SECONDS": Setting(number(0, 86_400), "10"),
    "METRICS_TOKEN": Setting(
        Kind(f"{SHORTEST_TOKEN} or more ASCII characters without a space", _token, is_secret=True)
    ),
    "STATIC_ROOT": Setting(Kind("the absolute path of a folder", _folder)),
    "LOG_FORMAT": Setting(one_of("line", "json"), "line"),
    "OPENSTACK_VERIFY": Setting(Kind("true, false, or the path of an existing file or folder", _verification), "true"),
    "COMPUTE_API": Setting(BOOLEAN, "true"),
    "COMPUTE_PUBLIC_URL": Setting(SERVICE),
    "COMPUTE_SETTLE_SECONDS": Setting(number(0, 3600), "5"),
    "COMPUTE_DELETE": Setting(one_of("keep", "refuse"), "keep"),
    "SYNC_INTERVAL_MINUTES": Setting(whole(0, 525_600), "0"),
    "SYNC_REPAIR": Setting(BOOLEAN, "false"),
    "SYNC_ON_CHANGE_SECONDS": Setting(number(0, 3600), "0"),
    "SYNC_RETENTION_DAYS": Setting(whole(0, 36_500), "90"),
    "EMAIL_URL": Setting(
        Kind(f"a URL such as smtp+tls://user:password@host:587, of {', '.join(MAIL_PORTS)}", _mail, is_secret=True)
    ),
    "EMAIL_FROM": Setting(Kind("an e-mail address", _address), "flavor-sync@localhost"),
    "TASKS_REDIS_URL": Setting(
        Kind("a URL such as redis://host:port/number, of redis or rediss", _queue, is_secret=True)
    ),
}


def load(base: Path) -> dict[str, Any]:
    """Return the value of every setting, from the environment or from ENV_FILE, which is `.env` in *base* by default.

    Raises:
        WrongSetting: some values are not allowed, or the file is not a settings file.
    """
    file = read({"ENV_FILE": os.environ.get("ENV_FILE", "")})["ENV_FILE"] or base / ".env"
    if Path(file).exists():
        environ.Env.read_env(io.StringIO(_lines_of(file)))
    return read(os.environ)


def read(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of every setting, read from *variables*; "" or an empty list if it has none.

    Raises:
        WrongSetting: some values are not allowed, or the file of a secret cannot be read.
    """
    values: dict[str, Any] = {}
    wrong = []
    for name, setting in SETTINGS.items():
        given = variables.get(name, "").strip()
        try:
            if setting.kind.is_secret and not given:
                given = _from_file(name, variables)
        except WrongSetting as error:
            wrong.append(str(error))
            continue
        try:
            text = given or setting.default
            values[name] = setting.kind.read(text) if text else setting.kind.nothing()
        except (ValueError, LookupError, TypeError, OSError, ImproperlyConfigured):
            wrong.append(f"{name} {_shown(given, setting.kind)}: it must be {setting.kind.allowed}.")
    if wrong:
        raise WrongSetting("\n".join(wrong))
    return values


def _from_file(name: str, variables: Mapping[str, str]) -> str:
    """Return the secret in the file that NAME_FILE names, or "": containers are handed secrets in files."""
    file = variables.get(f"{name}_FILE", "").strip()
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise WrongSetting(f"{name}_FILE is {file!r}, which cannot be read as text.") from error


def _shown(given: str, kind: Kind) -> str:
    if kind.is_secret or "@" in given:
        return "has a wrong value, which is not shown"
    return f"is {given if len(given) <= LONGEST_SHOWN else given[:LONGEST_SHOWN] + '…'!r}"


def _lines_of(file: str | Path) -> str:
    """Return the text of a settings file, in which each line is a setting, a comment or empty."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise WrongSetting(f"ENV_FILE is {str(file)!r}, which cannot be read as text.") from error
    for number, line in enumerate(lines, 1):  # environ would skip any other line, and print it
        if line.strip() and not line.startswith("#") and not re.match(r"(export )?[A-Za-z_0-9]+=", line):
            raise WrongSetting(f"ENV_FILE is {str(file)!r}, where line {number} is not NAME=value.")
    return "\n".join(line for line in lines if line.strip())
