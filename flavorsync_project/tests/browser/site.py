"""Flavor Sync as a visitor's browser meets it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from testing.process import ROOT, Process

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
# Where to keep a picture of every visited page, if anywhere
SCREENSHOTS = os.environ.get("FLAVORSYNC_SCREENSHOTS", "")
Look = tuple[Literal["light", "dark"], int]
"""A scheme of colours, and a width in pixels."""
Check = Callable[[Page, str], None]
"""Fails when somebody cannot use the page, which has this name."""
LOOKS: tuple[Look, ...] = (("light", 1440), ("dark", 390))
OTHER_LOOKS: tuple[Look, ...] = (("dark", 1440), ("light", 390))
# Widths at which a page must fit, too: a small tablet's, and a large screen's
MORE_WIDTHS = (768, 2560)
SETTLED = """async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
}"""
# The fields that reach beyond the row of their form, which hides what does
CUT_OFF = """() => [...document.querySelectorAll(".form-row :is(input, select, textarea)")].filter((field) =>
    field.checkVisibility()
    && field.getBoundingClientRect().right > field.closest(".form-row").getBoundingClientRect().right + 0.5
).map((field) => field.name)"""
SERIOUS = ("serious", "critical")
PASSWORD = "a password of the tests"

_EMPTY = """
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from flavors.models import *
from identity.models import User
from infrastructures.models import *
from synchronisation.models import SyncRun

for model in (LogEntry, Session, SyncRun, Installation, Flavor, Replacement, Infrastructure, User):
    model.objects.all().delete()
"""


_LOOP = """
import contextlib, io, json, sys, traceback
import django
django.setup()
from django.db import connections
for line in sys.stdin:
    printed, failure = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(json.loads(line), {"__name__": "__main__"})
        except BaseException:
            failure = traceback.format_exc()
    connections.close_all()
    print(json.dumps([printed.getvalue(), failure]), flush=True)
"""


class Shell:
    """Runs Python with the service's settings, time and again in one process: to start one takes a second."""

    def __init__(self, process: Process) -> None:
        self._python = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            cwd=ROOT,
            env=process.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str) -> str:
        """Run it, and return what it prints; fail with its traceback."""
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        print(json.dumps(code), file=self._python.stdin, flush=True)
        printed, failure = json.loads(self._python.stdout.readline())
        assert not failure, failure
        return str(printed)

    def end(self) -> None:
        """End its process."""
        self._python.communicate()


@dataclass
class Site:
    """The service as its own process, with ways to give it a state to show."""

    process: Process
    shell: Shell

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.process.port}"

    def do(self, code: str) -> str:
        """Run Python with its settings and its database, and return what that prints."""
        return self.shell.run(code)

    @contextmanager
    def without(self, table: str) -> Iterator[None]:
        """Be without a table meanwhile, so that whatever reads it fails."""
        rename = "from django.db import connection; connection.cursor().execute('ALTER TABLE {} RENAME TO {}')"
        self.do(rename.format(table, f"{table}_away"))
        try:
            yield
        finally:
            self.do(rename.format(f"{table}_away", table))

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Have a worker of the queue at hand meanwhile."""
        worker = subprocess.Popen([sys.executable, "manage.py", "run_worker"], cwd=ROOT, env=self.process.environment)
        try:
            yield
        finally:
            worker.terminate()
            worker.wait()

    def start_over(self, code: str = "") -> None:
        """Empty its tables, all but the roles', and run *code*, which has the tests' factories at hand."""
        self.do(_EMPTY + FACTORIES + code)


FACTORIES = f"""
from django.contrib.auth.models import Permission
from synchronisation.tests.test_coverage import make_run
from testing.flavors import make_flavor, make_infrastructure, make_installation
from testing.infrastructures import make_registered, make_replacement

def make_staff(name, *permissions, **values):
    user = User.objects.create_user(name, password={PASSWORD!r}, is_staff=True, **values)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user

"""


@dataclass
class Visitor:
    """Somebody with a browser, of whom everything that goes wrong in it is kept."""

    site: Site
    page: Page
    troubles: list[str] = field(default_factory=list)
    # The status of an answer that is wanted, though the browser complains of it
    wanted: int = 200

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.troubles.append(f"{self.page.url}: {error}"))
        self.page.on("request", self._watch)

    def go(self, path: str, *, status: int = 200) -> Page:
        """Open a page of the site, which is to answer with that status."""
        self.wanted = status
        answer = self.page.goto(self.site.url + path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"
        return self.page

    def sign_in(self, name: str) -> None:
        """Sign in to the admin site."""
        self.go("/admin/login/?next=/admin/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("button", name="Log out").wait_for()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and f"with a status of {self.wanted} " not in message.text:
            self.troubles.append(f"{self.page.url}: {message.text}")

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.site.url + "/", "data:", "blob:")):
            self.troubles.append(f"{self.page.url} asks for {request.url}")


@contextmanager
def visiting(browser: Browser, site: Site, **options: Any) -> Iterator[Visitor]:
    """Visit the site in a window of one's own, and fail when anything went wrong in the browser meanwhile."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    context.set_default_timeout(20_000)
    try:
        visitor = Visitor(site, context.new_page())
        yield visitor
        assert not visitor.troubles, "\n".join(visitor.troubles)
    finally:
        context.close()


def assert_everybody_can_use(page: Page, name: str, *, looks: Sequence[Look]) -> None:
    """Fail when axe-core finds something serious on the page, or it does not fit."""
    for scheme, width in looks:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        _assert_fits(page, f"{name}-{width}-{scheme}")
        violations = _violations(page)
        assert not violations, "\n".join(violations) + f"{name}, {scheme}, {width} pixels"
    for width in MORE_WIDTHS:  # which no scheme changes
        page.set_viewport_size({"width": width, "height": 900})
        _assert_fits(page, f"{name}-{width}")
    page.set_viewport_size({"width": 1440, "height": 900})


def _assert_fits(page: Page, name: str) -> None:
    """Fail when a page is wider than its window; keep a picture of it, where that was asked for."""
    page.evaluate(SETTLED)  # links fade into the colours of another scheme
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert not too_wide, f"{name} is {too_wide} pixels wider than its window"
    cut_off = page.evaluate(CUT_OFF)
    assert not cut_off, f"{name}: {cut_off} are cut off"
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)


def _violations(page: Page) -> list[str]:
    # Evaluated by the browser itself: the page's policy lets no script in that is not the site's own.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: Mapping[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    return [
        f"{violation['id']}: {_line(node['html'])} ({_line(node['failureSummary'])})"
        for violation in found["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:300]
