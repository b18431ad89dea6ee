"""Settings of Flavor Sync, read from the environment or from a file: ENV_FILE, or `.env` beside manage.py.

The README's table names every setting and its default; a test keeps the two in step.
"""

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import environ
from corsheaders.defaults import default_headers
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(os.environ.get("ENV_FILE") or BASE_DIR / ".env")


def _development_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret kept in *path*, made there once with access for its owner only.

    Production names its own in SECRET_KEY; the deployment check says so when it does not.
    """
    if not path.exists():
        # Whole or not at all: several processes may begin at once, and any may be killed.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:
            file.write(make())
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text(encoding="ascii")


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or _development_secret(
    BASE_DIR / ".secret_key", lambda: secrets.token_urlsafe(50)
)
# Whether people reach the service over HTTPS alone, through a proxy that sets X-Forwarded-Proto itself.
HTTPS = env.bool("HTTPS", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks",
    "django_tasks_db",
    "flavorsync_project",
    "identity",
    "infrastructures",
    "flavors",
    "regions",
]

MIDDLEWARE = [
    "flavorsync_project.api.metrics.MetricsMiddleware",
    "flavorsync_project.api.request_id.RequestIdMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "flavorsync_project.middleware.PageCSPMiddleware",
    "flavorsync_project.middleware.PageSessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "flavorsync_project.middleware.PageAuthenticationMiddleware",
    "flavorsync_project.middleware.PageMessageMiddleware",
]

ROOT_URLCONF = "flavorsync_project.urls"
WSGI_APPLICATION = "flavorsync_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


# Data

_SQLITE_OPTIONS = {
    # Readers and the one writer do not wait for each other; whoever must wait does so for up to
    # 20 s; and a transaction takes the write lock when it begins, since one that takes it half-way
    # fails at once whatever the time-out.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
}
_MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "init_command": "SET sql_mode='STRICT_TRANS_TABLES'",
    "isolation_level": "read committed",
}


def _database(url_variable: str, default: str) -> dict[str, Any]:
    """Return Django's settings of the database that the environment names, tuned for its engine.

    A variable that is empty names none.
    """
    database: dict[str, Any] = env.db_url_config(env.str(url_variable, default="") or default)
    database.setdefault("ATOMIC_REQUESTS", False)
    database.setdefault("CONN_MAX_AGE", 60)
    database.setdefault("CONN_HEALTH_CHECKS", True)
    engines: dict[str, dict[str, Any]] = {"sqlite3": _SQLITE_OPTIONS, "mysql": _MYSQL_OPTIONS}
    options = engines.get(database["ENGINE"].rpartition(".")[2], {})
    database["OPTIONS"] = {**options, **database.get("OPTIONS", {})}
    # Names are ordered and compared by code point, on every engine alike.
    if "mysql" in database["ENGINE"]:
        database["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_nopad_bin"}
    return database


DATABASES = {"default": _database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _cache() -> dict[str, Any]:
    """Return Django's settings of the cache that the environment names; of a Redis, one that does without it."""
    cache: dict[str, Any] = env.cache_url_config(env.str("CACHE_URL", default="") or "locmemcache://?max_entries=10000")
    if cache["BACKEND"] == "django.core.cache.backends.redis.RedisCache":
        cache["BACKEND"] = "flavorsync_project.cache.RedisOrMemory"
    return cache


CACHES = {
    "default": _cache(),
    # What is known of Keystone tokens stays in the memory of the process: a token rescoped for its
    # bearer is a secret that no shared cache should hold.
    "keystone": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "keystone",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}


# Secrets of clouds, at rest: the first key encrypts, all of them decrypt.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", cast=str.strip, default=[]) or [
    _development_secret(BASE_DIR / ".encryption_key", lambda: Fernet.generate_key().decode())
]


# Identity

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["identity.backends.LocalAccountBackend"]
# In seconds: whoever signs in to the admin site does so every day.
SESSION_COOKIE_AGE = 12 * 60 * 60
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

KEYROCK_URL = env.str("KEYROCK_URL", default="")
KEYROCK_APP_IDS = env.list("KEYROCK_APP_IDS", cast=str.strip, default=[])
KEYROCK_CACHE_SECONDS = env.int("KEYROCK_CACHE_SECONDS", default=60)

# How long a right password of a local account is remembered after its last use
LOCAL_ACCOUNT_CACHE_SECONDS = env.int("LOCAL_ACCOUNT_CACHE_SECONDS", default=300)
# How many wrong passwords there may be per s, m, h or d; nothing for no limit
LOCAL_ACCOUNT_FAILURE_RATE = env.str("LOCAL_ACCOUNT_FAILURE_RATE", default="30/hour")
LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE = env.str("LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE", default="100/hour")
# How many refused tokens of the IdM an address may send per s, m, h or d; nothing for no limit
TOKEN_ADDRESS_FAILURE_RATE = env.str("TOKEN_ADDRESS_FAILURE_RATE", default="300/min")
# How many requests without any credential an address may make per s, m, h or d; nothing for no limit
ANONYMOUS_RATE = env.str("ANONYMOUS_RATE", default="")


# OpenStack

