"""The middlewares that only pages need: the API has no sessions and no messages, and sends no pages.

Django's CSRF protection stays for all, as its deployment check wants; it leaves the API's views alone.
"""

import re
from functools import partial
from typing import Any

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from identity.signed_in import current_user

# All of the API except its documentation, which is a page; and the OpenStack face
_API = re.compile(r"/((api/)?v1(/(?!docs/?$)|$)|compute(/|$))")


class _ForPages(MiddlewareMixin):
    """Makes the API's requests skip the middleware that it is mixed into."""

    def __call__(self, request: HttpRequest) -> Any:
        if _API.match(request.path_info):
            return self.get_response(request)
        return super().__call__(request)


class PageCSPMiddleware(_ForPages, CSPMiddleware):
    """Send the Content-Security-Policy with pages."""


class PageSessionMiddleware(_ForPages, SessionMiddleware):
    """Open the visitor's session for pages."""


class PageAuthenticationMiddleware(_ForPages, AuthenticationMiddleware):
    """Find out, for pages, who is signed in, and what they may do now."""

    def process_request(self, request: HttpRequest) -> None:
        """Find out only when something asks."""
        super().process_request(request)
        request.user = SimpleLazyObject(partial(current_user, request))  # type: ignore[assignment]


class PageMessageMiddleware(_ForPages, MessageMiddleware):
    """Keep the messages that a page shows once."""
