"""Writing down what a run has done."""

from collections.abc import Collection, Mapping, Sequence

from django.db import connection

from flavors.catalogue import sightings
from flavors.models import Flavor
from infrastructures.commits import write_certainly
from infrastructures.models import Infrastructure
from synchronisation.models import SyncOutcome


def record_repairs(
    *,
    infrastructure: Infrastructure,
    installed: Mapping[Flavor, str],
    outcomes: Sequence[SyncOutcome],
    made: Collection[Flavor] = (),
) -> None:
    """Write down what a synchronisation run has done in a cloud, and what its Nova has now; all of it or nothing.

    Args:
        installed: by flavor, its id there.
        outcomes: at least one, stored, of which the result, the reason and the seconds are written.
        made: those of the flavors that were created there, and not found.

    Raises:
        IntegrityError: somebody else has just deleted one of the flavors, or another flavor of the catalogue
            has its id there; `record_installation` says which.
        MayBeWritten: the database is away.

    Cost: three queries, in one transaction; one more for each flavor that is recorded there under another id.
    """

    def write() -> None:
        sightings.write(
            [
                sightings.installed(flavor, infrastructure, flavorid=flavorid, made=flavor in made)
                for flavor, flavorid in installed.items()
            ]
        )
        _write_results(outcomes)

    write_certainly(write, is_written=lambda: _has_results(outcomes))


def _has_results(outcomes: Sequence[SyncOutcome]) -> bool:
    """Say whether the first of them is written down, and so whatever was with it."""
    first = outcomes[0]
    return SyncOutcome.objects.select_for_update().filter(pk=first.pk, result=first.result).exists()


def _write_results(outcomes: Sequence[SyncOutcome]) -> None:
    """Write what came of each; one statement for all of them costs a fraction of an UPDATE for each."""
    SyncOutcome.objects.bulk_create(
        outcomes,
        update_conflicts=True,
        update_fields=["result", "reason", "seconds"],
        # MySQL's own form of it names no columns.
        unique_fields=["pk"] if connection.features.supports_update_conflicts_with_target else None,
    )
