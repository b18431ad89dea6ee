"""What the staff does in the admin site, in a browser and with the lab's clouds."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from flavorsync_project.tests.browser.site import Check, Site, Visitor
from lab import Lab, seed

pytestmark = [pytest.mark.browser, pytest.mark.lab]

STAFF = """
make_staff("administrator", is_superuser=True)
make_staff("operator", "view_flavor", "change_flavor", "add_flavor", "view_infrastructure", "change_infrastructure")
"""


def register(page: Page, site: Site, lab: Lab, node: str) -> None:
    """Fill the form that registers a cloud of the lab, and save it."""
    page.goto(f"{site.url}/admin/infrastructures/infrastructure/add/")
    project = node.lower()
    url = lab.mordor_keystone_url if node == "Mordor" else lab.keystone_url
    values = {"Name": node, "Keystone URL": url, "Tenant": project, "Username": f"{project}-admin"}
    for label, value in (values | {"Password": seed.PASSWORD}).items():
        page.get_by_label(f"{label}:", exact=True).fill(value)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text(f"The node “{node}” was added successfully")).to_be_visible()


def test_a_cloud_is_registered_and_checked(visitor: Visitor, site: Site, lab: Lab) -> None:
    site.start_over(STAFF)
    visitor.sign_in("administrator")
    page = visitor.page
    register(page, site, lab, "Spain2")
    assert page.get_by_label("Password:", exact=True).input_value() == ""
    page.get_by_role("button", name="Check connection").click()
    expect(page.get_by_text("Spain2: we can enter it and manage flavors there.")).to_be_visible()
    expect(page.get_by_text("✓ ready")).to_be_visible()
    expect(page.get_by_text(lab.nova_url("Spain2"))).to_be_visible()
    page.get_by_label("Password:", exact=True).fill("wrong")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("button", name="Check connection").click()
    expect(page.get_by_text("✕ trouble")).to_be_visible()
    visitor.go("/admin/infrastructures/infrastructure/")
    expect(page.get_by_role("row", name="Spain2")).to_contain_text("✕ trouble")


def test_a_flavor_is_promoted_and_installed(visitor: Visitor, site: Site, clouds: Lab) -> None:
    site.start_over(STAFF + 'make_flavor(name="fiware.small", flavorid="fiware", vcpus=1, ram=2048, promoted=False)')
    visitor.sign_in("administrator")
    page = visitor.page
    register(page, site, clouds, "Mordor")
    visitor.go("/admin/flavors/flavor/")
    page.get_by_label("Select this object for an action - fiware.small").check()
    page.get_by_label("Action:").select_option("Promote…")
    page.locator(".actions button[name=index]").click()
    expect(page.get_by_role("heading", name="Promote flavors")).to_be_visible()
    expect(page.get_by_text("every node should have it from then on")).to_be_visible()
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("fiware.small: promoted")).to_be_visible()
    page.get_by_role("link", name="fiware.small").click()
    page.get_by_role("button", name="Install in…").click()
    page.get_by_label("Mordor").check()
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_text("fiware.small: installed in Mordor")).to_be_visible()
    assert "fiware" in {flavor["id"] for flavor in clouds.flavors("Mordor")}
    visitor.go("/admin/flavors/flavor/")
    expect(page.get_by_role("row", name="fiware.small")).to_contain_text("in 1 of 1")
    page.get_by_role("link", name="fiware.small").click()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("row", name="installed in Mordor")).to_contain_text("administrator")


def test_extra_specs_are_edited_as_rows_and_sizes_said_in_larger_units(visitor: Visitor, site: Site) -> None:
    site.start_over(
        STAFF + 'make_flavor(name="fiware.small", ram=2048, extra_specs={"hw:cpu_policy": "shared", "old": "1"})'
    )
    visitor.sign_in("administrator")
    page = visitor.go("/admin/flavors/flavor/")
    page.get_by_role("link", name="fiware.small").click()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_text("2 GiB", exact=True)).to_be_visible()
    page.get_by_label("RAM (MiB)").fill("3072")
    expect(page.get_by_text("3 GiB", exact=True)).to_be_visible()
    expect(page.get_by_label("Key of an extra spec").first).to_have_attribute("list", "known-specs")
    expect(page.locator("#known-specs option[value='hw:mem_page_size']")).to_have_count(1)
    page.get_by_role("button", name="Remove").nth(1).press("Enter")
    page.get_by_role("button", name="Add an extra spec").press("Enter")
    page.keyboard.type("hw:mem_page_size")
    page.keyboard.press("Tab")
    page.keyboard.type("large")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    found = site.do(
        "from flavors.models import Flavor; print(Flavor.objects.get().ram, Flavor.objects.get().extra_specs)"
    )
    assert found.strip() == "3072 {'hw:cpu_policy': 'shared', 'hw:mem_page_size': 'large'}"


def test_flavors_are_loaded_from_a_file_once_what_that_does_was_shown(visitor: Visitor, site: Site) -> None:
    site.start_over(STAFF + 'make_flavor(name="fiware.small", flavorid="fiware", ram=2048)')
    visitor.sign_in("administrator")
    page = visitor.go("/admin/flavors/flavor/load/")
    table = 'id;name;vcpus;ram;disk;extra_specs\nfiware;fiware.small;1;4096;10;"a=1; b=2"\n;new.one;1;512;0;\n'
    file = FilePayload(name="flavors.csv", mimeType="text/csv", buffer=table.encode())
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Look at it").press("Enter")
    expect(page.get_by_role("row", name="fiware.small")).to_contain_text("4 GiB")
    expect(page.get_by_role("row", name="new.one")).to_contain_text("new id")
    page.get_by_role("button", name="Load it").press("Enter")
    expect(page.get_by_text("2 loaded.")).to_be_visible()
    found = site.do(
        "from flavors.models import Flavor; print(*Flavor.objects.values_list('name', 'ram'), "
        "Flavor.objects.get(flavorid='fiware').extra_specs)"
    )
    assert found.strip() == "('fiware.small', 4096) ('new.one', 512) {'a': '1', 'b': '2'}"


def test_an_operator_is_not_offered_to_promote(visitor: Visitor, site: Site) -> None:
    site.start_over(STAFF + 'make_flavor(name="fiware.small", promoted=False)')
    visitor.sign_in("operator")
    page = visitor.go("/admin/flavors/flavor/")
    expect(page.get_by_role("option", name="Install in…")).to_be_attached()
    expect(page.get_by_role("option", name="Promote…")).to_have_count(0)
    # What somebody who knows the page sends all the same
    status = page.evaluate(
        """async () => {
            const form = new FormData(document.querySelector("#changelist-form"));
            form.set("action", "promote_flavors");
            form.set("_selected_action", document.querySelector(".action-select").value);
            form.set("confirmed", "yes");
            return (await fetch(location.href, {method: "POST", body: form})).status;
        }"""
    )
    assert status == 200  # the list again
    assert site.do("from flavors.models import Flavor; print(Flavor.objects.promoted().count())").strip() == "0"


PAGES = {
    "index": "/admin/",
    "flavors": "/admin/flavors/flavor/",
    "flavor": "/admin/flavors/flavor/{flavor}/change/",
    "flavor-add": "/admin/flavors/flavor/add/",
    "flavor-load": "/admin/flavors/flavor/load/",
    "infrastructures": "/admin/infrastructures/infrastructure/",
    "infrastructure": "/admin/infrastructures/infrastructure/{infrastructure}/change/",
    "infrastructure-register": "/admin/infrastructures/infrastructure/register/",
    "flavor-make": "/admin/flavors/flavor/own/new/",
    "scs": "/admin/flavors/flavor/scs/",
    "flavor-delete": "/admin/flavors/flavor/{draft}/delete/",
    "flavor-history": "/admin/flavors/flavor/{flavor}/history/",
    "infrastructure-add": "/admin/infrastructures/infrastructure/add/",
    "infrastructure-delete": "/admin/infrastructures/infrastructure/{unused}/delete/",
    "infrastructure-in-use": "/admin/infrastructures/infrastructure/{infrastructure}/delete/",
    "accounts": "/admin/identity/user/",
    "account-add": "/admin/identity/user/add/",
    "password": "/admin/password_change/",
    "groups": "/admin/auth/group/",
    "account": "/admin/identity/user/{account}/change/",
    "group": "/admin/auth/group/{group}/change/",
    "replacements": "/admin/infrastructures/replacement/",
    "history": "/admin/admin/logentry/",
}
CONFIRMATIONS = {
    "Publish…": "Publish flavors",
    "Promote…": "Promote flavors",
    "Install in…": "Install flavors in nodes",
}


def test_everybody_can_use_the_admin_site(visitor: Visitor, site: Site, everybody_can_use: Check) -> None:
    visitor.go("/admin/login/")
    everybody_can_use(visitor.page, "login")
    site.start_over(
        STAFF
        + """
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone
for number, name in enumerate(["m1.tiny", "m1.small", "m1.medium", "fiware.large"]):
    flavor = make_flavor(name=name, vcpus=number + 1, ram=512 << number, disk=10, promoted=number % 2 == 0)
    for node in ["Crete", "Mordor", "Spain2"][: number]:
        make_installation(flavor, node)
