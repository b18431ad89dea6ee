"""No page takes more queries for more rows: each is asked for with little in the tables, and with much."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, reverse
from django.utils import timezone
from django.utils.http import urlencode
from pytest_django import Settings

from flavors.models import Flavor, Installation, Sighting
from identity.models import User
from infrastructures.models import Check, Infrastructure
from pages import urls
from synchronisation.models import IgnoredFlavor, Removal, SyncNode, SyncOutcome, SyncRun
from synchronisation.telling.models import Subscriber
from testing.cloud import Federation, flavor_document
from testing.flavors import document_of, make_flavor
from testing.infrastructures import make_registered, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]

# How many queries an administrator's pages take at most, two of them for who is asking: those that show rows, ...
OF_ROWS = {
    "catalogue": 5,
    "public_flavor": 9,
    "node": 23,
    "node_now": 22,
    "flavor": 15,
    "overview": 19,
    "index": 19,  # the same page
    "auth_group_changelist": 5,
    "auth_group_history": 7,
    "auth_group_delete": 7,
    "auth_group_change": 6,
    "auth_group: delete_selected": 8,
    "identity_user_changelist": 7,
    "identity_user_history": 8,
    "identity_user_delete": 10,
    "identity_user_change": 9,
    "identity_user: delete_selected": 17,
    "admin_logentry_changelist": 9,
    "infrastructures_infrastructure_changelist": 6,
    "infrastructures_infrastructure_add": 3,
    "infrastructures_infrastructure_history": 6,
    "infrastructures_infrastructure_delete": 6,
    "infrastructures_infrastructure_change": 8,
    "infrastructures_infrastructure_unregister": 5,
    "infrastructures_infrastructure: delete_selected": 8,
    "infrastructures_replacement_changelist": 6,
    "infrastructures_replacement_history": 6,
    "flavors_flavor_changelist": 7,
    "flavors_flavor_csv": 9,
    "flavors_flavor_yaml": 10,
    "flavors_flavor_history": 5,
    "flavors_flavor_delete": 5,
    "flavors_flavor_change": 6,
    "flavors_flavor: delete_selected": 11,
    "flavors_flavor: publish_flavors": 9,
    "flavors_flavor: promote_flavors": 9,
    "flavors_flavor: install_flavors": 13,
    "flavors_flavor: retire_flavors": 11,
    "flavors_flavor: keep_flavors": 9,
    "flavors_flavor: synchronise_flavors": 12,
    "flavors_flavor_coverage": 13,
    "flavors_flavor_compare": 3,
    "flavors_flavor_own": 3,
    "flavors_flavor_make": 3,
    "flavors_flavor_scs": 4,
    "a node's standards": 12,
    "a node's own flavors": 33,  # some 20 of them to settle a replacement there; in MariaDB two more, for its lock
    "a private flavor to change": 12,
    "two nodes": 17,  # three for the session: it shows what the page before, an action of subscribers, has reported
    "synchronisation_removal_changelist": 6,
    "synchronisation_removal_history": 6,
    "synchronisation_syncrun_changelist": 7,
    "synchronisation_syncrun_history": 5,
    "synchronisation_syncrun_change": 12,
    "synchronisation_syncrun_progress": 4,
    "telling_subscriber_changelist": 5,
    "telling_subscriber_history": 5,
    "telling_subscriber_delete": 8,
    "telling_subscriber_change": 5,
    "telling_subscriber: delete_selected": 10,
}
# ... and those that show none or one, or lead on.
OF_NONE = {
    "a cell": 10,
    "an ignored cell": 10,
    "docs": 0,
    "app_list": 2,
    "login": 2,
    "password_change": 2,
    "password_change_done": 2,
    "jsi18n": 2,
    "auth_group_add": 3,
    "auth_user_password_change": 6,
    "identity_user_add": 2,
    "admin_logentry_change": 5,
    "admin_logentry_history": 4,
    "infrastructures_infrastructure: check_connections": 10,
    "infrastructures_infrastructure_register": 3,
    "infrastructures_replacement_change": 4,
    "synchronisation_removal_change": 4,
    "flavors_flavor_add": 2,
    "flavors_flavor_load": 2,
    "telling_subscriber_add": 3,
    "telling_subscriber: make_new_secret": 5,
    "telling_subscriber: send_test_event": 8,
    "a draft: delete": 10,
    "mend": 14,
    "ignore many": 8,
    "two nodes: install": 6,
}
BOUNDS = OF_ROWS | OF_NONE
# Who is no superuser has their permissions looked up, and those of their groups.
FOR_PERMISSIONS = 2
FEW, MANY = 3, 12


@dataclass(frozen=True)
class Page:
    """A page by the name of its route, which a form leads to when it has data."""

    name: str
    url: str
    data: dict[str, Any] | None = None

    def ask(self, client: Client) -> Any:
        """Return what it answers."""
        return client.get(self.url) if self.data is None else client.post(self.url, self.data)


@dataclass(frozen=True)
class Cost:
    """How many queries a page takes, and how many bytes it has."""

    queries: int
    length: int


@pytest.fixture
def federation() -> Iterator[Federation]:
    """The nodes' clouds, two of which answer."""
    with Federation() as federation:
        for name in ("node-00", "node-01"):
            federation.add(name)
        yield federation


