"""The record of what was last seen of the catalogue's flavors in nodes. Whatever shows what a node has, reads it here.

A comparison writes what is new; whoever changes a node writes what it has afterwards. The `Installation`, which makes
the node one of the flavor's nodes, comes and goes with it, in the same transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import IntegrityError, connection
from django.db.models import Count
from django.utils import timezone

from flavors.catalogue.comparison import CAUSE, Finding, cause_of, without_cause
from flavors.models import Flavor, Installation, Sighting
from infrastructures.commits import MAX_ATTEMPTS, write_certainly
from infrastructures.models import Infrastructure, Replacement

State = Sighting.State

# States in which the flavor itself is not there
ABSENT = (State.MISSING, State.NAME_TAKEN)
# States in which it was found by its id
BY_ID = (State.IN_SYNC, State.DIFFERENT)

# Stands for the id, in a node, of a flavor that the catalogue does not record there
NOT_KNOWN = ""

Key = tuple[int, int]
"""A flavor's key, and an infrastructure's."""


class Told(NamedTuple):
    """What a `Sighting` says: a run reads it of each flavor in each node, and a model of each would cost it most."""

    flavor_id: int
    infrastructure_id: int
    state: str
    differences: list[dict[str, object]]
    digest: str
    flavorid: str
    applied: dict[str, object] | None
    since: datetime
    seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of a flavor in a node.

    `flavorid` is the id under which the catalogue will record it there from now on, or `NOT_KNOWN`; None leaves the
    record as it is. `id_there` is the id under which it was found, and `looked_for` the one under which it should be.
    `made` says whether a synchronisation has just created it there, `applied` what it has just been given by us: see
    `Sighting`.
    """

    flavor: Flavor
    infrastructure: Infrastructure
    state: Sighting.State
    differences: Sequence[Mapping[str, object]] = ()
    flavorid: str | None = None
    id_there: str = ""
    looked_for: str = ""
    made: bool = False
    applied: Mapping[str, object] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return the key of its row."""
        return self.flavor.pk, self.infrastructure.pk

    def tells_something_new(self, row: Told | None, digest: str) -> bool:
        """Say whether it differs from what *row* says, by the flavor's *digest* as it is now."""
        told = (self.state, digest, list(self.differences))
        return (
            row is None or self.flavorid is not None or told != (row.state, row.digest, without_cause(row.differences))
        )


def installed(
    flavor: Flavor,
    infrastructure: Infrastructure,
    *,
    flavorid: str = "",
    made: bool = False,
    applied: Mapping[str, object] | None = None,
) -> Seen:
    """Return the sighting of a flavor that was just brought to a node, under its own id or another."""
    flavorid = flavorid or flavor.flavorid
    return Seen(
        flavor=flavor,
        infrastructure=infrastructure,
        state=State.IN_SYNC,
        flavorid=flavorid,
        id_there=flavorid,
        made=made,
        applied=applied or {},
    )


def found(finding: Finding, infrastructure: Infrastructure, *, made: bool = False) -> Seen:
    """Return the sighting that a comparison made; *made* says that a synchronisation has created the flavor there."""
    id_there = finding.has.id if finding.has and finding.state in BY_ID else ""
    return Seen(
        flavor=finding.wanted.flavor,
        infrastructure=infrastructure,
        state=finding.state,
        differences=[difference.as_json() for difference in finding.differences],
        flavorid=id_there if made and id_there else None,
        id_there=id_there,
        looked_for=finding.wanted.nova.id,
        made=made,
    )


def known_ids(infrastructures: Collection[Infrastructure]) -> dict[Key, str]:
    """Return the ids under which the catalogue records its flavors in these nodes, including those missing there.

    In the order of installation, then the missing ones. An id that another flavor has taken there is left out. Cost:
    two queries.
    """
    columns = "flavor_id", "infrastructure_id", "flavorid"
    installations = Installation.objects.filter(infrastructure__in=infrastructures).values_list(*columns)
    known = {(flavor, infrastructure): flavorid for flavor, infrastructure, flavorid in installations}
    missing = Sighting.objects.filter(infrastructure__in=infrastructures, state__in=ABSENT)
    if remembered := list(missing.exclude(flavorid=NOT_KNOWN).values_list(*columns)):
        taken = {(infrastructure, flavorid) for (_, infrastructure), flavorid in known.items()}
        for flavor, infrastructure, flavorid in remembered:
            if (infrastructure, flavorid) not in taken:
                known.setdefault((flavor, infrastructure), flavorid)
    return known


