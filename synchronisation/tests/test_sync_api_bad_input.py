"""What is sent to start a run and is not as it should be: 4xx that names the trouble, and no run."""

from typing import Any

import pytest

from synchronisation.models import SyncRun
from testing.bad_input import SOME, Bad, not_refused
from testing.synchronising import RUNS, Callers, start
from testing.wire import WIRES

pytestmark = pytest.mark.django_db

# What is wrong with the form of a body, whatever it is about
_FORM = {name: bad for name, bad in SOME.items() if not {"flavor", "flavors", "colour", "twice"} & set(bad.words)}
JSON, XML = "application/json", "application/xml"
OTHERS: dict[str, Bad] = {
    "JSON: a flavor": Bad(b'{"flavor": {"name": "x"}}', 400, ("run", "object"), JSON),
    "JSON: a list": Bad(b'{"run": []}', 400, ("run", "object"), JSON),
    "JSON: nothing": Bad(b'{"run": null}', 400, ("run", "object"), JSON),
    "JSON: no wrapper": Bad(b"{}", 400, ("run", "object"), JSON),
    "JSON: twice the same": Bad(b'{"run": {"exact": true, "exact": false}}', 400, ("exact", "twice"), JSON),
    "XML: an unknown element": Bad(b"<run><repair>true</repair></run>", 400, ("<run>", "repair"), XML),
    "XML: an element of the answer": Bad(b"<run><state>done</state></run>", 400, ("<run>", "state"), XML),
    "XML: an attribute": Bad(b'<run id="1"/>', 400, ("<run>", "id"), XML),
    "XML: an attribute of an item": Bad(b'<run><node name="Mordor"/></run>', 400, ("<node>", "name"), XML),
    "XML: twice the same": Bad(b"<run><exact>1</exact><exact>1</exact></run>", 400, ("exact", "twice"), XML),
    "XML: a list": Bad(b"<run><nodes><node>Mordor</node></nodes></run>", 400, ("<run>", "nodes"), XML),
    "XML: an element in an item": Bad(b"<run><node><name>Mordor</name></node></run>", 400, ("node", "text"), XML),
    "XML: text between": Bad(b"<run>Mordor</run>", 400, ("<run>", "text"), XML),
    "XML: runs": Bad(b"<runs/>", 400, ("<run>", "runs"), XML),
    "XML: the root of an answer": Bad(b"<status/>", 400, ("<run>", "status"), XML),
}


def test_a_body_that_cannot_be_read(callers: Callers) -> None:
    """Whatever the format of the body, the answer is in the one asked for."""
    assert not_refused(callers.manager, "POST", RUNS, _FORM | OTHERS) == {}
    assert not SyncRun.objects.exists()


def test_an_empty_body(callers: Callers) -> None:
    assert callers.manager.send("POST", RUNS).result == (400, {"error": {"message": "The request has no body"}})


@pytest.mark.parametrize("member", ["dry_run", "replace", "exact"])
def test_a_wrong_boolean(callers: Callers, member: str) -> None:
    for value in ("yes", "", "True", 2, [1]):
        answer = start(callers.manager, **{member: value})
        assert (answer.status, answer.message.startswith(f"{member}: must be true or false, not ")) == (400, True)
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"nodes": [""]}, "nodes[0]: must not be empty"),
        ({"nodes": ["Mordor", " x"]}, "nodes[1]: must not begin or end with a space"),
        ({"nodes": ["x" * 256]}, "nodes[0]: must not be longer than 255 characters"),
        ({"nodes": [f"n{number}" for number in range(1001)]}, "nodes: must not hold more than 1000"),
        ({"flavors": [""]}, "flavors[0]: must not be empty"),
        ({"flavors": ["a", "a/b"]}, "flavors[1]: may hold only letters (a to z), digits"),
        ({"flavors": ["x" * 256]}, "flavors[0]: must not be longer than 255 characters"),
        ({"flavors": [f"f{number}" for number in range(1001)]}, "flavors: must not hold more than 1000"),
        ({"exact": "x", "flavors": ["/"]}, "exact: must be true or false"),
    ],
)
def test_a_wrong_value(callers: Callers, members: dict[str, Any], message: str) -> None:
    answer = start(callers.manager, **members)
    assert (answer.status, message in answer.message) == (400, True), answer.message
    assert not SyncRun.objects.exists()


# XML has no way to write these.
in_json = pytest.mark.parametrize("wire", [WIRES["json"]], ids=["json"])


@in_json
@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("dry_run", None, "dry_run: must not be null"),
        ("replace", 1, "replace: must be true or false, not 1"),
        ("exact", "true", 'exact: must be true or false, not "true"'),
        ("nodes", None, "nodes: must not be null"),
        ("nodes", "Mordor", 'nodes: must be a list, not "Mordor"'),
        ("nodes", {"name": "Mordor"}, "nodes: must be a list, not an object"),
        ("nodes", [], "nodes: must not be empty: leave it out for all"),
        ("nodes", [1], "nodes[0]: must be a string, not an integer"),
        ("nodes", [{"name": "Mordor"}], "nodes[0]: must be a string, not an object"),
        ("nodes", ["\ud800"], "nodes[0]: must not hold the character U+D800: printable characters only"),
        ("flavors", None, "flavors: must not be null"),
        ("flavors", "a", 'flavors: must be a list, not "a"'),
        ("flavors", [], "flavors: must not be empty: leave it out for all"),
        ("flavors", [None], "flavors[0]: must not be null"),
    ],
)
def test_a_wrong_value_in_json(callers: Callers, member: str, value: Any, message: str) -> None:
    assert start(callers.manager, **{member: value}).result == (400, {"error": {"message": message}})
    assert not SyncRun.objects.exists()


@in_json
def test_unknown_members_are_ignored(callers: Callers) -> None:
    answer = start(callers.manager, repair=True, state="done", progress={}, id=7)
    assert answer.status == 202
    assert SyncRun.objects.count() == 1
