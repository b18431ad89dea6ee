"""Django's settings for Flavor Sync, from the environment or a file: ENV_FILE, or `.env` in the data folder.

`environment` has the table of all of them.
"""

import secrets
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF

from flavorsync_project.data_folder import data_folder, kept_secret, make_data_folder
from flavorsync_project.database import tuned
from flavorsync_project.environment import load

BASE_DIR = Path(__file__).resolve().parent.parent
# Where the database, keys and locks are that nobody has put elsewhere: a clone's own folder, or the user's data folder
DATA_FOLDER = data_folder(BASE_DIR)

ENVIRONMENT = load(DATA_FOLDER)


DEBUG: bool = ENVIRONMENT["DEBUG"]
SECRET_KEY: str = ENVIRONMENT["SECRET_KEY"] or kept_secret(
    DATA_FOLDER / ".secret_key", lambda: secrets.token_urlsafe(50)
)
# Whether people reach the service only over HTTPS, through a proxy that sets X-Forwarded-Proto itself.
HTTPS: bool = ENVIRONMENT["HTTPS"]
ALLOWED_HOSTS: list[str] = ENVIRONMENT["ALLOWED_HOSTS"]

INSTALLED_APPS = [
    "pages.apps.ConsoleConfig",
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
    "synchronisation",
    "synchronisation.telling",
    "pages",
    "regions",
    "compute",
]

MIDDLEWARE = [
    "flavorsync_project.telemetry.metrics.MetricsMiddleware",
    "flavorsync_project.telemetry.request_id.RequestIdMiddleware",
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
        # In a clone, and in an installed wheel (pyproject.toml)
        "DIRS": [BASE_DIR / "templates", BASE_DIR / "flavorsync_project" / "templates"],
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

_SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DATA_FOLDER / "db.sqlite3")}
if not ENVIRONMENT["DATABASE_URL"]:
    make_data_folder(DATA_FOLDER)
