"""The coverage map, synchronisation runs and two nodes side by side, in a browser and with the lab's clouds."""

import pytest
from playwright.sync_api import expect

from flavorsync_project.tests.browser.site import FACTORIES, LOOKS, Check, Site, Visitor
from lab import Lab, seed

pytestmark = [pytest.mark.browser, pytest.mark.lab]

MAP = "/admin/flavors/flavor/coverage/"
COMPARE = "/admin/flavors/flavor/compare/"


def federation(lab: Lab) -> str:
    """Return what makes an administrator and registers the lab's clouds."""
    clouds = [("Spain2", lab.keystone_url, "spain2"), ("Mordor", lab.mordor_keystone_url, "mordor")]
    return f"""
make_staff("administrator", is_superuser=True)
for name, url, project in {clouds!r}:
    node = Infrastructure(name=name, keystone_url=url, tenant=project, username=project + "-admin")
    node.set_password({seed.PASSWORD!r})
    node.save()
"""


def test_from_the_overview_a_node_is_repaired(visitor: Visitor, site: Site, clouds: Lab) -> None:
    site.start_over(federation(clouds) + 'make_flavor(name="fiware.small", flavorid="fiware", vcpus=1, ram=2048)')
    visitor.sign_in("administrator")
    page = visitor.page
    with site.worker():
        page.get_by_role("button", name="Compare now: 2 nodes never compared").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("drift found", timeout=60_000)
        page.get_by_role("link", name="Overview").press("Enter")
        page.get_by_role("button", name="Repair…: Mordor has 1 flavor to mend").press("Enter")
        expect(page.get_by_role("row", name="fiware.small")).to_contain_text("create")
        page.get_by_role("button", name="Synchronise").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("in sync", timeout=60_000)
    assert "fiware" in {flavor["id"] for flavor in clouds.flavors("Mordor")}
    visitor.go("/admin/")
    expect(page.get_by_role("listitem").filter(has_text="Mordor").filter(has_text="in sync")).to_be_visible()


def test_the_one_dead_node_is_found_from_the_overview_in_two_clicks(visitor: Visitor, site: Site, clouds: Lab) -> None:
    dead = "Infrastructure.objects.filter(name='Spain2').update(keystone_url='http://127.0.0.1:9/v3')\n"
    site.start_over(federation(clouds) + dead + 'make_flavor(name="fiware.small", flavorid="fiware")')
    visitor.sign_in("administrator")
    page = visitor.page
    with site.worker():
        page.get_by_role("button", name="Compare now: 2 nodes never compared").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("partly done", timeout=60_000)
    page.get_by_role("link", name="Overview").press("Enter")
    page.get_by_role("link", name="Spain2 is unreachable").press("Enter")
    expect(page.get_by_text("When it was last asked, it could not be reached")).to_be_visible()
    expect(page.get_by_role("button", name="Check connection")).to_be_visible()


def test_a_missing_flavor_is_seen_on_the_map_and_repaired(visitor: Visitor, site: Site, clouds: Lab) -> None:
    site.start_over(federation(clouds) + 'make_flavor(name="fiware.small", flavorid="fiware", vcpus=1, ram=2048)')
    visitor.sign_in("administrator")
    page = visitor.go(MAP)
    expect(page.get_by_text("Nothing has been compared yet.")).to_be_visible()
    page.get_by_role("button", name="Compare now").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("waiting")
    page.evaluate("window.stayed = true")
    with site.worker():
        expect(page.get_by_role("status")).to_contain_text("drift found", timeout=60_000)
        expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "2")
        expect(page.get_by_role("status")).to_contain_text("2 of 2 nodes")
        expect(page.get_by_role("row", name="fiware.small").first).to_contain_text("missing")
        assert page.evaluate("window.stayed")  # it was not loaded anew
        page.get_by_role("link", name="To the coverage map").press("Enter")
        row = page.get_by_role("row", name="fiware.small")
        expect(row.get_by_role("cell")).to_have_text(["+missing", "+missing"])
        row.get_by_role("cell").get_by_role("link").first.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("heading", name="fiware.small in Mordor")).to_be_visible()
        dialog.get_by_role("button", name="Create fiware.small in Mordor…").press("Enter")
        expect(page.get_by_role("row", name="fiware.small")).to_contain_text("create")
        page.get_by_role("button", name="Synchronise").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("in sync", timeout=60_000)
        expect(page.get_by_role("row", name="Mordor").last).to_contain_text("1 repaired")
    assert "fiware" in {flavor["id"] for flavor in clouds.flavors("Mordor")}
    visitor.go(MAP)
    expect(page.get_by_role("row", name="fiware.small").get_by_role("cell")).to_have_text(["✓in sync", "+missing"])