def fill(count: int, federation: Federation) -> dict[str, Model]:
    """Make that many rows of everything, also of what hangs on one row; return such a row of each model, by name."""
    numbers, now = range(count), timezone.now()
    nodes = [make_registered(f"node-{number:02}") for number in numbers]
    flavors = [make_flavor(name=f"flavor-{number:02}", flavorid=str(number)) for number in numbers]
    for number in numbers:
        make_flavor(name=f"draft-{number:02}", public=False, promoted=False)
    Check.objects.bulk_create(Check(infrastructure=node, checked_at=now) for node in nodes)
    Installation.objects.bulk_create(
        Installation(flavor=flavor, infrastructure=node, flavorid=flavor.flavorid)
        for flavor in flavors
        for node in nodes
    )
    for ram, cloud in enumerate(federation.clouds.values(), start=1):
        documents = [flavor_document(id=f"own-{number}", name=f"own-{number}", ram=ram) for number in numbers]
        documents += [document_of(flavor) for flavor in flavors]
        cloud.flavors = {document["id"]: document for document in documents}
    _see(nodes, Flavor.objects.all(), [{"member": "ram", "node": each, "catalogue": 1} for each in numbers])
    IgnoredFlavor.objects.bulk_create(
        IgnoredFlavor(flavor=flavors[-1], infrastructure=node, reason="their own") for node in nodes
    )
    made = [flavors[0], nodes[0], *_people(numbers, nodes), _run(count, nodes, flavors)]
    made += [make_replacement(infrastructure=node) for node in nodes][:1]
    made += [_subscriber(number, nodes) for number in numbers][:1]
    removals = [Removal.objects.create(infrastructure=node, flavorid="gone", was={"name": "gone"}) for node in nodes]
    made += [removals[0]]
    made += [_history(made)]
    return {str(row._meta).replace(".", "_"): row for row in made}


def _people(numbers: Iterable[int], nodes: list[Infrastructure]) -> tuple[User, Group]:
    accounts = [User.objects.create(username=f"account-{number:02}") for number in numbers]
    groups = [Group.objects.create(name=f"group-{number:02}") for number in numbers]
    account, group = accounts[0], groups[0]
    offered = Permission.objects.filter(content_type__model__in=["flavor", "group", "infrastructure"])
    permissions = offered[: len(groups)]
    nodes[0].operators.set(accounts)
    account.infrastructures.set(nodes)
    account.groups.set(groups)
    account.user_permissions.set(permissions)
    group.permissions.set(permissions)
    return account, group


def _subscriber(number: int, nodes: list[Infrastructure]) -> Subscriber:
    subscriber = Subscriber.objects.create(name=f"subscriber-{number:02}", email="operators@example.org")
    subscriber.nodes.set(nodes)
    return subscriber


def _run(count: int, nodes: list[Infrastructure], flavors: list[Flavor]) -> SyncRun:
    run, *_ = [SyncRun.objects.create() for _ in range(count)]
    for node in nodes:
        part = SyncNode.objects.create(run=run, infrastructure=node, name=node.name, compared_at=timezone.now())
        differences = [{"member": f"extra_specs.{each}", "node": None, "catalogue": each} for each in range(count)]
        SyncOutcome.objects.bulk_create(
            SyncOutcome(
                node=part,
                flavorid=flavor.flavorid,
                name=flavor.name,
                state=SyncOutcome.State.DIFFERENT,
                differences=differences,
                action=SyncOutcome.Action.UPDATE,
            )
            for flavor in flavors
        )
    return run


def _see(nodes: Iterable[Infrastructure], flavors: Iterable[Flavor], differences: list[dict[str, object]]) -> None:
    state, now = SyncOutcome.State.DIFFERENT, timezone.now()
    Sighting.objects.bulk_create(
        Sighting(flavor=flavor, infrastructure=node, state=state, since=now, seen_at=now, differences=differences)
        for flavor in flavors
        for node in nodes
    )


def _history(made: Iterable[Model]) -> LogEntry:
    LogEntry.objects.bulk_create(
        LogEntry(
            user=user,
            content_type=ContentType.objects.get_for_model(row),
            object_id=row.pk,
            object_repr=str(row),
            action_flag=CHANGE,
        )
        for row in made
        for user in User.objects.exclude(username="account-00")  # who may be deleted that way
    )
    return LogEntry.objects.earliest("pk")


