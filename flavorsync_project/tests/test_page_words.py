"""The staff's pages call a node a node: only the API, whose contract says so, calls it an infrastructure."""

import re
from html import unescape

import pytest
from django.test import Client

from flavorsync_project.tests.test_page_queries import administrator, fill, pages
from testing.cloud import Federation

pytestmark = pytest.mark.django_db

IS_NO_TEXT = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)
# Django itself names the tables behind lists of nodes on the pages that ask before something is deleted.
INFRASTRUCTURE = re.compile(r".{0,40}\binfrastructures?\b(?!-user relationship| relationship).{0,40}", re.IGNORECASE)


def test_no_page_of_the_staff_speaks_of_infrastructures() -> None:
    user, client = administrator(), Client()
    client.force_login(user)
    found = []
    with Federation() as federation:
        federation.add("node-00")
        for page in pages(fill(1, federation), user):
            text = unescape(IS_NO_TEXT.sub("", page.ask(client).text))
            found += [f"{page.name}: {words}" for words in INFRASTRUCTURE.findall(text) if page.name != "docs"]
    assert not found
