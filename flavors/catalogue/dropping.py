"""Extra specs that the catalogue has dropped: what tells them, in a node, from those that its operator has set."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from flavors.catalogue.comparison import Dropped
from flavors.models import DroppedSpec, Flavor


def remember_dropped(flavor: Flavor, keys: Iterable[str]) -> None:
    """Remember the values that extra specs of these keys have, before they get others or are taken away.

    To be called in the transaction that does so. Cost: two queries for each.
    """
    for key in keys:
        DroppedSpec.objects.get_or_create(flavor=flavor, key=key, value=flavor.extra_specs[key])


def dropped_values(flavors: Collection[Flavor]) -> dict[int, Dropped]:
    """Return the values that extra specs of these flavors had before, by the flavors' keys. Cost: one query."""
    dropped: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = DroppedSpec.objects.order_by().values_list("flavor", "key", "value")
    # Not by the keys of all promoted flavors: they may be more than a query takes.
    for flavor, key, value in rows.filter(flavor__in=flavors) if len(flavors) == 1 else rows:
        dropped[flavor][key].add(value)
    return {flavor: dict(by_key) for flavor, by_key in dropped.items()}
