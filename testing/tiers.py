"""The three tiers of the tests, each of which includes the one before: a plugin of pytest.

A test says by markers what it needs (pyproject.toml). What says nothing is in the fast tier, and is held to it: it
starts no process, and has no lab.
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
    """What keeps tests that are not marked from starting processes."""

    def __init__(self) -> None:
        self.closed = False

    def refusing(self, start: Callable[..., Any]) -> Callable[..., Any]:
        """Return what starts a process, but for the tests that may not."""

        def started(*arguments: Any, **more: Any) -> Any:
            if self.closed:
                pytest.fail(f"It starts a process, or the lab: mark it with one of {', '.join(NEEDS)}")
            return start(*arguments, **more)

        return started


_GUARD = Guard()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tier be named."""
    parser.addoption("--tier", choices=LEFT_OUT, default="thorough", help="which tests to run (%(default)s)")


def pytest_configure() -> None:
    """Put the guard before all that starts a process."""
    subprocess.Popen.__init__ = _GUARD.refusing(subprocess.Popen.__init__)  # type: ignore[method-assign]
    Lab.up = _GUARD.refusing(Lab.up)  # type: ignore[method-assign]
    for name in ("fork", "posix_spawn", "system"):
        setattr(os, name, _GUARD.refusing(getattr(os, name)))


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of a higher tier, and mark those that another database could change by what they do."""
    for item in items:
        if _has_real_transactions(item):
            item.add_marker("database")
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
    """Hold a test of the fast tier to what that is."""
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
