"""The three tiers of the tests, each of which includes the one before: a plugin of pytest.

A test's markers say what it needs (pyproject.toml). A test without a marker is in the fast tier, and fails if it starts
a process or uses the lab.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import Lab

NEEDS = ("process", "lab", "browser", "stack")
LEFT_OUT: dict[str, frozenset[str]] = {
    "fast": frozenset({*NEEDS, "thorough"}),
    "default": frozenset({"thorough"}),
    "thorough": frozenset(),
}


class Guard:
    """Keeps tests without a marker from starting processes."""

    def __init__(self) -> None:
        self.closed = False

    def refusing(self, start: Callable[..., Any]) -> Callable[..., Any]:
        """Return *start*, guarded: it fails the tests that may not start a process."""

        def started(*arguments: Any, **more: Any) -> Any:
            if self.closed:
                pytest.fail(f"It starts a process, or the lab: mark it with one of {', '.join(NEEDS)}")
            return start(*arguments, **more)

        return started


_GUARD = Guard()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the tier."""
    parser.addoption("--tier", choices=LEFT_OUT, default="thorough", help="which tests to run (%(default)s)")


def pytest_configure() -> None:
    """Put the guard before everything that starts a process."""
    subprocess.Popen.__init__ = _GUARD.refusing(subprocess.Popen.__init__)  # type: ignore[method-assign]
    Lab.up = _GUARD.refusing(Lab.up)  # type: ignore[method-assign]
    for name in ("fork", "posix_spawn", "system"):
        setattr(os, name, _GUARD.refusing(getattr(os, name)))


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of higher tiers, having marked what can be told from the tests themselves."""
    for item in items:
        if _has_real_transactions(item):
            item.add_marker("database")
        if _repeats_a_test_of_the_lab(item):
            item.add_marker("thorough")
    left_out = LEFT_OUT[config.getoption("tier")]
    kept: list[pytest.Item] = []
    gone: list[pytest.Item] = []
    for item in items:
        (kept if left_out.isdisjoint(_markers(item)) else gone).append(item)
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Guard a test of the fast tier."""
    _GUARD.closed = not _markers(item).intersection(NEEDS)
    try:
        return (yield)
    finally:
        _GUARD.closed = False


def _markers(item: pytest.Item) -> set[str]:
    return {marker.name for marker in item.iter_markers()}


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def _has_real_transactions(item: pytest.Item) -> bool:
    return "transactional_db" in _fixtures(item) or any(
        marker.kwargs.get("transaction") for marker in item.iter_markers("django_db")
    )


def _repeats_a_test_of_the_lab(item: pytest.Item) -> bool:
    """Say whether the same test asks the same clouds over JSON: how XML is read and written is shown without clouds."""
    wire = getattr(item, "callspec", None) and item.callspec.params.get("wire")  # type: ignore[attr-defined]
    return wire == "xml" and "lab" in _markers(item)
