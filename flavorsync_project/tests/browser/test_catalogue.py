"""The catalogue's page in a browser, and the API's documentation."""

import pytest
from playwright.sync_api import Browser, Page, expect

from flavorsync_project.tests.browser.site import Check, Site, Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.lab]

CATALOGUE = """
nodes = ["Crete", "Gent", "Lannion2", "Mordor", "Prague", "Spain2"]
for node in nodes:
    make_infrastructure(node)
for number, (name, vcpus, ram, disk) in enumerate([
    ("m1.tiny", 1, 512, 1), ("m1.small", 1, 2048, 20), ("m1.medium", 2, 4096, 40), ("m1.large", 4, 8192, 80),
    ("m1.xlarge", 8, 16384, 160), ("fiware.small", 1, 2000, 20), ("insane", 640, 1232896, 1262485504),
    ("gpu.a100-with-a-rather-long-name-as-operators-like-them", 48, 524288, 2048),
]):
    flavor = make_flavor(name=name, flavorid=str(number), vcpus=vcpus, ram=ram, disk=disk, promoted=number % 3 != 1)
    for node in nodes[: number]:
        make_installation(flavor, node)
make_flavor(name="a draft", public=False, promoted=False)
"""


def names(visitor: Visitor) -> list[str]:
    return visitor.page.locator("tbody th a").all_inner_texts()


def test_a_visitor_finds_a_flavor_while_typing(visitor: Visitor, site: Site) -> None:
    site.start_over(CATALOGUE)
    page = visitor.go("/")
    expect(page.get_by_role("status")).to_have_text("8 flavors")
    page.get_by_label("Name or id").press_sequentially("M1.")
    expect(page.get_by_role("status")).to_have_text("5 flavors")
    page.get_by_label("Installed in").select_option("Lannion2")
    expect(page.get_by_role("status")).to_have_text("2 flavors")
    page.get_by_role("link", name="RAM").click()
    expect(page.get_by_role("columnheader", name="RAM")).to_have_attribute("aria-sort", "ascending")
    assert names(visitor) == ["m1.large", "m1.xlarge"]
    page.get_by_role("link", name="RAM").click()
    expect(page.get_by_role("columnheader", name="RAM")).to_have_attribute("aria-sort", "descending")
    assert names(visitor) == ["m1.xlarge", "m1.large"]
    assert page.url == f"{site.url}/?q=M1.&node=Lannion2&sort=-ram"
    page.reload()
    assert names(visitor) == ["m1.xlarge", "m1.large"]


def test_the_page_works_without_javascript(browser: Browser, site: Site) -> None:
    site.start_over(CATALOGUE)
    with visiting(browser, site, java_script_enabled=False) as visitor:
        page = visitor.go("/")
        page.get_by_role("link", name="vCPUs").click()
        page.get_by_role("link", name="vCPUs").click()
        assert names(visitor)[:2] == ["insane", "gpu.a100-with-a-rather-long-name-as-operators-like-them"]
        page.get_by_label("Promoted only").check()
        page.get_by_role("button", name="Search").click()
        assert len(names(visitor)) == 5
        assert names(visitor)[0] == "insane"
        page.get_by_text("6 of 6").click()
        expect(page.get_by_role("listitem").filter(has_text="Prague")).to_be_visible()


def test_everybody_can_use_the_catalogue(visitor: Visitor, site: Site, everybody_can_use: Check) -> None:
    everybody_can_use(visitor.go("/"), "catalogue-empty")
    site.start_over(CATALOGUE)
    everybody_can_use(visitor.go("/"), "catalogue")
    everybody_can_use(visitor.go("/?q=nobody"), "catalogue-nothing-found")


def test_the_documentation_of_the_api_keeps_to_the_policy(visitor: Visitor, everybody_can_use: Check) -> None:
    page = visitor.go("/v1/docs")
    page.locator("#operations-promotedflavors-list_promoted_flavors button").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.get_by_text("Could not verify your access level").first).to_be_visible()
    everybody_can_use(page, "docs")
    visitor.troubles = [trouble for trouble in visitor.troubles if "401" not in trouble]  # what was asked for


# What no constraint lets in, and so nobody expects
SPOILED = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("PRAGMA ignore_check_constraints = ON")
    cursor.execute("UPDATE flavors_flavor SET ram = 'much'")
"""


def test_everybody_can_use_the_error_pages(visitor: Visitor, site: Site, everybody_can_use: Check) -> None:
    def everybody_can_use_error(page: Page, heading: str, name: str) -> None:
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        everybody_can_use(page, name)

    site.start_over('make_staff("operator", "view_user"); make_flavor()')
    page = visitor.go("/nowhere", status=404)
    everybody_can_use_error(page, "There is nothing here", "error-404")
    with site.without("flavors_flavor"):
        visitor.go("/", status=503)
    everybody_can_use_error(page, "Not available right now", "error-503")
    site.do(SPOILED)
    visitor.go("/", status=500)
    everybody_can_use_error(page, "Something went wrong here", "error-500")
    visitor.sign_in("operator")
    visitor.go("/admin/auth/group/", status=403)
    everybody_can_use_error(page, "You may not do this", "error-403")
    visitor.go("/admin/identity/user/?password__startswith=a", status=400)
    everybody_can_use_error(page, "The request makes no sense", "error-400")
    visitor.go("/admin/password_change/")
    page.context.clear_cookies()
    visitor.wanted = 403
    page.get_by_label("Old password").fill("whatever it was")
    for label in ("New password:", "New password confirmation:"):
        page.get_by_label(label, exact=True).fill("another one for the tests")
    page.get_by_role("button", name="Change my password").click()
    everybody_can_use_error(page, "The form is out of date", "error-csrf")
