"""The client of the FIWARE IdM (Keyrock): ask it what a token proves, and remember that for a while.

What Keyrock's API documents and what a real Keyrock 8.3 was seen to do is followed throughout. No
token is ever logged or kept: what is remembered is found by a digest, and what `requests` raises,
which names the URL and with it the token, does not leave this module.
"""

import functools
import json
import logging
import time
from dataclasses import asdict, dataclass
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import quote, urlencode

import requests
from django.conf import settings
from django.core.cache import cache
from django.utils.crypto import salted_hmac
from requests.adapters import HTTPAdapter
from rest_framework.exceptions import AuthenticationFailed
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util import Timeout

from flavorsync_project.api.errors import ServiceUnavailable
from flavorsync_project.api.request_id import RedactTokensFilter
from identity.metrics import IDM_SECONDS, VALIDATIONS, counted
from identity.principals import IdmUser
from identity.throttling import TokenFailureThrottle

logger = logging.getLogger(__name__)

# Keyrock's tokens have 40 characters, its JSON Web Tokens some thousand.
MAX_TOKEN_CHARACTERS = 8_000
MAX_ANSWER_BYTES = 1024 * 1024
POOL_SIZE = 32


def validate(token: str, *, address: str = "") -> IdmUser:
    """Return the user who bears the token, and who calls from this address, if it is known.

    One upstream call, two when a reused connection turns out to be broken; none for a token found
    valid in the last `KEYROCK_CACHE_SECONDS`. Refusals are not remembered, since with its database
    down Keyrock refuses valid tokens, too; they are counted for the address.

    Raises: AuthenticationFailed when the token is not valid, or not for one of `KEYROCK_APP_IDS`;
    ServiceUnavailable when the identity provider did not answer, or not as Keyrock does; Throttled,
    unasked, after too many refusals. A remembered token gets in all the same.
    """
    if not token or len(token) > MAX_TOKEN_CHARACTERS:
        raise _refused()
    key = _cache_key(token)
    if remembered := cache.get(key):
        VALIDATIONS.labels("remembered").inc()
        return IdmUser(**remembered)
    with counted():
        user = _look_up(token, address)
    cache.set(key, asdict(user), settings.KEYROCK_CACHE_SECONDS)
    return user


def _look_up(token: str, address: str) -> IdmUser:
    throttle = TokenFailureThrottle(address)
    throttle.check()
    try:
        return _judge(_ask(token))
    except AuthenticationFailed:
        throttle.record_failure()
        raise


def hide_tokens_in_logs() -> None:
    """Cut the token out of the URLs that urllib3 logs, whatever handlers a deployment may have."""
    for name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(RedactTokensFilter())


def _cache_key(token: str) -> str:
    """Return a digest of the token and of what else the outcome depends on."""
    configuration = "\n".join([settings.KEYROCK_URL, *sorted(settings.KEYROCK_APP_IDS)])
    digest = salted_hmac(f"identity.keyrock\n{configuration}", token, algorithm="sha256").hexdigest()
    return f"identity.keyrock.{digest}"


def _refused() -> AuthenticationFailed:
    return AuthenticationFailed("The token is not valid.")


# What the answer means


@dataclass(frozen=True)
class _Answer:
    status: int
    content_type: str
    body: bytes


def _judge(answer: _Answer) -> IdmUser:
    """Return the user of an answer to `GET /user`.

    Raises: AuthenticationFailed for 4xx, a machine's token and another application's;
    ServiceUnavailable for whatever is not Keyrock's.
    """
    if 400 <= answer.status < 500:
        raise _refused()
    if answer.status != 200:
        raise _unavailable(f"status {answer.status}")
    document = _document(answer)
    if settings.KEYROCK_APP_IDS and document.get("app_id") not in settings.KEYROCK_APP_IDS:
        raise _refused()
    if not (isinstance(user_id := document.get("id"), str) and user_id.strip()):
        raise _refused()
    return IdmUser.from_keyrock(document)


