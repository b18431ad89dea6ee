"""What Django's own request class stumbles over, before its error handling begins, is answered in order."""

import io
import json
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler

from flavorsync_project.api.wsgi import Handler

# A handler looks after the database connections of every request.
pytestmark = [pytest.mark.urls("flavorsync_project.api.tests.site"), pytest.mark.django_db]

BODY = b'{"flavor": {"name": "tiny", "vcpus": 1}}'


def answer(handler: WSGIHandler, content_type: str, query: str) -> tuple[str, Any]:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/echo",
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(BODY)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(BODY),
        "wsgi.url_scheme": "http",
    }
    started: list[str] = []
    body = b"".join(handler(environ, lambda status, *_: started.append(status)))  # type: ignore[arg-type]
    return started[0], json.loads(body)


ODD = [
    ("application/json; charset=hex", "limit=1"),
    ("application/json; charset=bz2_codec", ""),
    ("application/json; charset=utf-16", "limit=1"),
    ("application/json; charset=utf-8", "&".join(["a=b"] * 2000)),
    ("application/json; charset=idna", "x=%ff"),
]


@pytest.mark.parametrize(("content_type", "query"), ODD, ids=[content_type for content_type, _ in ODD])
def test_a_charset_does_not_rule_the_query(content_type: str, query: str) -> None:
    assert answer(Handler(), content_type, query) == ("201 Created", {"flavor": {"name": "tiny", "vcpus": 1}})


def test_a_content_type_that_cannot_be_read_is_415() -> None:
    status, document = answer(Handler(), "application/json; x*=bogus''abc", "")
    assert status.startswith("415 ")
    assert "The Content-Type \"application/json; x*=bogus''abc\" is not supported" in document["error"]["message"]


def test_django_itself_still_stumbles() -> None:
    """When this fails, so does the reason for the handler of our own."""
    for content_type, query in (ODD[0], ODD[3], ("application/json; x*=bogus''abc", "")):
        with pytest.raises(Exception, match=r"hex|exceeded|bogus"):
            answer(WSGIHandler(), content_type, query)