DATABASES = {"default": tuned(ENVIRONMENT["DATABASE_URL"] or _SQLITE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _cache() -> dict[str, Any]:
    """Return Django's settings for the cache that the environment names; for a Redis, one that can do without it."""
    cache: dict[str, Any] = ENVIRONMENT["CACHE_URL"]
    if cache["BACKEND"] == "django.core.cache.backends.redis.RedisCache":
        cache["BACKEND"] = "flavorsync_project.cache.RedisOrMemory"
    return cache


CACHES = {
    "default": _cache(),
    # What we know of Keystone tokens stays in the process's memory: a token rescoped for its bearer is a
    # secret that no shared cache should hold.
    "keystone": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "keystone",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}


# Clouds' secrets at rest: the first key encrypts, all of them decrypt.
FIELD_ENCRYPTION_KEYS: list[str] = ENVIRONMENT["FIELD_ENCRYPTION_KEYS"] or [
    kept_secret(DATA_FOLDER / ".encryption_key", lambda: Fernet.generate_key().decode())
]


# Identity

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["identity.backends.LocalAccountBackend", "identity.backends.ProviderBackend"]
# Whether local accounts may sign in to the pages; they may use the API all the same.
LOCAL_SIGN_IN: bool = ENVIRONMENT["LOCAL_SIGN_IN"]
# In seconds: users of the admin site sign in every day.
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

KEYROCK_URL: str = ENVIRONMENT["KEYROCK_URL"]
KEYROCK_APP_IDS: list[str] = ENVIRONMENT["KEYROCK_APP_IDS"]
KEYROCK_CACHE_SECONDS: int = ENVIRONMENT["KEYROCK_CACHE_SECONDS"]

# The secret of the first of KEYROCK_APP_IDS. Without it people cannot sign in to the pages with the IdM.
KEYROCK_CLIENT_SECRET: str = ENVIRONMENT["KEYROCK_CLIENT_SECRET"]
# Where the IdM describes its OpenID Connect; without it we use plain OAuth2.
KEYROCK_OIDC_DISCOVERY_URL: str = ENVIRONMENT["KEYROCK_OIDC_DISCOVERY_URL"]

# Whether tokens of the Keystone of KEYSTONE_URL say who is calling, and which of its roles, each in a scope, make a
# manager or the operator of a node: see identity.mappings
KEYSTONE_IDENTITY: bool = ENVIRONMENT["KEYSTONE_IDENTITY"]
KEYSTONE_MANAGERS: list[str] = ENVIRONMENT["KEYSTONE_MANAGERS"]
KEYSTONE_OPERATORS: list[str] = ENVIRONMENT["KEYSTONE_OPERATORS"]
KEYSTONE_CACHE_SECONDS: int = ENVIRONMENT["KEYSTONE_CACHE_SECONDS"]

# How long a local account's correct password is remembered after its last use
LOCAL_ACCOUNT_CACHE_SECONDS: int = ENVIRONMENT["LOCAL_ACCOUNT_CACHE_SECONDS"]
# How many wrong passwords are allowed per s, m, h or d; off, which is "" here, for no limit
LOCAL_ACCOUNT_FAILURE_RATE: str = ENVIRONMENT["LOCAL_ACCOUNT_FAILURE_RATE"]
LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE: str = ENVIRONMENT["LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE"]
# How many refused tokens an address may send per s, m, h or d; off, which is "" here, for no limit
TOKEN_ADDRESS_FAILURE_RATE: str = ENVIRONMENT["TOKEN_ADDRESS_FAILURE_RATE"]
# How many requests without any credential an address may make per s, m, h or d; off, which is "" here, for no limit
ANONYMOUS_RATE: str = ENVIRONMENT["ANONYMOUS_RATE"]


# OpenStack

# The hosts that registered clouds may be at, as ALLOWED_HOSTS names them; empty for any
INFRASTRUCTURE_URL_ALLOWLIST: list[str] = ENVIRONMENT["INFRASTRUCTURE_URL_ALLOWLIST"]
KEYSTONE_URL: str = ENVIRONMENT["KEYSTONE_URL"]
# The highest compute microversion to use; with each cloud we use the highest that it knows, up to this.
NOVA_API_VERSION: str = ENVIRONMENT["NOVA_API_VERSION"]
# In seconds, for one request to a cloud or to the IdM
OPENSTACK_TIMEOUT: float = ENVIRONMENT["OPENSTACK_TIMEOUT"]
# Of which so much may pass until a cloud has taken the connection
OPENSTACK_CONNECT_TIMEOUT: float = ENVIRONMENT["OPENSTACK_CONNECT_TIMEOUT"]
# How long a cloud may still carry out a change whose answer was lost; docs/reliability.md says why so long
LOST_ANSWER_SECONDS: float = ENVIRONMENT["LOST_ANSWER_SECONDS"]
# true, false, or the path of a file with the certificate authorities to trust
OPENSTACK_VERIFY: bool | str = ENVIRONMENT["OPENSTACK_VERIFY"]
# How many threads of a process may work in one cloud at once; 0 for no limit
CLOUD_CONCURRENCY: int = ENVIRONMENT["CLOUD_CONCURRENCY"]
# After so many failures in a row (0: never) a cloud is left alone for so many seconds.
CLOUD_BREAKER_FAILURES: int = ENVIRONMENT["CLOUD_BREAKER_FAILURES"]
CLOUD_BREAKER_SECONDS: float = ENVIRONMENT["CLOUD_BREAKER_SECONDS"]


# Synchronisation

# How often all nodes are compared with the catalogue; 0 for never
SYNC_INTERVAL_MINUTES: int = ENVIRONMENT["SYNC_INTERVAL_MINUTES"]
# Whether that repairs what it finds, except that it replaces no flavors
SYNC_REPAIR: bool = ENVIRONMENT["SYNC_REPAIR"]
# How long after the last change of the catalogue promoted flavors that changed are brought to the nodes; 0 for not
SYNC_ON_CHANGE_SECONDS: float = ENVIRONMENT["SYNC_ON_CHANGE_SECONDS"]
# How long runs and events are kept after their end; 0 for ever
SYNC_RETENTION_DAYS: int = ENVIRONMENT["SYNC_RETENTION_DAYS"]

# The workers' queue: in the database, or in a Redis that several machines share
TASKS_REDIS_URL: str = ENVIRONMENT["TASKS_REDIS_URL"]
TASKS = {
    "default": {"BACKEND": "django_tasks_rq.RQBackend" if TASKS_REDIS_URL else "django_tasks_db.DatabaseBackend"},
}
# A run takes as long as its clouds do.
RQ_QUEUES = {"default": {"URL": TASKS_REDIS_URL, "DEFAULT_TIMEOUT": 24 * 60 * 60}} if TASKS_REDIS_URL else {}
if TASKS_REDIS_URL:
    INSTALLED_APPS.append("django_rq")


# Telling people

# The mail server that takes what subscribers are told by e-mail; without it there are none of these
vars().update(ENVIRONMENT["EMAIL_URL"] or {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"})
DEFAULT_FROM_EMAIL: str = ENVIRONMENT["EMAIL_FROM"]
EMAIL_TIMEOUT = 10


# The OpenStack face

# Whether OpenStack clients find the promoted flavors under /compute, as those of a Nova
COMPUTE_API: bool = ENVIRONMENT["COMPUTE_API"]
# Where clients find /compute, if that differs from their requests' own host
COMPUTE_PUBLIC_URL: str = ENVIRONMENT["COMPUTE_PUBLIC_URL"]
# How long after the last change by an OpenStack client the flavors are brought to the nodes
COMPUTE_SETTLE_SECONDS: float = ENVIRONMENT["COMPUTE_SETTLE_SECONDS"]
# What a flavor that servers use makes of its deletion: a node keeps it until they are gone, or nobody deletes it
COMPUTE_DELETE: str = ENVIRONMENT["COMPUTE_DELETE"]


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
    # How many of our proxies are in front, each adding the client's address to X-Forwarded-For
    "NUM_PROXIES": ENVIRONMENT["NUM_PROXIES"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# Other origins whose pages may call the API from their users' browsers, as https://host[:port].
# Cookies are never accepted from there: each request brings its own credentials.
CORS_ALLOWED_ORIGINS: list[str] = ENVIRONMENT["CORS_ALLOWED_ORIGINS"]
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
    # A link to an operation would be inside the button that opens it, where screen readers do not find it.
    "SWAGGER_UI_SETTINGS": {"deepLinking": False, "defaultModelsExpandDepth": 0},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RunState": "synchronisation.models.SyncRun.State",
        "NodeState": "synchronisation.models.SyncNode.State",
        "OutcomeState": "synchronisation.models.SyncOutcome.State",
    },
    "PREPROCESSING_HOOKS": ["flavorsync_project.api.openapi.canonical_paths"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "flavorsync_project.api.openapi.with_examples",
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
    # The host's other names, and the browsers' own lists, are for the domain's owner to decide.
    "security.W005",
    "security.W021",
]


# Pages

# Everything that a page needs comes from here, and no page holds a script or a style of its own.
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
STATIC_ROOT = ENVIRONMENT["STATIC_ROOT"] or None
WHITENOISE_USE_FINDERS = True
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = ["flavorsync_project.formats"]
USE_TZ = True

# Whoever has it may read /metrics; without it nobody may.
METRICS_TOKEN: str = ENVIRONMENT["METRICS_TOKEN"]

# line for people, json for log collectors
LOG_FORMAT: str = ENVIRONMENT["LOG_FORMAT"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "flavorsync_project.telemetry.request_id.RequestIdFilter"},
        "redact": {"()": "flavorsync_project.telemetry.redaction.RedactTokensFilter"},
    },
    "formatters": {
        "line": {"()": "flavorsync_project.telemetry.logs.LineFormatter"},
        "json": {"()": "flavorsync_project.telemetry.logs.JsonFormatter"},
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
        # Django gives these two their own handlers, which would skip the filters above.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