def test_what_replacing_does_is_shown_before_it_is_done(
    visitor: Visitor, site: Site, clouds: Lab, everybody_can_use: Check
) -> None:
    clouds.create_flavor("Mordor", "fiware.small", flavor_id="fiware", vcpus=1, ram=1024, disk=10)
    site.start_over(
        federation(clouds) + 'make_flavor(name="fiware.small", flavorid="fiware", vcpus=1, ram=2048, disk=10)'
    )
    visitor.sign_in("administrator")
    page = visitor.go(MAP)
    page.get_by_role("row", name="fiware.small").get_by_role("cell").get_by_role("link").first.press("Enter")
    page.get_by_role("button", name="Replace fiware.small in Mordor…").press("Enter")
    row = page.get_by_role("row", name="fiware.small")
    for text in ("delete and make again", "RAM", "1 GiB", "2 GiB", "none"):
        expect(row).to_contain_text(text)
    everybody_can_use(page, "plan")
    assert {flavor["ram"] for flavor in clouds.flavors("Mordor") if flavor["id"] == "fiware"} == {1024}
    with site.worker():
        page.get_by_role("button", name="Synchronise").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("in sync", timeout=60_000)
    assert {flavor["ram"] for flavor in clouds.flavors("Mordor") if flavor["id"] == "fiware"} == {2048}


def test_two_nodes_are_compared_and_a_flavor_is_installed(visitor: Visitor, site: Site, clouds: Lab) -> None:
    clouds.create_flavor("Spain2", "only.here", flavor_id="only-here", vcpus=3, ram=3072, disk=30)
    site.start_over(federation(clouds))
    visitor.sign_in("administrator")
    page = visitor.go("/admin/")
    page.get_by_role("link", name="Nodes", exact=True).click()
    page.get_by_role("link", name="Compare two").click()
    page.get_by_label("One node").select_option("Spain2")
    page.get_by_label("The other").select_option("Mordor")
    page.get_by_role("button", name="Compare").click()
    only = page.get_by_role("region", name="Only in Spain2")
    expect(only.get_by_role("row", name="only.here")).to_contain_text("3 GiB")
    only.get_by_role("button", name="Install in Mordor: only.here").click()
    expect(page.get_by_role("heading", name="Install only.here in Mordor")).to_be_visible()
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_text("only.here: installed in Mordor")).to_be_visible()
    expect(page.get_by_role("region", name="The same").get_by_role("row", name="only.here")).to_be_visible()
    there = {flavor["id"]: flavor["ram"] for flavor in clouds.flavors("Mordor")}
    assert there["only-here"] == 3072
    page.get_by_role("region", name="The same").get_by_role("button", name="Publish: only.here").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("only.here: published")).to_be_visible()
    page.get_by_role("button", name="Promote: only.here").click()
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("row", name="only.here")).to_contain_text("★ promoted")
    visitor.go("/")
    expect(page.get_by_role("row", name="only.here")).to_contain_text("Spain2")