def record_findings(
    findings: Mapping[Infrastructure, Collection[Finding]], *, as_of: datetime, made: Collection[Key] = ()
) -> None:
    """Record what a comparison saw in nodes that were asked at *as_of*.

    *made* are flavors in nodes where a synchronisation has created them without recording it. Those that were found
    are recorded.

    Raises:
        MayBeWritten: the database is away.

    Cost: one query; if there is something new, those of `write`, in one transaction.
    """
    common, in_sync = _recorded_in_sync(findings)
    in_sync -= {node for _, node in made}
    seen = [
        found(finding, node, made=(finding.wanted.flavor.pk, node.pk) in made)
        for node, of_node in findings.items()
        for finding in of_node
        if node.pk not in in_sync or finding.wanted.flavor.pk not in common
    ]
    if not seen:
        return
    for attempt in range(MAX_ATTEMPTS):
        try:
            write_certainly(partial(write, seen, as_of=as_of), is_written=partial(is_told, seen))
            return
        except IntegrityError:  # a flavor or a node is gone by now, or somebody else has just written the same
            if attempt == MAX_ATTEMPTS - 1:
                raise
        flavors = Flavor.objects.in_bulk({each.flavor.pk for each in seen})
        nodes = Infrastructure.objects.in_bulk({each.infrastructure.pk for each in seen})
        seen = [each for each in seen if each.flavor.pk in flavors and each.infrastructure.pk in nodes]


def _recorded_in_sync(findings: Mapping[Infrastructure, Collection[Finding]]) -> tuple[set[int], set[int]]:
    """Return flavors that were looked for in every node, and the nodes where all of them are in sync and recorded so.

    Both by their keys. The database counts the rows: reading them would cost more than all else in a run that has
    nothing to do. Cost: one query; none if no node is in sync.
    """
    asked = [
        {each.wanted.flavor.pk: each.wanted.flavor for each in of_node} for of_node in findings.values() if of_node
    ]
    flavors = set(asked[0]).intersection(*asked[1:]) if asked else set()
    in_sync = [
        node.pk
        for node, of_node in findings.items()
        if all(each.state == State.IN_SYNC for each in of_node if each.wanted.flavor.pk in flavors)
    ]
    # A digest stands for its flavor: the flavor's id is in it.
    digests = [asked[0][flavor].digest for flavor in flavors]
    rows = Sighting.objects.order_by().filter(infrastructure__in=in_sync, state=State.IN_SYNC, digest__in=digests)
    counts = rows.values_list("infrastructure").annotate(Count("pk"))
    return flavors, {node for node, count in counts if count == len(flavors)}


def write(seen: Collection[Seen], *, as_of: datetime | None = None) -> None:
    """Record what was seen. Call it in a transaction.

    Args:
        as_of: when the nodes were asked. What was recorded after that is newer and stays, and a flavor that is missing
            because it is being replaced does not count as missing. None: the caller has just changed these nodes.

    Raises:
        IntegrityError: a flavor or a node is gone by now, or another flavor of the catalogue has the id there.

    Cost: one query; if there is something new two more, and up to three that write; one more for each flavor whose
    id there has changed.
    """
    rows = _told(seen)
    new = _new(seen, rows)
    if as_of is not None:
        new = [each for each in new if each.key not in rows or rows[each.key].seen_at < as_of]
        new = _not_being_replaced(new)
    if not new:
        return
    known = {(each.flavor_id, each.infrastructure_id): each for each in _of(Installation, new)}
    if as_of is not None:
        new = _not_of_others(new, rows, known)
    changed = [_row(each, rows.get(each.key), known.get(each.key), as_of or timezone.now()) for each in new]
    _write_rows(changed)
    found_here = {each.key: each.made for each in new if each.flavorid or each.id_there}
    _write_installations(changed, known, found_here)


def forget(flavor: Flavor, infrastructures: Collection[Infrastructure]) -> None:
    """Record that we have removed a flavor from these nodes. Call it in a transaction.

    A promoted flavor is recorded as missing there. Cost: two queries, or as `write`.
    """
    if flavor.promoted:
        write(
            [
                Seen(flavor=flavor, infrastructure=each, state=State.MISSING, flavorid=NOT_KNOWN)
                for each in infrastructures
            ]
        )
        return
    Sighting.objects.filter(flavor=flavor, infrastructure__in=infrastructures).delete()
    Installation.objects.filter(flavor=flavor, infrastructure__in=infrastructures).delete()


def _of(model: Any, seen: Iterable[Seen]) -> Any:
    """Return the rows of these flavors in these nodes, locked until the transaction ends."""
    flavors, infrastructures = {each.flavor.pk for each in seen}, {each.infrastructure.pk for each in seen}
    return model.objects.select_for_update().filter(flavor__in=flavors, infrastructure__in=infrastructures)


def _told(seen: Collection[Seen]) -> dict[Key, Told]:
    rows = map(Told._make, _of(Sighting, seen).order_by().values_list(*Told._fields))
    return {(row.flavor_id, row.infrastructure_id): row for row in rows}


def _new(seen: Collection[Seen], rows: Mapping[Key, Told]) -> list[Seen]:
    digests = {flavor: flavor.digest for flavor in {each.flavor for each in seen}}
    return [each for each in seen if each.tells_something_new(rows.get(each.key), digests[each.flavor])]


def is_told(seen: Collection[Seen]) -> bool:
    """Say whether all of this is recorded already. One query."""
    return not _new(seen, _told(seen))