def pages(made: dict[str, Model], user: User) -> Iterator[Page]:
    """Return every page that there could be: of all routes of the admin site, of all its actions, and some more."""
    for name in ("catalogue", "docs"):
        yield Page(name, reverse(name))
    yield Page("public_flavor", reverse("public_flavor", args=["0"]))
    keys = {"app_label": "flavors", "content_type_id": 0, "id": made["identity_user"].pk}
    keys |= {"flavor": made["flavors_flavor"].pk, "node": made["infrastructures_infrastructure"].pk}
    keys["pk"] = made["synchronisation_syncrun"].pk
    for namespace, routes in (("", routes_of(urls.urlpatterns)), ("admin:", routes_of(admin.site.urls[0]))):
        for route in routes:
            model, _, _ = str(route.name).rpartition("_")
            keys["object_id"] = made[model].pk if model in made else 0
            given = {argument: keys[argument] for argument in route.pattern.regex.groupindex}
            yield Page(str(route.name), reverse(f"{namespace}{route.name}", kwargs=given))
    for model, row in made.items():
        yield from _actions(model, type(row), user)
    compare = reverse("admin:flavors_flavor_compare")
    yield Page("two nodes", f"{compare}?left=node-00&right=node-01")
    of_cell = urlencode({"flavor": "0", "node": "node-00"})
    yield Page("a cell", f"{reverse('admin:flavors_flavor_cell')}?{of_cell}")
    yield Page("an ignored cell", f"{reverse('admin:flavors_flavor_cell_ignore')}?{of_cell}")
    asked = {"do": "install", "flavorid": "0", "flavor": "flavor-00", "node": "node-00", "into": "node-01"}
    yield Page("mend", reverse("admin:flavors_flavor_mend"), {"nodes": made["infrastructures_infrastructure"].pk})
    yield Page("ignore many", reverse("admin:flavors_flavor_cells_ignore"), {})
    yield Page("two nodes: install", f"{compare}change/", asked)
    yield Page("a node's own flavors", f"{reverse('admin:flavors_flavor_own')}?node=node-01")
    yield Page("a node's standards", f"{reverse('admin:flavors_flavor_scs')}?node=node-01")
    resize = reverse("admin:flavors_flavor_resize")
    yield Page("a private flavor to change", f"{resize}?node=node-00&flavorid=0")
    draft = Flavor.objects.filter(public=False)[0]
    yield Page("a draft: delete", reverse("admin:flavors_flavor_delete", args=[draft.pk]))


def routes_of(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    """Return the routes that have a name, of whatever depth."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes_of(pattern.url_patterns)
        elif pattern.name:
            yield pattern


def _actions(name: str, model: type[Model], user: User) -> Iterator[Page]:
    request = RequestFactory().get("/")
    request.user = user
    rows = list(model._default_manager.values_list("pk", flat=True))
    for action in admin.site.get_model_admin(model).get_actions(request):
        values = {"action": action, "_selected_action": rows}
        yield Page(f"{name}: {action}", reverse(f"admin:{name}_changelist"), values)


def costs(count: int, federation: Federation, user: User) -> dict[str, Cost]:
    """Return each page's cost with so many rows of everything, which are removed afterwards."""
    found = {}
    client = Client()
    client.force_login(user)
    with transaction.atomic():
        made = fill(count, federation)
        user.infrastructures.set(Infrastructure.objects.all())
        for page in pages(made, user):
            with CaptureQueriesContext(connection) as queries:
                answer = page.ask(client)
            if answer.status_code in (200, 302):  # and not what nobody may, or only by POST
                found[page.name] = Cost(len(queries), len(answer.content))
        transaction.set_rollback(True)
    return found


def administrator() -> User:
    """Return somebody who may do everything."""
    return User.objects.create_superuser("administrator")


def viewer() -> User:
    """Return somebody who may look at everything, and change nothing."""
    user = User.objects.create(username="viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return user


@pytest.mark.parametrize("who", [administrator, viewer])
def test_no_page_takes_more_queries_for_more_rows(
    who: Callable[[], User], federation: Federation, settings: Settings
) -> None:
    # Otherwise messages that do not fit into the cookie go into the session, which costs a query.
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    user = who()
    costs(1, federation, user)  # what kinds of rows there are is remembered from then on
    few, many = (costs(count, federation, user) for count in (FEW, MANY))
    assert {page: cost.queries for page, cost in many.items()} == {page: cost.queries for page, cost in few.items()}
    allowed = 0 if user.is_superuser else FOR_PERMISSIONS
    assert not {page: cost.queries for page, cost in many.items() if cost.queries > BOUNDS[page] + allowed}
    if user.is_superuser:  # every page is among them, with all its rows
        assert many.keys() == BOUNDS.keys()
        assert not [page for page in OF_ROWS if many[page].length < few[page].length + 5 * (MANY - FEW)]
