"""Extra specs that the catalogue has dropped: telling them apart, in a node, from those that its operator set."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from flavors.catalogue.comparison import EXTRA_SPECS, Dropped
from flavors.models import DroppedSpec, Flavor, Sighting
from infrastructures.models import Infrastructure


def remember_dropped(flavor: Flavor, keys: Iterable[str]) -> None:
    """Remember the current values of these extra specs, before they change or are removed.

    Call it in the transaction that changes them. Cost: two queries for each.
    """
    for key in keys:
        DroppedSpec.objects.get_or_create(flavor=flavor, key=key, value=flavor.extra_specs[key])


def dropped_values(
    flavors: Collection[Flavor], infrastructures: Collection[Infrastructure]
) -> dict[tuple[int, int], Dropped]:
    """Return the earlier values of these flavors' extra specs that nodes have from us, by the keys of flavor and node.

    A value that we have not given a node is its operator's, even if the catalogue once had the same. If it is not known
    what a node was given, every earlier value counts.

    Cost: one query; one more if one of the flavors has had other values.
    """
    earlier: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = DroppedSpec.objects.order_by().values_list("flavor", "key", "value")
    # Filtered by a single flavor only: the keys of all promoted flavors may be more than a query can take.
    for flavor, key, value in rows.filter(flavor__in=flavors) if len(flavors) == 1 else rows:
        earlier[flavor][key].add(value)
    of_these = {flavor.pk for flavor in flavors} & earlier.keys()
    if not of_these:
        return {}
    seen = Sighting.objects.order_by().filter(infrastructure__in=infrastructures, flavor__in=of_these)
    given = {
        (flavor, node): applied
        for flavor, node, applied in seen.values_list("flavor", "infrastructure", "applied")
        if applied is not None
    }
    return {
        (flavor, node.pk): _given(earlier[flavor], given.get((flavor, node.pk)))
        for flavor in of_these
        for node in infrastructures
    }


def _given(earlier: Dropped, applied: Mapping[str, object] | None) -> Dropped:
    """Return the earlier values that are among the applied ones; all of them if *applied* is None, not known."""
    if applied is None:
        return earlier
    return {
        key: {value for value in values if value == applied.get(f"{EXTRA_SPECS}.{key}")}
        for key, values in earlier.items()
    }