def test_a_cell_is_opened_and_closed_by_keyboard(visitor: Visitor, site: Site) -> None:
    site.start_over(
        'make_staff("administrator", is_superuser=True)\n'
        'for node in ("Mordor", "Spain2"): make_installation(make_flavor(name=f"only.{node}"), node)'
    )
    visitor.sign_in("administrator")
    page = visitor.go(MAP)
    cell = page.get_by_role("row", name="only.Mordor").get_by_role("cell").get_by_role("link").first
    page.get_by_label("Node's name").focus()
    for _stop in ("the box", "Show", "Compare now", "the map", "Mordor", "Spain2", "the flavor", "the cell"):
        page.keyboard.press("Tab")
    expect(cell).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="only.Mordor in Mordor")).to_be_visible()
    page.keyboard.press("Tab")
    expect(dialog.locator(":focus")).to_have_count(1)
    address = page.url
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(cell).to_be_focused()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    other = page.get_by_role("row", name="only.Spain2").get_by_role("cell").get_by_role("link").first
    expect(other).to_be_focused()
    page.keyboard.press("Shift+Tab")  # of all cells one is a stop
    expect(page.get_by_role("link", name="only.Spain2")).to_be_focused()
    page.goto("about:blank")
    page.goto(address)  # a cell's own
    expect(page.get_by_role("heading", name="only.Mordor in Mordor")).to_be_visible()


LARGE = """
make_staff("administrator", is_superuser=True)
Infrastructure.objects.bulk_create(Infrastructure(name=f"region-{number:03}") for number in range(200))
Flavor.objects.bulk_create(
    Flavor(name=f"flavor-{number:03}", flavorid=str(number), vcpus=1, ram=512, disk=1, public=True, promoted=True)
    for number in range(100)
)
"""
TO_FAR_CORNER = "map => { map.scrollIntoView(); map.scrollTo(map.scrollWidth, map.scrollHeight); }"
IS_SEEN = """cell => {
    const {left, right, top, bottom} = cell.getBoundingClientRect();
    return [[left + 2, top + 2], [right - 2, bottom - 2]].every(([x, y]) => document.elementFromPoint(x, y) === cell);
}"""


def test_a_large_map_keeps_its_headings_in_view(visitor: Visitor, site: Site) -> None:
    site.start_over(LARGE)
    visitor.sign_in("administrator")
    page = visitor.go(MAP)
    last = page.locator("tbody tr:last-child td:last-child a")
    headings = [page.locator(heading) for heading in (".corner", "thead th:last-child", "tbody tr:last-child th")]
    for _, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.locator(".map").evaluate(TO_FAR_CORNER)
        for shown in (last, *headings):
            expect(shown).to_be_in_viewport(ratio=0.99)
    last.focus()
    for _cell in range(10):  # more than there are in view, the next of which the names would hide
        page.keyboard.press("ArrowLeft")
    assert page.locator("td a:focus").evaluate(IS_SEEN)
    page.get_by_label("Node's name").fill("Region-19")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("100 flavors in 10 nodes.")).to_be_visible()
    names = page.locator("thead th").all_text_contents()
    assert names == ["Flavor", *(f"region-{number}" for number in range(190, 200))]
    expect(page.locator("tbody td")).to_have_count(1000)


