"""The API skips what only pages need."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from flavorsync_project.middleware import PageAuthenticationMiddleware, PageSessionMiddleware
from identity.models import User

pytestmark = pytest.mark.django_db

API = ["/v1", "/v1/", "/api/v1/flavors", "/v1/docs/more", "/v1/docsx"]
PAGES = ["/", "/admin/", "/v1/docs", "/api/v1/docs/", "/v10", "/av1/"]


def opened(path: str) -> tuple[bool, bool]:
    """Return whether a request of that path comes to its view with a session, and with somebody in it."""
    seen: list[tuple[bool, bool]] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append((hasattr(request, "session"), hasattr(request, "user")))
        return HttpResponse()

    PageSessionMiddleware(PageAuthenticationMiddleware(view))(RequestFactory().get(path))
    return seen[0]


@pytest.mark.parametrize("path", API)
def test_the_api_has_no_sessions(path: str) -> None:
    assert opened(path) == (False, False)


@pytest.mark.parametrize("path", PAGES)
def test_pages_have(path: str) -> None:
    assert opened(path) == (True, True)


def test_a_session_is_no_credential_there_and_no_header_of_a_page_comes_back() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    answer = client.get("/v1/regions")
    assert answer.status_code == 401
    assert "Content-Security-Policy" not in answer
    assert "Cookie" not in answer.get("Vary", "")
