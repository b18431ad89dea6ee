"""How the workers of pytest-xdist share the tests: a plugin of pytest.

Its own `--dist loadgroup` writes a test's group into the test's id, which pytest 9.2 no longer heeds
(pytest-xdist#1386): every test goes to any worker then, and nothing says so. Here the workers write the groups into a
file, which whoever hands out the tests reads.

Its `--dist loadscope` hands out the group with the most tests first, so that a single long test may come last, while
the other workers have nothing left to do. Here the group comes first that may take longest.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from testing.lab import lab_of_the_tests
from testing.tiers import NEEDS

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

ANY = 300
"""Seconds that stand for those of a test without a limit."""

_FOLDER = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Say how many share the tests: nobody those of a single file, else as many as there are processors.

    One more where tests wait for clouds, browsers and processes. Without workers pytest says what it does not find.
    """
    paths = [Path(argument.partition("::")[0]) for argument in config.args]
    if (len(paths) == 1 and paths[0].is_file()) or not all(path.exists() for path in paths):
        return 0
    is_fast = config.getoption("tier", "fast") == "fast"
    return len(os.sched_getaffinity(0)) + (0 if is_fast else 1)


def pytest_configure(config: pytest.Config) -> None:
    """Give every worker but the first, which has the one of whoever starts the tests, a lab of its own.

    Coverage is that of the workers themselves. Measured, too, whatever the tests start would take longer by half.
    """
    if "workerinput" in vars(config):
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    worker = getattr(config, "workerinput", {}).get("workerid", "gw0")
    if worker != "gw0":
        os.environ["FLAVORSYNC_LAB"] = f"{lab_of_the_tests().name}-{worker}"
        config.add_cleanup(lambda: lab_of_the_tests().down())


def pytest_configure_node(node: "WorkerController") -> None:
    """Tell a worker where to write the groups."""
    node.workerinput["groups"] = str(_groups_file(node.config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the groups of all tests, in a worker, and put the longest first, before it says what it has collected."""
    if "groups" in (given := getattr(session.config, "workerinput", {})):
        groups = {item: group_of(item) for item in session.items}
        Path(given["groups"]).write_text(json.dumps({item.nodeid: group for item, group in groups.items()}))
        may_take: Counter[str] = Counter()
        for item, group in groups.items():
            may_take[group] += seconds_of(item)
        session.items.sort(key=lambda item: -may_take[groups[item]])


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Let a worker report a test that has logged half a character, which cannot be sent."""
    return _whole((yield))


def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Scheduler":
    """Have the tests handed out by group, in the order in which the workers have collected them."""
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def group_of(item: pytest.Item) -> str:
    """Return what tests that one worker must run have in common: their module, if that has the lab or fixtures."""
    if item.get_closest_marker("lab"):
        return str(item.path)
    fixtures = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
    if any(definition.scope == "module" for definitions in fixtures for definition in definitions):
        return str(item.path)
    return item.nodeid


def seconds_of(item: pytest.Item) -> int:
    """Return how long a test may take: what its own limit says, the general one, or next to nothing for a fast one."""
    if not any(item.get_closest_marker(need) for need in NEEDS) and not item.get_closest_marker("thorough"):
        return 1
    limit = item.get_closest_marker("timeout")
    return int(limit.args[0] if limit else item.config.getini("timeout") or ANY)


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """What pytest-xdist asks which tests belong together."""

    def __init__(self, config: pytest.Config, log: "Producer") -> None:
        super().__init__(config, log)
        self._groups: dict[str, str] = {}

    def schedule(self) -> None:
        """Begin, since all workers have collected the tests."""
        self._groups = self._groups or json.loads(_groups_file(self.config).read_text())
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._groups[nodeid]


def _whole(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {key: _whole(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(map(_whole, data))
    return data


def _groups_file(config: pytest.Config) -> Path:
    if _FOLDER not in config.stash:
        config.stash[_FOLDER] = tempfile.TemporaryDirectory()
        config.add_cleanup(config.stash[_FOLDER].cleanup)
    return Path(config.stash[_FOLDER].name) / "groups.json"