MANY = """
make_staff("administrator", is_superuser=True)
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.tests.test_coverage import State
nodes = ["Athens", "Berlin", "Brno", "Crete", "Gent", "Genova", "Karlskrona", "Lannion2", "Lannion3", "Mexico",
         "Mordor", "PiraeusN", "PiraeusU", "Poznan", "Prague", "Sophia", "Spain2", "Trento", "Vicenza", "Zurich"]
flavors = [f"{size}.{kind}" for kind in ("small", "medium", "large", "xlarge") for size in ("m1", "c2", "r3", "fiware")]
flavors += ["gpu.a100-with-a-rather-long-name"]
states = [State.IN_SYNC] * 9 + [State.MISSING, State.DIFFERENT, State.OTHER_ID]
for number, name in enumerate(flavors):
    make_flavor(name=name, flavorid=name, promoted=number != 3, vcpus=2 ** (number % 6), ram=512 << number % 7)
for column, node in enumerate(nodes[:-1]):
    make_registered(node, keystone_url="http://127.0.0.1:9/v3")
    make_run(node, 9, {
        name: State.UNREACHABLE if node == "Gent" else states[(7 * row + 5 * column + row * column) % len(states)]
        for row, name in enumerate(flavors)
    })
make_infrastructure("Zurich")
SyncRun.objects.create()  # which waits
from datetime import timedelta
from django.utils import timezone
from synchronisation.models import NodeDay
for number, run in enumerate(SyncRun.objects.ended()):
    found = {"missing": number % 5, "different": 7 * number % 4, "unreachable": 17 * (number % 6 == 0)}
    SyncRun.objects.filter(pk=run.pk).update(found={"in_sync": 300, **found})
today = timezone.now()
for number in range(30):
    NodeDay.objects.create(
        infrastructure=Infrastructure.objects.get(name="Mordor"), day=today.date() - timedelta(days=number),
        flavors=16, in_sync=16 - number % 3, looks=144, looks_away=20 * (number == 9), noted_at=today)
SyncOutcome.objects.filter(state="different").update(
    differences=[{"member": "ram", "node": 4096, "catalogue": 8192}], reason="Nova cannot change ram in place.")
"""


def test_everybody_can_use_these_pages(visitor: Visitor, site: Site, clouds: Lab, everybody_can_use: Check) -> None:
    site.start_over(MANY)
    visitor.sign_in("administrator")
    everybody_can_use(visitor.go("/admin/"), "overview")
    page = visitor.go(MAP)
    everybody_can_use(page, "map")
    page.get_by_role("row", name="m1.small").get_by_role("link", name="different").first.click()
    page.get_by_role("dialog").wait_for()
    everybody_can_use(page, "map-dialog")
    page.get_by_role("link", name="All about m1.small").wait_for()
    page.get_by_role("button", name="Close").click()
    different = page.get_by_role("row", name="m1.small").get_by_role("link", name="different").first
    cell = f"{MAP}{different.get_attribute('href')}"
    visitor.go(f"{MAP}?state=different")
    page.get_by_role("button", name="Ignore these…").click()
    page.get_by_role("button", name="Ignore them").wait_for()
    everybody_can_use(page, "ignore-many")
    visitor.go(cell)
    everybody_can_use(page, "cell")
    page.get_by_role("link", name="All about m1.small").click()
    page.get_by_role("heading", name="What runs have found and done").wait_for()
    everybody_can_use(page, "flavor-page")
    page.get_by_role("link", name="Public page").click()
    page.get_by_role("heading", name="Properties").wait_for()
    everybody_can_use(page, "public-flavor")
    visitor.go("/admin/")
    page.get_by_role("link", name="Gent", exact=True).click()
    page.get_by_role("heading", name="What differs").wait_for()
    everybody_can_use(page, "node-page")
    visitor.go("/admin/synchronisation/syncrun/")
    everybody_can_use(page, "runs")
    page.locator("#result_list tbody th a").nth(1).click()
    page.get_by_role("progressbar").wait_for()
    everybody_can_use(page, "run")
    visitor.go("/admin/flavors/flavor/?q=m1.small")
    page.get_by_role("link", name="m1.small").click()
    page.get_by_role("button", name="Synchronise…").click()
    page.get_by_role("heading", name="Synchronise flavors").wait_for()
    everybody_can_use(page, "synchronise")
    site.start_over(federation(clouds))
    visitor.sign_in("administrator")
    everybody_can_use(visitor.go("/admin/flavors/flavor/own/?node=Spain2"), "flavors-of-a-node")
    visitor.go(f"{COMPARE}?left=Spain2&right=Mordor")
    everybody_can_use(page, "compare")
    page.get_by_role("button", name="Publish: ").first.click()
    everybody_can_use(page, "compare-confirm")
    visitor.go("/admin/infrastructures/infrastructure/")
    page.get_by_role("link", name="Spain2", exact=True).click()
    page.get_by_role("link", name="Ask what it has now").click()
    page.get_by_role("heading", name="Servers per flavor").wait_for()
    everybody_can_use(page, "node-now")
    page.get_by_label("Take in m1.tiny").check()
    page.get_by_role("button", name="Take in…").click()
    page.get_by_role("button", name="Take in").wait_for()
    everybody_can_use(page, "take-in")
    site.do(f"{FACTORIES}make_flavor(name='M1.tiny', flavorid='wanted', vcpus=1)")
    of_cell = "?flavor=wanted&node=Spain2"
    for name in ("cell", "cell/rename", "cell/ignore"):
        visitor.go(f"{MAP}{name}/{of_cell}")
        everybody_can_use(page, name.replace("/", "-") + "-of-one-to-mend")


