"""Fixtures of the browser tests. Without Chromium they are skipped, and so is axe-core's part without npm's help."""

import shutil
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, sync_playwright
from pytest_django import DjangoDbBlocker

from flavorsync_project.tests.browser.site import (
    AXE,
    LOOKS,
    OTHER_LOOKS,
    Check,
    Shell,
    Site,
    Visitor,
    assert_everybody_can_use,
    visiting,
)
from lab import Lab
from testing.fixtures import lab
from testing.process import Process, a_database

__all__ = ["lab"]

# As Debian calls it, and as others do
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def _served(
    lab: Lab,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Process]:
    folder = str(tmp_path_factory.mktemp("browsed"))
    with django_db_blocker.unblock(), a_database(folder) as url:
        process = Process(lab, url)
        process.manage("migrate", "--no-input").check_returncode()
        yield process
        process.kill()


@pytest.fixture(scope="module")
def _shell(_served: Process) -> Iterator[Shell]:
    shell = Shell(_served)
    yield shell
    shell.end()


@pytest.fixture
def site(_served: Process, _shell: Shell) -> Site:
    """The running service as its own process, with an empty database."""
    _served.start()
    site = Site(_served, _shell)
    site.start_over()
    return site


@pytest.fixture(scope="module")
def browser(_served: Process) -> Iterator[Browser]:
    """Chromium; only as long as a module needs it, since Playwright's event loop is not for Django's models."""
    executable = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip("there is no Chromium (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    """Somebody who visits the site; what goes wrong in their browser fails the test."""
    with visiting(browser, site) as visitor:
        yield visitor


@pytest.fixture
def clouds(lab: Lab) -> Iterator[Lab]:
    """The lab, whose clouds have their seed again afterwards."""
    yield lab
    lab.reset()


@pytest.fixture(params=[LOOKS, pytest.param(OTHER_LOOKS, marks=pytest.mark.thorough)], ids=["looks", "other-looks"])
def everybody_can_use(request: pytest.FixtureRequest) -> Check:
    """Check that everybody can use a page, by axe-core: both schemes, both widths, and all combinations if thorough."""
    if not AXE.exists():
        pytest.skip(f"there is no axe-core (npm ci in {AXE.parents[2]})")
    return partial(assert_everybody_can_use, looks=request.param)
