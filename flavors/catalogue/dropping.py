"""Extra specs that the catalogue has dropped: how to tell them, in a node, from those that its operator set."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from flavors.catalogue.comparison import Dropped
from flavors.models import DroppedSpec, Flavor


def remember_dropped(flavor: Flavor, keys: Iterable[str]) -> None:
    """Remember the current values of these extra specs, before they change or go.

    Call it in the transaction that changes them. Cost: two queries for each.
    """
    for key in keys:
        DroppedSpec.objects.get_or_create(flavor=flavor, key=key, value=flavor.extra_specs[key])


def dropped_values(flavors: Collection[Flavor]) -> dict[int, Dropped]:
    """Return the earlier values of these flavors' extra specs, by the flavors' keys. Cost: one query."""
    dropped: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = DroppedSpec.objects.order_by().values_list("flavor", "key", "value")
    # Not filtered by the keys of all promoted flavors: they may be more than a query can take.
    for flavor, key, value in rows.filter(flavor__in=flavors) if len(flavors) == 1 else rows:
        dropped[flavor][key].add(value)
    return {flavor: dict(by_key) for flavor, by_key in dropped.items()}
