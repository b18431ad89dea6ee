"""People sign in with the lab's IdMs and its Keystone, and see what is theirs."""

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from flavorsync_project.tests.browser.site import Check, Site, Visitor
from lab import Lab, people, seed
from lab.client import send
from lab.openstack import Keystone, KeystoneAdministrator
from testing.fixtures import openid_url
from testing.process import Process, a_database

pytestmark = [pytest.mark.browser, pytest.mark.lab]

NODES = """
for name in ("Spain2", "Mordor"):
    node = make_infrastructure(name, keystone_url="https://keystone.example.org/v3", username="u", tenant="t")
    node.set_password("p")
    node.save()
    make_installation(make_flavor(name=f"of {name}", flavorid=name), node=name)
"""


@pytest.fixture(scope="module", params=["keyrock", "openid"])
def idm(request: pytest.FixtureRequest, lab: Lab) -> Mapping[str, str]:
    """The settings that go with each IdM of the lab in turn."""
    if request.param == "keyrock":
        return {}
    url = openid_url(lab)
    return {"KEYROCK_URL": url, "KEYROCK_OIDC_DISCOVERY_URL": f"{url}/.well-known/openid-configuration"}


@pytest.fixture(scope="module")
def _served(
    lab: Lab,
    idm: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Process]:
    """The service, where nothing is remembered of tokens and people may sign in by each way."""
    folder = str(tmp_path_factory.mktemp("signed-in"))
    settings = {
        "KEYROCK_CLIENT_SECRET": seed.IDM_CLIENT_SECRET,
        "KEYROCK_CACHE_SECONDS": "0",
        "KEYSTONE_IDENTITY": "true",
        "KEYSTONE_MANAGERS": seed.KEYSTONE_MANAGERS,
        "KEYSTONE_OPERATORS": seed.KEYSTONE_OPERATORS,
        "KEYSTONE_CACHE_SECONDS": "0",
        **idm,
    }
    with django_db_blocker.unblock(), a_database(folder) as url:
        process = Process(lab, url, settings=settings)
        process.manage("migrate", "--no-input").check_returncode()
        yield process
        process.kill()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A window of somebody who also goes to the IdM."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def by_the_idm(page: Page, site: Site, user: str, wanted: str = "/admin/") -> None:
    """Go to a page, and on the way there say at the IdM who one is."""
    page.goto(f"{site.url}{wanted}")
    page.get_by_role("link", name="Sign in with the FIWARE IdM").click()
    page.get_by_role("button", name=user, exact=True).click()


def by_keystone(page: Page, user: str, password: str = seed.PASSWORD) -> None:
    """Fill the form of Keystone and send it."""
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def assert_is_out(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/admin/")
    expect(page.get_by_role("link", name="Sign in with Keystone")).to_be_visible()


@pytest.fixture
def taken_away(lab: Lab) -> Iterator[str]:
    """The URL of the role of the operator of Spain2, which they have again afterwards."""
    url, token = lab.keystone_url, Keystone(lab.keystone_url).token("admin", project="admin")
    administrator = KeystoneAdministrator(url, token)
    ids = {
        "users": administrator.ensure("user", {"name": "spain2-operator"}),
        "roles": administrator.ensure("role", {"name": seed.OPERATOR}),
    }
    role = f"{url}/projects/{lab.project_ids('Spain2')['Spain2']}/users/{ids['users']}/roles/{ids['roles']}"
    yield role
    send("PUT", role, token=token)


def test_an_operator_of_keystones_sees_what_is_theirs_until_the_role_is_taken_away(
    visitor: Visitor, site: Site, lab: Lab, taken_away: str
) -> None:
    site.start_over(NODES)
    page = visitor.go("/admin/login/?next=/admin/flavors/flavor/compare/")
    page.get_by_role("link", name="Sign in with Keystone").click()
    visitor.wanted = 401
    by_keystone(page, "spain2-operator", "wrong")
    expect(page.get_by_role("alert")).to_have_text("Keystone does not accept this name, domain and password.")
    visitor.wanted = 200
    by_keystone(page, "spain2-operator")

    expect(page.get_by_text("spain2-operator@Default")).to_be_visible()
    choices = page.locator("select").first
    expect(choices).to_contain_text("Spain2")
    expect(choices).not_to_contain_text("Mordor")
    visitor.go("/admin/flavors/flavor/coverage/")
    visitor.go("/admin/identity/user/", status=403)

    send("DELETE", taken_away, token=Keystone(lab.keystone_url).token("admin", project="admin"))
    assert_is_out(page, site)


def test_everybody_can_use_the_pages(visitor: Visitor, everybody_can_use: Check) -> None:
    everybody_can_use(visitor.go("/admin/login/?next=/admin/"), "signing-in")
    everybody_can_use(visitor.go("/sign-in/keystone"), "signing-in-with-keystone")


def test_whoever_has_no_role_is_told_so(visitor: Visitor, site: Site) -> None:
    page = visitor.go("/sign-in/keystone")
    visitor.wanted = 403
    by_keystone(page, "self-made-manager")
    expect(page.get_by_role("alert")).to_contain_text("You are self-made-manager@Default, and have no role here")
    assert_is_out(page, site)


def test_a_manager_of_the_idms_signs_in_and_out(page: Page, site: Site) -> None:
    by_the_idm(page, site, "manager", "/admin/flavors/flavor/coverage/")
    expect(page).to_have_url(f"{site.url}/admin/flavors/flavor/coverage/")
    expect(page.locator("#user-tools")).to_contain_text("manager")
    page.get_by_role("button", name="Log out").click()
    assert_is_out(page, site)


def test_an_owner_of_the_idms_sees_what_is_theirs_until_the_role_is_taken_away(
    page: Page, site: Site, lab: Lab
) -> None:
    site.start_over(NODES)
    by_the_idm(page, site, "owner-spain2", "/admin/flavors/flavor/compare/")
    expect(page.locator("#user-tools")).to_contain_text("owner-spain2")
    choices = page.locator("select").first
    expect(choices).to_contain_text("Spain2")
    expect(choices).not_to_contain_text("Mordor")
    page.get_by_role("link", name="Nodes", exact=True).first.click()
    expect(page.locator("#result_list")).to_contain_text("Spain2")
    expect(page.locator("#result_list")).not_to_contain_text("Mordor")
    for path in ("/admin/identity/user/", "/admin/infrastructures/infrastructure/add/", "/admin/admin/logentry/"):
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 403, path
    with people.without_roles(lab.folder, "owner-spain2"):
        assert_is_out(page, site)


def test_whoever_has_no_role_at_the_idm_is_told_so(page: Page, site: Site) -> None:
    by_the_idm(page, site, "basic")
    expect(page.get_by_role("alert")).to_contain_text("You are basic, and have no role here")
    assert_is_out(page, site)
