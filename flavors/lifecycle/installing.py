"""Installing flavors of the catalogue in clouds: each cloud is asked what it has, and the outcome is recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flavors.catalogue import recording, sightings
from flavors.catalogue.comparison import Difference, differences_between
from flavors.catalogue.outcomes import Came
from flavors.catalogue.sightings import Seen, State
from flavors.lifecycle.together import alone_in, taken_back
from flavors.models import Flavor
from infrastructures.clouds import Outcome, in_each_cloud
from infrastructures.commits import again_when_not_written
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, FlavorConflict
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.changes import creating_in_each_cloud


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """The outcome of installing a flavor: how the cloud has it, and as what; or what it has instead, and the error."""

    came: Came | None = None
    has: NovaFlavor | None = None
    instead: State | None = None
    differences: Sequence[Difference] = ()
    id_there: str = ""
    error: CloudError | None = None

    @property
    def flavorid(self) -> str:
        """Return the id under which the cloud has it, or ""."""
        return self.has.id if self.has else ""

    def as_seen(self, flavor: Flavor, infrastructure: Infrastructure) -> Seen | None:
        """Return what was seen, or None."""
        if self.came:
            return sightings.installed(flavor, infrastructure, flavorid=self.flavorid)
        if self.instead is None:
            return None
        differences = [difference.as_json() for difference in self.differences]
        return Seen(
            flavor=flavor,
            infrastructure=infrastructure,
            state=self.instead,
            differences=differences,
            id_there=self.id_there,
        )


def install_flavor(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> list[Outcome[Came]]:
    """Make a flavor of the catalogue exist in these clouds; a flavor that is there with the same values is adopted.

    Clouds in which it is already recorded are asked, too. The caller checks permissions. A cloud that fails does not
    stop the others.

    Returns:
        How each cloud came to have it, or the error.

    Raises:
        Conflict: somebody else is changing the flavor in one of them; nothing was done.
        NotFound: somebody else has just deleted the flavor; nothing is left of it.

    Cost: in each cloud one to three upstream calls, side by side: one if it is there, four if its name is taken;
    some eight queries.
    """
    wanted = flavor.as_nova()
    given: set[Infrastructure] = set()

    def install() -> dict[Infrastructure, _Attempt]:
        with alone_in(infrastructures, wanted.id, name=wanted.name):
            known = _known_ids(flavor, infrastructures)
            outcomes = creating_in_each_cloud(
                infrastructures,
                wanted,
                lambda nova, create: _attempt(nova, wanted, known.get(nova.region.name), create),
                judge=lambda attempt: (attempt.has if attempt.flavorid == wanted.id else None, attempt.error),
            )
            attempts = {each.infrastructure: each.result or _Attempt(error=each.error) for each in outcomes}
            _have_stay(attempts, wanted)
            given.update(node for node, attempt in attempts.items() if attempt.came is Came.CREATED)
            noted = {
                node: attempt
                for node, attempt in attempts.items()
                if attempt.came or flavor.promoted or node.name in known
            }
            with taken_back(wanted.id, given):
                recording.record_seen(
                    flavor=flavor,
                    seen=[seen for node, attempt in noted.items() if (seen := attempt.as_seen(flavor, node))],
                )
        return attempts

    return [
        Outcome(infrastructure=node, result=Came.CREATED if node in given else attempt.came, error=attempt.error)
        for node, attempt in again_when_not_written(install).items()
    ]


def _have_stay(attempts: Mapping[Infrastructure, _Attempt], wanted: NovaFlavor) -> None:
    """Protect what is there under other ids from deletions that were sent before and may still be carried out.

    Cost: one query for each cloud that has it under another id.
    """
    for node, attempt in attempts.items():
        if attempt.has and attempt.has.id != wanted.id:
            journal.want([node], [attempt.has])


def preview_installation(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> list[Outcome[Came]]:
    """Return what `install_flavor` would, as far as reading can tell. Changes nothing.

    Cost: in each cloud one upstream call, side by side; two queries.
    """
    wanted, known = flavor.as_nova(), _known_ids(flavor, infrastructures)
    return in_each_cloud(infrastructures, lambda nova: _foreseen(nova, wanted, known.get(nova.region.name)))


def _known_ids(flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> Mapping[str, str]:
    """Return the ids under which the flavor is recorded in these clouds, by their names. Cost: two queries."""
    known = sightings.known_ids(infrastructures)
    return {node.name: known[flavor.pk, node.pk] for node in infrastructures if (flavor.pk, node.pk) in known}


def _attempt(nova: Nova, wanted: NovaFlavor, known_as: str | None, create: Callable[[], object]) -> _Attempt:
    """Make Nova have *wanted*, unless it has it already under the id that is recorded there."""
    has = nova.find_flavor(known_as) if known_as else None
    if has:
        return _compared(nova, wanted, has)
    try:
        create()
    except FlavorConflict as error:
        has = nova.find_flavor(wanted.id)
        if has is None:
            return _with_its_name(nova, wanted, error)
        if not has.equals(wanted):
            # A comparison may still call it in sync: other extra specs are the cloud's own.
            differences = differences_between(wanted, has, descriptions=nova.keeps_descriptions)
            state = State.DIFFERENT if differences else None
            return _Attempt(instead=state, differences=differences, id_there=has.id, error=error)
        return _Attempt(came=Came.ADOPTED, has=has)
    except CloudError as error:
        if known_as is None:
            raise
        return _Attempt(instead=State.MISSING, error=error)
    return _Attempt(came=Came.CREATED, has=wanted)


def _with_its_name(nova: Nova, wanted: NovaFlavor, error: CloudError) -> _Attempt:
    """Return what a comparison finds in a Nova where the name of *wanted* is taken. Cost: one or two upstream calls."""
    namesake = next((has for has in nova.list_flavors() if has.name.lower() == wanted.name.lower()), None)
    if namesake is None:
        return _Attempt(instead=State.NAME_TAKEN, error=error)
    has = nova.with_extra_specs(namesake)
    differences = differences_between(wanted, has, descriptions=nova.keeps_descriptions)
    return _Attempt(instead=State.NAME_TAKEN if differences else State.OTHER_ID, differences=differences, error=error)


def _compared(nova: Nova, wanted: NovaFlavor, has: NovaFlavor) -> _Attempt:
    """Compare what Nova has under the recorded id with *wanted*; other extra specs are the cloud's own."""
    differences = differences_between(wanted, has, descriptions=nova.keeps_descriptions)
    if not differences:
        return _Attempt(came=Came.KNOWN, has=has)
    error = _other_values(nova, has)
    return _Attempt(instead=State.DIFFERENT, differences=differences, id_there=has.id, error=error)


def _foreseen(nova: Nova, wanted: NovaFlavor, known_as: str | None) -> Came:
    """Say how Nova would come to have *wanted*; raise `FlavorConflict` if it would not."""
    flavors = nova.list_flavors()
    known = next((has for has in flavors if has.id == known_as), None)
    if known:
        attempt = _compared(nova, wanted, nova.with_extra_specs(known))
        if attempt.error:
            raise attempt.error
        return Came.KNOWN
    for has in flavors:
        if has.id == wanted.id and not has.equals(wanted):
            raise _other_values(nova, has)
        if has.id == wanted.id:
            return Came.ADOPTED
        if has.name.lower() == wanted.name.lower():
            raise FlavorConflict(nova.region.name, f"there is already a flavor named {wanted.name}.")
    return Came.CREATED


def _other_values(nova: Nova, has: NovaFlavor) -> FlavorConflict:
    return FlavorConflict(nova.region.name, f"there is already a flavor with the id {has.id} and different values.")
