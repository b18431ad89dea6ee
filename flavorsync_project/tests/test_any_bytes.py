"""Whatever bytes come, in whatever part of a request, the answer is one of the API's own, and no 5xx.

Each request goes into the WSGI application as a server would hand it over.
"""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from flavorsync_project.tests.world import KEYSTONE_TOKENS, OWN, World
from flavorsync_project.wsgi import application
from testing.federation import WIRES
from testing.wire import read_answer

# Headers and paths as WSGI has them: bytes, as Latin-1 (PEP 3333). Servers let no line break through.
LATIN_1 = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"))
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FLY"])
COLLECTIONS = [
    "flavors",
    "promotedflavors",
    "infrastructures",
    "regions",
    f"regions/{OWN}/flavors",
    "nodes",
    "sync/runs",
    "sync/status",
    "schema",
]
PATHS = st.one_of(
    st.sampled_from([f"/v1/{name}" for name in COLLECTIONS]),
    st.builds("/v1/{}/{}".format, st.sampled_from(COLLECTIONS), LATIN_1),
    st.builds("/v1/{}".format, LATIN_1),
)
CONTENT_TYPES = st.sampled_from(["application/json", "application/xml", "text/xml"]) | LATIN_1
BODIES = st.one_of(
    st.binary(),
    st.builds(b'{"flavor": {"name": "%s", "vcpus": %s}}'.__mod__, st.tuples(st.binary(), st.binary())),
    st.builds(b'{"run": {"nodes": ["%s"], "exact": %s}}'.__mod__, st.tuples(st.binary(), st.binary())),
    st.builds(b"<run><node>%s</node><flavor>%s</flavor></run>".__mod__, st.tuples(st.binary(), st.binary())),
    st.builds(b"<flavor id='%s'><name>%s</name></flavor>".__mod__, st.tuples(st.binary(), st.binary())),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "HTTP_X_AUTH_TOKEN",
            "HTTP_X_AUTH_TOKEN_KEYSTONE",
            "HTTP_AUTHORIZATION",
            "HTTP_USER",
            "HTTP_PASSWORD",
            "HTTP_HOST",
            "HTTP_ORIGIN",
            "HTTP_COOKIE",
            "HTTP_IF_NONE_MATCH",
            "HTTP_IF_MODIFIED_SINCE",
            "HTTP_RANGE",
            "HTTP_X_FORWARDED_FOR",
            "HTTP_X_HTTP_METHOD_OVERRIDE",
        ]
    ),
    LATIN_1,
    max_size=3,
)
OWNER = {
    "HTTP_X_AUTH_TOKEN": "owner",
    "HTTP_X_AUTH_TOKEN_KEYSTONE": KEYSTONE_TOKENS["admin"]["X-Auth-Token-KeyStone"],
}


def answer(environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Return what the application answers: status, headers, body."""
    started: list[Any] = []
    start: Any = lambda status, headers, exc_info=None: started.append((status, headers))  # noqa: E731
    parts: Any = application(environ, start)
    try:
        body = b"".join(parts)
    finally:
        parts.close()
    ((status, headers),) = started
    return int(status.split()[0]), dict(headers), body


def environ(method: str, path: str, query: str, content_type: str, body: bytes, headers: dict[str, str]) -> Any:
    """Return a request as a WSGI server hands it over."""
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "SCRIPT_NAME": "",
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        **headers,
    }


@pytest.mark.filterwarnings("ignore:.*codec:DeprecationWarning")
@examples(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=METHODS,
    path=PATHS,
    query=LATIN_1,
    content_type=CONTENT_TYPES,
    body=BODIES,
    headers=HEADERS,
    is_owner=st.booleans(),
)
@example("POST", "/v1/flavors", "", "application/json", b'{"flavor":' * 90_000, {}, True)
@example("POST", "/v1/flavors", "", "application/json", b'{"flavor":' * 900 + b"1" + b"}" * 900, {}, True)
@example("POST", "/v1/flavors", "", "application/xml", b"<flavor>" * 90_000, {}, True)
@example("GET", "/v1/flavors/\xff\xfe", "node=%ff", "", b"", {}, True)
@example("GET", "/v1/flavors", "access_token=" + "x" * 9000, "", b"", {}, False)
@example("GET", "//v1/flavors", "", "", b"", {}, False)
def test_any_request_has_an_answer(
    world: World,
    method: str,
    path: str,
    query: str,
    content_type: str,
    body: bytes,
    headers: dict[str, str],
    is_owner: bool,
) -> None:
    with world.fresh():
        asked = environ(method, path, query, content_type, body, {**(OWNER if is_owner else {}), **headers})
        status, answered, content = answer(asked)
    assert status < 500
    assert "Traceback" not in content.decode()
    if status >= 400 and path.startswith("/v1/") and method != "HEAD":
        in_xml = "xml" in answered["Content-Type"]
        assert not in_xml or "xml" in content_type
        answered["Content-Type"] = answered["Content-Type"].replace("text/xml", "application/xml")
        read_answer(WIRES["xml" if in_xml else "json"], status, answered, content)