def _document(answer: _Answer) -> dict[str, object]:
    # For a path that it does not know Keyrock answers 200 with a page of its web interface.
    if answer.content_type.strip().lower().startswith("text/html"):
        raise _unavailable("200 with text/html, as for a wrong KEYROCK_URL")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _unavailable("200 with a body that is not a JSON object")
    return document


def _unavailable(reason: str) -> ServiceUnavailable:
    """Return the error of a provider that is silent or strange, whose reason only the log is told."""
    logger.warning("The identity provider gave no usable answer: %s", reason)
    return ServiceUnavailable("The identity provider (FIWARE IdM) does not answer as it should. Try again later.")


# The exchange


class _TooLargeError(OSError):
    """The answer is longer than any of Keyrock's."""


def _ask(token: str) -> _Answer:
    """Return what the provider answers about the token, whatever it is.

    Raises: ServiceUnavailable when there is no whole answer within `OPENSTACK_TIMEOUT` seconds; one
    that stalls half-way can take as long again.
    """
    if not settings.KEYROCK_URL:
        logger.error("KEYROCK_URL is not set: no token of the FIWARE IdM can be checked")
        raise ServiceUnavailable(
            "This service has no identity provider configured (KEYROCK_URL): it cannot check tokens."
        )
    try:
        with IDM_SECONDS.time():
            return _fetch(_url(token))
    except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
        reason = _kind(error)
    # Raised only here, outside the handler, so that no traceback shows the original with its URL.
    raise _unavailable(reason)


def _url(token: str) -> str:
    parameters = {"access_token": token}
    if len(settings.KEYROCK_APP_IDS) == 1:
        parameters["app_id"] = settings.KEYROCK_APP_IDS[0]
    return f"{settings.KEYROCK_URL.rstrip('/')}/user?{urlencode(parameters, quote_via=quote, safe='')}"


def _fetch(url: str) -> _Answer:
    """Return the answer, trying once more when the connection broke: Keyrock closes idle ones.

    What never was a connection (refused, no such host, TLS) and what took too long is not tried again.
    """
    deadline = time.monotonic() + settings.OPENSTACK_TIMEOUT
    try:
        return _exchange(url, deadline)
    except requests.ConnectionError as error:
        if not isinstance(next(iter(error.args), None), ProtocolError):
            raise
    return _exchange(url, deadline)


def _exchange(url: str, deadline: float) -> _Answer:
    remaining = Timeout(total=max(deadline - time.monotonic(), 0.001))
    with _session().get(url, stream=True, timeout=remaining) as response:  # type: ignore[arg-type]  # HTTPAdapter.send takes it
        body = _read(response, deadline)
    return _Answer(response.status_code, response.headers.get("Content-Type", ""), body)


def _read(response: requests.Response, deadline: float) -> bytes:
    """Return the body, read as it arrives so that neither its length nor its pace is the sender's choice."""
    body = bytearray()
    while part := response.raw.read1(64 * 1024):
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise _TooLargeError
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    return bytes(body)


def _kind(error: BaseException) -> str:
    """Return the name of what went wrong at the bottom: never the message, which may hold the token."""
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            return _kind(inner)
    return type(error).__name__


class _Session(requests.Session):
    """A session that follows no redirect and keeps nothing of one user for the next."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # An authentication that adds nothing: without one, requests looks for a password in ~/.netrc.
        self.auth = lambda request: request
        # Nothing compressed: MAX_ANSWER_BYTES is of what was sent and of what it unpacks to alike.
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        adapter = HTTPAdapter(pool_maxsize=POOL_SIZE)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nothing: a redirect is not an answer, and would carry the token elsewhere."""
        return


@functools.cache
def _session() -> requests.Session:
    """Return the process's one session, made at its first use so that no connection survives a fork."""
    return _Session()