LogEntry.objects.create(
    user=User.objects.get(username="operator"), content_type=ContentType.objects.get_for_model(Flavor),
    object_id=flavor.pk, object_repr=str(flavor), action_flag=2, change_message="installed in Mordor",
)
for name in ("SCS-1V-4", "SCS-2V-4-10", "SCS-8C-16-10n_kvm_z3", "SCS-tiny"):
    make_flavor(name=name, vcpus=1, ram=4096, disk=10)
make_flavor(name="a draft", public=False, promoted=False, swap=512)
mordor, crete = Infrastructure.objects.get(name="Mordor"), Infrastructure.objects.get(name="Crete")
Check.objects.create(infrastructure=mordor, checked_at=timezone.now(), authenticated=True, microversion="2.96")
Check.objects.create(infrastructure=crete, checked_at=timezone.now(), problem="Crete: nobody answers there.")
mordor.operators.set(User.objects.filter(username="operator"))
make_infrastructure("Zurich")
make_replacement(infrastructure=mordor, last_error="Mordor: nobody answers there.", requested_by="operator")
"""
    )
    ids = site.do(
        "from django.contrib.auth.models import Group; from flavors.models import Flavor\n"
        "from identity.models import User; from infrastructures.models import Infrastructure\n"
        "found = Flavor.objects.get(name='fiware.large'), Infrastructure.objects.get(name='Mordor')\n"
        "found += User.objects.get(username='operator'), Group.objects.first(), "
        "Flavor.objects.get(name='a draft'), Infrastructure.objects.get(name='Zurich')\n"
        "print(*(each.pk for each in found))"
    ).split()
    keys = dict(zip(("flavor", "infrastructure", "account", "group", "draft", "unused"), ids, strict=True))
    visitor.sign_in("administrator")
    for name, path in PAGES.items():
        visitor.go(path.format(**keys))
        everybody_can_use(visitor.page, f"admin-{name}")
    for action, heading in CONFIRMATIONS.items():
        page = visitor.go("/admin/flavors/flavor/")
        for box in page.get_by_label("Select this object for an action").all():
            box.check()
        page.get_by_label("Action:").select_option(action)
        page.locator(".actions button[name=index]").click()
        page.get_by_role("heading", name=heading).wait_for()
        everybody_can_use(page, f"admin-confirm-{heading.split()[0].lower()}")
