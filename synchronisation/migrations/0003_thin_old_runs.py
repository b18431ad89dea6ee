import json
from collections import Counter, defaultdict
from hashlib import blake2b

from django.db import migrations, transaction
from tqdm import tqdm


def fill(apps, schema_editor):
    """Bring what the runs that are kept tell to where it is kept from now on; cut short, it goes on at the next try."""
    models = {
        name: apps.get_model("synchronisation", name)
        for name in ("FlavorList", "LastComparison", "ListedNode", "NodeList", "SyncNode", "SyncOutcome", "SyncRun")
    }
    last = set()
    for infrastructure in apps.get_model("infrastructures", "Infrastructure").objects.all():
        last |= _fill_last(models, infrastructure)
    runs = models["SyncRun"].objects.filter(listed=None).order_by("pk")
    for run in runs.filter(finished_at=None):
        runs.filter(pk=run.pk).update(node_count=run.nodes.count())
    ended = list(runs.filter(finished_at__isnull=False).values_list("pk", flat=True))
    for pk in tqdm(ended, desc="  Thinning old runs", unit="run", disable=None, leave=False):
        with transaction.atomic():
            _thin(models, models["SyncRun"].objects.get(pk=pk), last)


def _fill_last(models, infrastructure):
    """Write down when a node was last compared; return the keys of the parts of runs that tell it to the old code."""
    compared = models["SyncNode"].objects.filter(infrastructure=infrastructure, compared_at__isnull=False)
    compared = compared.order_by("-compared_at", "-pk")
    last = compared.first()
    if last is None:
        return set()
    reached = compared.filter(unreachable=False)
    whole = next((node for node in reached.filter(run__flavorids=[]).iterator() if not _is_unreachable(node)), None)
    parts = reached.exclude(run__flavorids=[]).filter(pk__gt=whole.pk if whole else 0)
    times = {}
    for part in parts.order_by("compared_at", "pk"):
        found = part.outcomes.exclude(state="unreachable").values_list("flavorid", flat=True)
        times |= dict.fromkeys(found, part.compared_at.isoformat())
    values = {
        "whole_at": whole and whole.compared_at,
        "parts": times,
        "unreachable_at": last.compared_at if last.unreachable else None,
        "error": last.error if last.unreachable else "",
    }
    models["LastComparison"].objects.get_or_create(infrastructure=infrastructure, defaults=values)
    last_whole = compared.filter(run__flavorids=[]).first()
    return {last.pk, *([last_whole.pk] if last_whole else []), *parts.values_list("pk", flat=True)}


def _is_unreachable(node):
    return node.outcomes.filter(state="unreachable").exists()


def _thin(models, run, last):
    """Keep of a run what was not in sync or was done, and of nodes in which nothing happened that they were in it."""
    outcomes = models["SyncOutcome"].objects.filter(node__run=run)
    flavors, unreachable = defaultdict(list), set()
    for node, flavorid, name, state in outcomes.values_list("node", "flavorid", "name", "state"):
        flavors[node].append((name, flavorid))
        if state == "unreachable":
            unreachable.add(node)
    outcomes.filter(state="in_sync", action="nothing", result="").delete()
    outcomes.filter(state="unreachable").delete()
    eventful = set(outcomes.values_list("node", flat=True))
    nodes = list(run.nodes.all())
    for node in nodes:
        node.flavor_count = node.flavors_done = len(flavors[node.pk])
        node.unreachable = node.unreachable or node.pk in unreachable
        if node.compared_at:
            node.compared_with_id = _flavor_list(models, flavors[node.pk])
    quiet = [
        node
        for node in nodes
        if node.state == "done" and not node.error and node.compared_with_id and node.pk not in eventful
    ]
    lists = Counter(node.compared_with_id for node in quiet)
    run.compared_with_id = lists.most_common(1)[0][0] if lists else None
    gone = {node.pk for node in quiet if node.compared_with_id == run.compared_with_id} - last
    members = ["flavor_count", "flavors_done", "unreachable", "compared_with"]
    models["SyncNode"].objects.bulk_update([node for node in nodes if node.pk not in gone], members, batch_size=500)
    models["SyncNode"].objects.filter(run=run, pk__in=gone).delete()
    run.listed_id = _node_list(models, nodes)
    run.node_count = run.nodes_compared = run.nodes_ended = len(nodes)
    run.flavor_count = run.flavors_done = sum(len(found) for found in flavors.values())
    run.save()


def _flavor_list(models, found):
    members = [[flavorid, name] for name, flavorid in sorted(found)]
    return models["FlavorList"].objects.get_or_create(digest=_digest(members), defaults={"flavors": members})[0].pk


def _node_list(models, nodes):
    told = sorted((node.name, node.infrastructure_id or 0) for node in nodes)
    listed, is_new = models["NodeList"].objects.get_or_create(digest=_digest(told))
    if is_new:
        models["ListedNode"].objects.bulk_create(
            models["ListedNode"](list=listed, infrastructure_id=key or None, name=name) for name, key in told
        )
    return listed.pk


def _digest(members):
    return blake2b(json.dumps(members).encode(), digest_size=16).hexdigest()


class Migration(migrations.Migration):
    """Thin the runs that are kept, one by one: nobody waits for a table, and what is done stays done."""

    atomic = False

    dependencies = [
        ("synchronisation", "0002_what_is_kept"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
