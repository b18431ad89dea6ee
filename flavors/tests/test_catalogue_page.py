"""The catalogue as a page for everybody."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from testing.flavors import make_flavor, make_infrastructure, make_installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]

URL = reverse("catalogue")


def rows(client: Client, **query: str) -> list[tuple[str, list[str]]]:
    """Return the names of the flavors on the page, each with those of its nodes."""
    answer = client.get(URL, query)
    assert answer.status_code == 200
    return [(row.flavor.name, list(row.nodes)) for row in answer.context["rows"]]


def names(client: Client, **query: str) -> list[str]:
    return [name for name, _ in rows(client, **query)]


def make_catalogue() -> None:
    sizes: Iterable[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("m1.tiny", {"vcpus": 1, "ram": 512, "disk": 1}, ()),
        ("M1.Large", {"vcpus": 8, "ram": 8192, "disk": 80, "promoted": False}, ("Spain2", "Crete")),
        ("m1.small", {"vcpus": 2, "ram": 2048, "disk": 20}, ("Spain2",)),
        ("draft", {"public": False, "promoted": False}, ("Crete",)),
    ]
    for number, (name, values, nodes) in enumerate(sizes):
        flavor = make_flavor(name=name, flavorid=f"Id-{number}", **values)
        for node in nodes:
            make_installation(flavor, node)
    make_infrastructure("Gent")


def test_everybody_sees_the_public_flavors_and_their_nodes(client: Client) -> None:
    make_catalogue()
    assert rows(client) == [("M1.Large", ["Crete", "Spain2"]), ("m1.small", ["Spain2"]), ("m1.tiny", [])]
    text = client.get(URL).text
    for shown in ("8 GiB", "512 MiB", "none yet", "the 3 nodes", reverse("docs"), reverse("admin:index")):
        assert shown in text
    assert "draft" not in text


@pytest.mark.parametrize(
    ("label", "leads_to", "shown"),
    [
        ("Catalogue", "catalogue", "The flavors of the federation"),
        ("API", "docs", "swagger-ui"),
        ("Administration", "admin:login", "Log in"),
    ],
)
def test_each_link_at_the_top_leads_to_a_page(client: Client, label: str, leads_to: str, shown: str) -> None:
    links = dict(re.findall(r'<a href="(/[^"]*)"[^>]*>(\w+)</a>', client.get(URL).text))
    assert sorted(links.values()) == ["API", "Administration", "Catalogue"]
    (href,) = (href for href, text in links.items() if text == label)
    answer = client.get(href, follow=True)
    assert (answer.status_code, answer.request["PATH_INFO"]) == (200, reverse(leads_to))
    assert shown in answer.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "LARGE"}, ["M1.Large"]),
        ({"q": " m1.s "}, ["m1.small"]),
        ({"q": "Id-0"}, ["m1.tiny"]),
        ({"q": "100%"}, []),
        ({"q": "\0"}, ["M1.Large", "m1.small", "m1.tiny"]),
        ({"promoted": "true"}, ["m1.small", "m1.tiny"]),
        ({"promoted": "nonsense"}, ["M1.Large", "m1.small", "m1.tiny"]),
        ({"node": "Crete"}, ["M1.Large"]),
        ({"node": "Gent"}, []),
        ({"node": "nowhere"}, []),
        ({"node": "Spain2", "promoted": "true", "q": "m1"}, ["m1.small"]),
    ],
)
def test_the_page_is_searched(client: Client, query: dict[str, str], found: list[str]) -> None:
    make_catalogue()
    assert names(client, **query) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("vcpus", ["m1.tiny", "m1.small", "M1.Large"]),
        ("-ram", ["M1.Large", "m1.small", "m1.tiny"]),
        ("nodes", ["m1.tiny", "m1.small", "M1.Large"]),
        ("-name", ["m1.tiny", "m1.small", "M1.Large"]),
        ("password", ["M1.Large", "m1.small", "m1.tiny"]),
        ("-", ["M1.Large", "m1.small", "m1.tiny"]),
    ],
)
def test_the_page_is_sorted(client: Client, sort: str, found: list[str]) -> None:
    make_catalogue()
    assert names(client, sort=sort) == found


def test_a_node_that_is_asked_for_does_not_hide_the_others(client: Client) -> None:
    make_catalogue()
    assert rows(client, node="Spain2", sort="-nodes") == [("M1.Large", ["Crete", "Spain2"]), ("m1.small", ["Spain2"])]


def test_a_heading_says_how_it_sorts_and_keeps_the_search(client: Client) -> None:
    make_catalogue()
    text = client.get(URL, {"sort": "ram", "q": "m1", "page": "1"}).text
    assert text.count("aria-sort") == 1
    assert 'aria-sort="ascending"' in text
    assert 'href="?sort=-ram&amp;q=m1"' in text


@pytest.mark.parametrize(
    ("page", "first", "count"),
    [("1", "flavor 000", 100), ("2", "flavor 100", 1), ("9", "flavor 100", 1), ("x", "flavor 000", 100)],
)
def test_the_page_is_one_of_several(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, page: str, first: str, count: int
) -> None:
    for number in range(101):
        flavor = make_flavor(name=f"flavor {number:03}")
        for node in range(number % 4):
            make_installation(flavor, f"Node {node}")
    with django_assert_num_queries(5):
        shown = names(client, page=page)
    assert (shown[0], len(shown)) == (first, count)


def test_what_a_visitor_writes_is_shown_as_text(client: Client) -> None:
    make_flavor(name="<b>bold</b>")
    text = client.get(URL, {"q": '"><script>'}).text
    assert "<script>" not in text.replace('<script src="/static', "").replace('<script type="module" src="/static', "")
    assert "&lt;b&gt;bold" in client.get(URL).text


def test_the_page_is_read_only(client: Client) -> None:
    assert client.post(URL).status_code == 405
    assert client.head(URL).status_code == 200


def test_no_page_takes_a_script_or_a_style_but_the_sites_own(client: Client) -> None:
    policy = dict(
        directive.strip().split(" ", 1) for directive in client.get(URL)["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    for path in (reverse("docs"), f"/api{reverse('docs')}/", reverse("admin:login")):
        assert client.get(path)["Content-Security-Policy"], path


@pytest.mark.parametrize("path", ["/nowhere", "/admin/nowhere/"])
def test_a_page_that_is_not_there_says_so(admin_client: Client, path: str) -> None:
    answer = admin_client.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert admin_client.get("/v1/nowhere").json() == {"error": {"message": "There is nothing at this path"}}


def test_a_form_that_is_out_of_date_says_so_on_a_page_of_our_own() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert "The form is out of date" in answer.text
    assert "<style" not in answer.text  # which the policy would refuse
