"""Take the picture of the README: the coverage map of a lab in which one node lacks flavors.

Serve with `scripts/serve --lab` and follow the README's tour. Then have something to see: load the standard flavors
(`./manage.py load_catalogue --scs`) and bring them to the clouds, delete two of them in Mordor, make one again there
under its id with another size, and compare (`./manage.py sync_flavors --dry-run`). Now run
`.venv/bin/python scripts/picture.py [URL]`, which signs in with Keystone, as the lab's manager.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "coverage.png"
SIZE = {"width": 1200, "height": 800}


def main() -> None:
    """Sign in, look at the map, and write the picture."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{url}/sign-in/keystone?next=/admin/flavors/flavor/coverage/")
        page.fill("input[name=username]", "flavor-manager")
        page.fill("input[name=password]", "lab-password")
        page.click("main form button[type=submit], main form input[type=submit]")
        page.goto(f"{url}/admin/flavors/flavor/coverage/")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
