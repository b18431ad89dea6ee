import json
from hashlib import blake2b

from django.db import migrations
from django.db.models import Exists, OuterRef

ABSENT = ("missing", "name_taken")
NOVA_MEMBERS = ("name", "vcpus", "ram", "disk", "swap", "ephemeral", "rxtx_factor", "description", "is_public")


def fill(apps, schema_editor):
    """Write down what the runs that are kept have last found of each flavor in each node."""
    models = {
        name: apps.get_model("flavors", name)
        for name in ("Flavor", "Installation", "Sighting", "SyncNode", "SyncOutcome")
    }
    flavors = {flavor.flavorid: flavor for flavor in models["Flavor"].objects.all()}
    for infrastructure in apps.get_model("infrastructures", "Infrastructure").objects.all():
        _fill_node(models, flavors, infrastructure)


def _fill_node(models, flavors, infrastructure):
    compared = models["SyncNode"].objects.filter(infrastructure=infrastructure, compared_at__isnull=False)
    reached = models["SyncOutcome"].objects.exclude(state="unreachable")
    last = compared.order_by("-compared_at", "-pk").first()
    if last and last.outcomes.filter(state="unreachable").exists():
        last.unreachable = True
        last.save(update_fields=["unreachable"])
    whole = compared.filter(Exists(reached.filter(node=OuterRef("pk"))), run__flavorids=[])
    whole = whole.order_by("-compared_at", "-pk").first()
    nodes = compared.exclude(run__flavorids=[]).filter(pk__gt=whole.pk if whole else 0)
    nodes = {node.pk: node for node in [*([whole] if whole else []), *nodes]}
    installed = {each.flavor_id: each for each in models["Installation"].objects.filter(infrastructure=infrastructure)}
    found = {}
    for outcome in reached.filter(node__in=nodes).order_by("pk"):
        if outcome.flavorid in flavors:
            found[outcome.flavorid] = outcome
    rows = []
    for flavorid, outcome in found.items():
        flavor, at = flavors[flavorid], nodes[outcome.node_id].compared_at
        row = _row(models["Sighting"], outcome, flavor, at, installed.get(flavor.pk))
        if row is not None:
            row.infrastructure = infrastructure
            rows.append(row)
            if row.state in ABSENT and flavor.pk in installed:
                installed[flavor.pk].delete()
    models["Sighting"].objects.bulk_create(rows, batch_size=500)


def _row(model, outcome, flavor, at, installation):
    """Return what holds still of what was found, None where something was done there since."""
    done = outcome.result == "done"
    state = "in_sync" if done else outcome.state
    if installation is None and (done or (state == "in_sync" and outcome.action == "nothing")):
        return None  # it was deleted since
    if installation is not None and state in ABSENT and installation.installed_at > at:
        return None  # it was installed since
    return model(
        flavor=flavor,
        state=state,
        differences=[] if done else outcome.differences,
        digest=_digest(flavor) if flavor.updated_at <= at else "",
        flavorid=installation.flavorid if installation else "",
        since=at,
        seen_at=at,
    )


def _digest(flavor):
    values = [flavor.flavorid, *(getattr(flavor, member) for member in NOVA_MEMBERS), flavor.extra_specs]
    return blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


class Migration(migrations.Migration):
    """Bring what the runs found to where it is kept from now on."""

    dependencies = [
        ("flavors", "0008_sightings"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