# The hosts that registered clouds may be at, as ALLOWED_HOSTS names them; empty for any
INFRASTRUCTURE_URL_ALLOWLIST = env.list("INFRASTRUCTURE_URL_ALLOWLIST", cast=str.strip, default=[])
KEYSTONE_URL = env.str("KEYSTONE_URL", default="")
# The highest compute microversion to speak; each cloud gets the highest that it knows, up to this.
NOVA_API_VERSION = env.str("NOVA_API_VERSION", default="2.96")
# In seconds, for one request to a cloud or to the IdM
OPENSTACK_TIMEOUT = env.float("OPENSTACK_TIMEOUT", default=15.0)
# true, false, or the path of a file with the certificate authorities to trust
_verify = env.str("OPENSTACK_VERIFY", default="true")
OPENSTACK_VERIFY: bool | str = {"true": True, "false": False}.get(_verify.lower(), _verify)
# How many threads of a process may be at work in one cloud at once; 0 for any number
CLOUD_CONCURRENCY = env.int("CLOUD_CONCURRENCY", default=4)
# A cloud that has not answered so many times in a row (0: however often) is left alone for so many seconds.
CLOUD_BREAKER_FAILURES = env.int("CLOUD_BREAKER_FAILURES", default=5)
CLOUD_BREAKER_SECONDS = env.float("CLOUD_BREAKER_SECONDS", default=10.0)


# Synchronisation

# How often all nodes are compared with the catalogue; 0 for never
SYNC_INTERVAL_MINUTES = env.int("SYNC_INTERVAL_MINUTES", default=0)
# Whether that repairs what it finds, short of replacing flavors
SYNC_REPAIR = env.bool("SYNC_REPAIR", default=False)
# How long runs are kept after their end; 0 for ever
SYNC_RETENTION_DAYS = env.int("SYNC_RETENTION_DAYS", default=90)

# The queue of the workers: in the database, or in a Redis that many machines share
TASKS_REDIS_URL = env.str("TASKS_REDIS_URL", default="")
TASKS = {
    "default": {"BACKEND": "django_tasks_rq.RQBackend" if TASKS_REDIS_URL else "django_tasks_db.DatabaseBackend"},
}
# A run takes as long as its clouds do.
RQ_QUEUES = {"default": {"URL": TASKS_REDIS_URL, "DEFAULT_TIMEOUT": 24 * 60 * 60}} if TASKS_REDIS_URL else {}
if TASKS_REDIS_URL:
    INSTALLED_APPS.append("django_rq")


# The API

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["identity.authentication.FlavorSyncAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["identity.throttling.AnonymousThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "flavorsync_project.api.negotiation.ContentNegotiation",
    "DEFAULT_PARSER_CLASSES": [
        "flavorsync_project.api.parsers.JSONParser",
        "flavorsync_project.api.parsers.XMLParser",
        "flavorsync_project.api.parsers.TextXMLParser",
    ],
    "DEFAULT_RENDERER_CLASSES": [
        "flavorsync_project.api.renderers.JSONRenderer",
        "flavorsync_project.api.renderers.XMLRenderer",
        "flavorsync_project.api.renderers.TextXMLRenderer",
    ],
    "DEFAULT_PAGINATION_CLASS": "flavorsync_project.api.pagination.MarkerPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": "flavorsync_project.api.metadata.NoMetadata",
    "EXCEPTION_HANDLER": "flavorsync_project.api.handlers.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
    # How many proxies of ours stand in front, each adding the client's address to X-Forwarded-For
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# Pages of other origins that may call the API from their users' browsers, as https://host[:port].
# Cookies are never taken from there: whoever calls proves who they are in each request.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", cast=str.strip, default=[])
CORS_URLS_REGEX = r"^/(api/)?v1(/|$)"
CORS_ALLOW_HEADERS = [
    *default_headers,
    "if-match",
    "if-none-match",
    "password",
    "user",
    "x-auth-token",
    "x-auth-token-keystone",
]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "X-Flavor-Sync-Unreachable",
    "X-Openstack-Request-Id",
]

SPECTACULAR_SETTINGS = {
    "TITLE": "Flavor Sync",
    "DESCRIPTION": "Publish, install and promote OpenStack flavors across a federation of clouds.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    # A link to an operation would stand inside of the button that opens it, out of reach of a screen reader.
    "SWAGGER_UI_SETTINGS": {"deepLinking": False, "defaultModelsExpandDepth": 0},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RunState": "flavors.models.SyncRun.State",
        "NodeState": "flavors.models.SyncNode.State",
        "OutcomeState": "flavors.models.SyncOutcome.State",
    },
    "PREPROCESSING_HOOKS": ["flavorsync_project.api.openapi.canonical_paths"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "flavorsync_project.api.openapi.unwrapped_in_xml",
    ],
}


# Transport

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SILENCED_SYSTEM_CHECKS = [
    # Clients send tokens with POST and PUT and follow no redirect: the proxy refuses plain HTTP.
    "security.W008",
    # What the host's other names and the browsers' own lists say is for the owner of the domain.
    "security.W005",
    "security.W021",
]


# Pages

# All that a page needs comes from here, and nothing that could be a script or a style stands in a page itself.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # the API's documentation draws its icons with data:
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
STATIC_URL = "static/"
# Where collectstatic puts the pages' files for a web server in front
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
WHITENOISE_USE_FINDERS = True
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = ["flavorsync_project.formats"]
USE_TZ = True

# Who has it may read /metrics; without it nobody may.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# line for people, json for what collects logs
LOG_FORMAT = env.str("LOG_FORMAT", default="line")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "flavorsync_project.api.request_id.RequestIdFilter"},
        "redact": {"()": "flavorsync_project.api.request_id.RedactTokensFilter"},
    },
    "formatters": {
        "line": {"()": "flavorsync_project.api.logs.LineFormatter"},
        "json": {"()": "flavorsync_project.api.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["request_id", "redact"],
            "formatter": "json" if LOG_FORMAT == "json" else "line",
        },
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Django gives these two handlers of their own, which would skip the filters above.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