def test_a_flavor_in_the_way_is_renamed_and_the_name_adopted(visitor: Visitor, site: Site, clouds: Lab) -> None:
    """By keyboard alone, and so is ignoring what another node has."""
    clouds.create_flavor("Mordor", "FIWARE.small", flavor_id="own", vcpus=1, ram=2048, disk=10)
    site.start_over(
        federation(clouds) + 'make_flavor(name="fiware.small", flavorid="fiware", vcpus=1, ram=2048, disk=10)'
    )
    visitor.sign_in("administrator")
    page = visitor.page
    with site.worker():
        page.get_by_role("button", name="Compare now: 2 nodes never compared").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("drift found", timeout=60_000)
        page.get_by_role("row", name="Mordor").get_by_role("link", name="name taken").press("Enter")
        page.get_by_role("link", name="Rename there…").press("Enter")
        expect(page.get_by_role("row", name="FIWARE.small")).to_contain_text("none")
        expect(page.get_by_label("New name")).to_have_value("fiware.small")
        page.get_by_label("New name").press("Enter")
        expect(page.get_by_text("is now called fiware.small")).to_be_visible()
        page.get_by_role("button", name="Adopt fiware.small in Mordor…").press("Enter")
        page.get_by_role("button", name="Synchronise").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("in sync", timeout=60_000)
    assert {flavor["id"]: flavor["name"] for flavor in clouds.flavors("Mordor")}["own"] == "fiware.small"
    visitor.go(MAP)
    page.get_by_role("row", name="fiware.small").get_by_role("cell").get_by_role("link").last.press("Enter")
    page.get_by_role("dialog").get_by_role("link", name="Ignore here…").press("Enter")
    page.get_by_label("Reason").fill("Spain2 has its own sizes.")
    page.get_by_role("button", name="Ignore it").press("Enter")
    expect(page.get_by_text("Spain2 has its own sizes.").last).to_be_visible()
    visitor.go(MAP)
    expect(page.get_by_role("row", name="fiware.small").get_by_role("cell")).to_have_text(["✓in sync", "∅ignored"])
    visitor.go(f"{MAP}?state=ignored")
    page.get_by_role("button", name="No longer ignore these…").press("Enter")
    expect(page.get_by_role("row", name="fiware.small")).to_contain_text("Spain2 has its own sizes.")
    page.get_by_role("button", name="No longer ignore them").press("Enter")
    expect(page.get_by_text("1 no longer ignored")).to_be_visible()
    visitor.go(MAP)
    page.get_by_role("button", name="Ignore these…").press("Enter")
    expect(page.get_by_label("fiware.small in Spain2")).to_be_checked()
    page.get_by_label("Reason").fill("Spain2 moves next week.")
    page.get_by_role("button", name="Ignore them").press("Enter")
    expect(page.get_by_text("1 ignored", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name="fiware.small").get_by_role("cell")).to_have_text(["✓in sync", "∅ignored"])
