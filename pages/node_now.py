"""What a node has at this moment: its flavors, the servers that use them, and what the catalogue lacks of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flavors.catalogue.importing import Import, import_flavors
from flavors.catalogue.outcomes import Came
from flavors.models import Flavor, Installation
from flavors.natural import natural
from infrastructures.clouds import in_each_cloud
from infrastructures.models import Infrastructure
from infrastructures.openstack.records import NovaFlavor
from pages.charts import Bars, bars
from synchronisation.comparing import look_into

# The most flavors of each kind that a page shows, and how many of the most used have a bar
FLAVORS, BARS = 200, 20


@dataclass(frozen=True)
class Here:
    """A flavor of the node, how many servers use it at least (None: not known), and the catalogue's flavor it is."""

    flavor: NovaFlavor
    servers: int | None
    known: Flavor | None


@dataclass(frozen=True, kw_only=True)
class Now:
    """What a node has.

    Members:
        own, catalogued: its first flavors that the catalogue lacks, and those that it has.
        more: how many there are of each besides.
        servers: how many servers were counted; None if we may not count them: `uncounted` says why.
        is_whole: whether these are all; else each flavor has at least as many as it says.
    """

    own: Sequence[Here]
    catalogued: Sequence[Here]
    more: tuple[int, int]
    servers: int | None
    is_whole: bool
    uncounted: str
    chart: Bars | None

    @property
    def servers_in_words(self) -> str:
        """The number of servers, as people write it."""
        return f"{self.servers or 0:,}"


def node_now(node: Infrastructure) -> Now:
    """Ask a node what it has, and record what that shows of the catalogue's flavors.

    Raises:
        CloudError: it could not be asked.

    Cost: one query, and as `look_into`; upstream also one call per 1,000 servers.
    """
    (seen,) = look_into([node])
    if seen.result is None:
        raise seen.error or RuntimeError(node.name)
    (counted,) = in_each_cloud([node], lambda nova: nova.servers_by_flavor())
    servers = counted.result.by_flavor if counted.result else None
    installed = Installation.objects.filter(infrastructure=node).select_related("flavor")
    known = {each.flavorid: each.flavor for each in installed}
    here = [
        Here(flavor, servers[flavor.id] if servers is not None else None, known.get(flavor.id))
        for flavor in sorted(seen.result.by_id.values(), key=lambda flavor: natural(flavor.name))
    ]
    own, catalogued = [each for each in here if not each.known], [each for each in here if each.known]
    return Now(
        own=own[:FLAVORS],
        catalogued=catalogued[:FLAVORS],
        more=(max(len(own) - FLAVORS, 0), max(len(catalogued) - FLAVORS, 0)),
        servers=None if servers is None else servers.total(),
        is_whole=counted.result is None or counted.result.is_whole,
        uncounted=str(counted.error.detail) if counted.error else "",
        chart=_chart(here),
    )


def _chart(here: Sequence[Here]) -> Bars | None:
    used = sorted((each for each in here if each.servers), key=lambda each: -(each.servers or 0))[:BARS]
    return bars([(each.flavor.name, "", [("known", "servers", each.servers or 0)]) for each in used])


def take_in(node: Infrastructure, flavorids: Collection[str], *, dry_run: bool = False) -> list[Import]:
    """Take flavors of a node into the catalogue, or say what that would do. Cost and errors: as `import_flavors`."""
    return list(import_flavors(infrastructure=node, wanted=flavorids, dry_run=dry_run))


def told(taken: Import, *, dry_run: bool) -> tuple[bool, str]:
    """Return whether a flavor comes into the catalogue, and what becomes of it, in words."""
    comes = taken.outcome in (Came.PUBLISHED, Came.ADOPTED)
    words = {
        Came.PUBLISHED: "everybody will see it in the catalogue, for good" if dry_run else "published",
        Came.ADOPTED: "is in the catalogue, and is recorded here, too",
        Came.KNOWN: "is in the catalogue already",
    }
    return comes, taken.reason or words.get(taken.outcome, str(taken.outcome))
