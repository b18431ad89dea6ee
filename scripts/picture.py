"""Take the pictures of the README and the docs: the overview, the coverage map, and a node, of a lab with drift.

Serve with `scripts/serve --lab` and promote the first flavor of the README's tour. Then have something to see: load the
standard flavors (`./manage.py load_catalogue --scs`), bring them to the clouds (`./manage.py sync_flavors`), delete
SCS-1V-8 in Lannion2, SCS-2V-16 and SCS-8V-32 in Mordor, make SCS-4V-8 again in Mordor under its id with 4096 MiB, and
compare (`./manage.py sync_flavors --dry-run`). Now run `.venv/bin/python scripts/picture.py [URL]`, which signs in with
Keystone, as the lab's manager.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZE = {"width": 1200, "height": 800}
NODE = "Mordor"


def main() -> None:
    """Sign in, look at each page, and write its picture."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{url}/sign-in/keystone?next=/admin/")
        page.fill("input[name=username]", "flavor-manager")
        page.fill("input[name=password]", "lab-password")
        page.click("main form button[type=submit], main form input[type=submit]")
        take(page, "overview")
        page.goto(f"{url}/admin/flavors/flavor/coverage/")
        take(page, "coverage")
        page.get_by_role("link", name=NODE, exact=True).first.click()
        take(page, "node")
        browser.close()


def take(page: Page, name: str) -> None:
    """Write a picture of the page as it is seen first."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=DOCS / f"{name}.png")


if __name__ == "__main__":
    main()