def _not_being_replaced(seen: Sequence[Seen]) -> list[Seen]:
    """Leave out what is missing only until its replacement is done. Cost: one query if anything is missing."""
    missing = {each.infrastructure.pk for each in seen if each.state in ABSENT}
    if not missing:
        return list(seen)
    open_ones = set(Replacement.objects.filter(infrastructure__in=missing).values_list("infrastructure_id", "flavorid"))
    return [
        each for each in seen if each.state not in ABSENT or (each.infrastructure.pk, each.looked_for) not in open_ones
    ]


def _not_of_others(seen: Sequence[Seen], rows: Mapping[Key, Told], known: Mapping[Key, Installation]) -> list[Seen]:
    """Let no flavor come back under an id that another one has there by now. Cost: one query if one comes back."""
    back = [each for each in seen if each.id_there and each.key not in known and each.key in rows]
    if not back:
        return list(seen)
    ids = Installation.objects.filter(infrastructure__in={each.infrastructure.pk for each in back})
    taken = set(ids.values_list("infrastructure_id", "flavorid"))
    return [
        replace(each, id_there="") if (each.infrastructure.pk, each.id_there) in taken and each in back else each
        for each in seen
    ]


def _row(seen: Seen, row: Told | None, known: Installation | None, now: datetime) -> Sighting:
    flavorid = _known_by(seen, row, known)
    applied = _applied(seen, row, flavorid)
    return Sighting(
        flavor=seen.flavor,
        infrastructure=seen.infrastructure,
        state=seen.state,
        differences=[_with_cause(difference, applied) for difference in seen.differences],
        digest=seen.flavor.digest,
        flavorid=flavorid,
        applied=applied,
        since=row.since if row and row.state == seen.state else now,
        seen_at=now,
    )


def _with_cause(difference: Mapping[str, object], applied: Mapping[str, object] | None) -> dict[str, object]:
    cause = cause_of(difference, applied)
    return {**difference, CAUSE: cause} if cause else {**difference}


def causes(outcomes: Mapping[Key, Sequence[Mapping[str, object]]]) -> dict[Key, list[dict[str, object]]]:
    """Return recorded differences with their causes, by the keys of flavor and node, where they are the same as these.

    Cost: one query; none without differences.
    """
    differing = {key for key, differences in outcomes.items() if differences}
    if not differing:
        return {}
    flavors, nodes = zip(*differing, strict=True)
    rows = Sighting.objects.order_by().filter(state=State.DIFFERENT, flavor__in=flavors, infrastructure__in=nodes)
    recorded = rows.values_list("flavor", "infrastructure", "differences")
    return {
        (flavor, node): differences
        for flavor, node, differences in recorded
        if (flavor, node) in differing and without_cause(differences) == list(outcomes[flavor, node])
    }


def _applied(seen: Seen, row: Told | None, flavorid: str) -> dict[str, object] | None:
    """Return what we have given it there by now, or None where that is not known.

    In what was applied, None stands for an extra spec that was taken away.
    """
    is_same = row is not None and row.state in BY_ID and seen.state in BY_ID and row.flavorid == flavorid
    if row and is_same and not seen.made and row.applied is None:
        return None  # it has been there since before this was written down
    before = (row.applied or {}) if row and is_same and not seen.made else {}
    return {member: value for member, value in {**before, **seen.applied}.items() if value is not None}


def _known_by(seen: Seen, row: Told | None, known: Installation | None) -> str:
    if seen.flavorid is not None:
        return seen.flavorid
    if known:
        return known.flavorid
    # It is there again, possibly under its own id.
    return (seen.id_there or row.flavorid) if row and row.flavorid else NOT_KNOWN


def _write_rows(rows: Sequence[Sighting]) -> None:
    Sighting.objects.bulk_create(
        rows,
        update_conflicts=True,
        update_fields=["state", "differences", "digest", "flavorid", "applied", "since", "seen_at"],
        # MySQL's form of it names no columns.
        unique_fields=["flavor", "infrastructure"]
        if connection.features.supports_update_conflicts_with_target
        else None,
    )


def _write_installations(
    rows: Sequence[Sighting], known: Mapping[Key, Installation], found: Mapping[Key, bool]
) -> None:
    """Make the nodes where a flavor was found the flavor's nodes, and no others.

    *found* are the nodes where it was found, and whether it was just made there.
    """
    gone, come = [], []
    for row in rows:
        key = (row.flavor_id, row.infrastructure_id)
        installation = known.get(key)
        is_there = bool(row.flavorid) and row.state not in ABSENT
        if installation and not is_there:
            gone.append(installation.pk)
        elif installation and installation.flavorid != row.flavorid:
            Installation.objects.filter(pk=installation.pk).update(flavorid=row.flavorid)
        elif not installation and is_there and key in found:
            come.append(row)
    if gone:
        Installation.objects.filter(pk__in=gone).delete()
    if come:
        Installation.objects.bulk_create(
            Installation(
                flavor_id=row.flavor_id,
                infrastructure_id=row.infrastructure_id,
                flavorid=row.flavorid,
                made=found[row.flavor_id, row.infrastructure_id],
            )
            for row in come
        )
