"""Single changes of a cloud's flavors, each alone with its flavor, and written down while it is under way."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import Outcome, in_each_cloud
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import CloudError, FlavorConflict, FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import Doubt, NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.journal import Entry

T = TypeVar("T")

# In one cloud


def create_flavor(*, infrastructure: Infrastructure, nova: Nova, flavor: NovaFlavor) -> NovaFlavor:
    """Create a flavor in the cloud and return it as Nova has it.

    Raises:
        FlavorConflict, FlavorRefused, Forbidden, CloudUnavailable: as `Nova.create_flavor`.
        Conflict: somebody else is changing the flavor of this id right now, or another must stand under it.

    Cost: as `Nova.create_flavor` and `alone_with`; two queries.
    """
    with alone_with(infrastructure, flavor.id, name=flavor.name) as is_new:
        entry = journal.begin_creations([infrastructure], flavor, is_new=is_new)[infrastructure.pk]
        nova.doubt = Doubt.NONE
        try:
            created = _made(nova, flavor, entry)
        except CloudError as error:
            _failed(entry, error, nova.doubt)
            raise
        journal.end([(entry, True, nova.doubt)])
        return created


def delete_flavor(*, infrastructure: Infrastructure, nova: Nova, flavorid: str) -> None:
    """Delete a flavor from the cloud.

    Raises:
        FlavorNotFound, Forbidden, CloudUnavailable: as `Nova.delete_flavor`.
        Conflict: somebody else is changing the flavor right now.

    Cost: one upstream call; three queries.
    """
    with alone_with(infrastructure, flavorid):
        entry = journal.begin_deletions({infrastructure: flavorid})[infrastructure.pk]
        nova.doubt = Doubt.NONE
        try:
            nova.delete_flavor(flavorid)
        except FlavorNotFound:
            journal.end([(entry, True, nova.doubt)])
            raise
        except CloudError as error:
            _failed(entry, error, nova.doubt)
            raise
        journal.end([(entry, True, nova.doubt)])


def keep_watching(*, infrastructure: Infrastructure, nova: Nova, flavorid: str) -> None:
    """Have a flavor that is watched stay as it is now, after it was changed in place by whoever is alone with it.

    Cost: one query; where something is written down two more, and what `Nova.find_flavor` costs.
    """
    if journal.is_empty(infrastructure):
        return
    record = journal.find({infrastructure: flavorid}).get(infrastructure.pk)
    has = nova.find_flavor(flavorid) if record and record.is_met else None
    if record and has:
        record.want(has)
        record.save()


def _failed(entry: Entry, error: CloudError, doubt: Doubt) -> None:
    journal.end([(entry, False, doubt)])
    if doubt == Doubt.OPEN:
        journal.told(error, entry.record)


def _made(nova: Nova, flavor: NovaFlavor, entry: Entry | None = None) -> NovaFlavor:
    """Create the flavor; one that an earlier request of ours has made only now is completed instead."""
    try:
        return nova.create_flavor(flavor)
    except FlavorConflict:
        has = nova.find_flavor(flavor.id) if entry and entry.may_have_made(flavor) else None
        if has is None or has.row != flavor.row:
            raise
        nova.complete_flavor(flavor, has=has)
        return flavor


# In several clouds side by side, by whoever is alone with the flavor in each


def create_in_each_cloud(
    infrastructures: Collection[Infrastructure], flavor: NovaFlavor, *, adopts: bool = False
) -> list[Outcome[bool]]:
    """Create a flavor in several clouds, and return of each whether it had to be created, or the error.

    Args:
        adopts: whether one that is there with the same values is as good.

    Raises and cost: as `creating_in_each_cloud`.
    """
    return creating_in_each_cloud(
        infrastructures, flavor, lambda nova, create: _created(nova, flavor, create, adopts=adopts)
    )


def creating_in_each_cloud(
    infrastructures: Collection[Infrastructure],
    flavor: NovaFlavor,
    work: Callable[[Nova, Callable[[], object]], T],
    *,
    judge: Callable[[T], tuple[NovaFlavor | None, CloudError | None]] | None = None,
) -> list[Outcome[T]]:
    """Do *work* in several clouds that may create a flavor there, and return what came of it in each.

    Args:
        work: is given each cloud's Nova, and what creates the flavor in it.
        judge: says of a result of *work* what the cloud has under the flavor's id and is to keep, and the error that
            the result holds; without one each result means that it has the flavor.

    Raises:
        Conflict: another flavor must stand under this id in one of them; nothing was done.

    Cost: what *work* costs, in the slowest cloud; three queries.
    """
    entries = journal.begin_creations(infrastructures, flavor)
    by_name = {infrastructure.name: entries[infrastructure.pk] for infrastructure in infrastructures}

    def in_one(nova: Nova) -> T:
        return work(nova, lambda: _made(nova, flavor, by_name[nova.region.name]))

    def judged(result: T) -> tuple[NovaFlavor | None, CloudError | None]:
        return judge(result) if judge else (flavor, None)

    outcomes = in_each_cloud(infrastructures, in_one)
    for outcome in outcomes:
        has = None if outcome.result is None else judged(outcome.result)[0]
        entry = entries[outcome.infrastructure.pk]
        if has and entry.record.goal == Replacement.Goal.NONE:
            entry.record.new = has.as_json()  # what stood there already may have more than what was to be made
    return _ended(entries, outcomes, lambda result: (judged(result)[0] is not None, judged(result)[1]))


def delete_in_each_cloud(ids: Mapping[Infrastructure, str]) -> list[Outcome[bool]]:
    """Delete flavors, each from its cloud; one that is gone already is as it should be.

    Cost: one upstream call, in the slowest cloud; three queries.
    """
    entries = journal.begin_deletions(ids)
    flavorids = {infrastructure.name: flavorid for infrastructure, flavorid in ids.items()}
    outcomes = in_each_cloud(ids, lambda nova: _deleted(nova, flavorids[nova.region.name]))
    return _ended(entries, outcomes, lambda result: (True, None))


def _ended(
    entries: Mapping[int, Entry],
    outcomes: list[Outcome[T]],
    judge: Callable[[T], tuple[bool, CloudError | None]],
) -> list[Outcome[T]]:
    judged = []
    for outcome in outcomes:
        done, error = (False, outcome.error) if outcome.result is None else judge(outcome.result)
        judged.append((entries[outcome.infrastructure.pk], done, error, outcome.doubt))
    journal.end((entry, done, doubt) for entry, done, _, doubt in judged)
    for entry, _, error, doubt in judged:
        if error and doubt == Doubt.OPEN:
            journal.told(error, entry.record)
    return outcomes


def _created(nova: Nova, flavor: NovaFlavor, create: Callable[[], object], *, adopts: bool) -> bool:
    try:
        create()
    except FlavorConflict:
        has = nova.find_flavor(flavor.id) if adopts else None
        if has is None or not has.equals(flavor):
            raise
        return False
    return True


def _deleted(nova: Nova, flavorid: str) -> bool:
    try:
        nova.delete_flavor(flavorid)
    except FlavorNotFound:
        return False
    return True


# Being alone with a flavor


def lock_of(infrastructure: Infrastructure, flavorid: str) -> str:
    """Return the lock on a flavor in a cloud."""
    return f"flavor:{infrastructure.pk}:{flavorid}"


def name_lock_of(infrastructure: Infrastructure, name: str) -> str:
    """Return the lock on a name in a cloud; Nova's on MySQL tell no case apart."""
    return f"name:{infrastructure.pk}:{name.lower()}"


@contextmanager
def alone_with(infrastructure: Infrastructure, flavorid: str, *, name: str | None = None) -> Iterator[bool]:
    """Keep everybody else from changing a flavor in a cloud meanwhile, and from taking its *name* there.

    With *name* it is given whether nothing at all is written down of the cloud's flavors.

    Raises:
        Conflict: somebody else is changing it right now, or with *name* that or the id is that of a flavor
            whose replacement is still open.

    Cost: as `exclusive`, and one query with *name*.
    """
    locks = [lock_of(infrastructure, flavorid), *([] if name is None else [name_lock_of(infrastructure, name)])]
    try:
        with exclusive(*locks):
            yield name is not None and _nothing_is_reserved(infrastructure, flavorid, name)
    except Locked as error:
        raise Conflict(f"{infrastructure}: flavor {flavorid} is being changed by somebody else.") from error


def _nothing_is_reserved(infrastructure: Infrastructure, flavorid: str, name: str) -> bool:
    """Raise `Conflict` for the name or id of a flavor that is missing only because its replacement was cut short.

    Return whether nothing is written down at all.

    The id of one that is watched is left to whoever writes down what is to be done with it.
    """
    if journal.is_empty(infrastructure):
        return True
    for record in Replacement.objects.filter(infrastructure=infrastructure):
        if name.lower() in record.names and (record.is_half_way or record.flavorid != flavorid):
            raise Conflict(f"{infrastructure}: the name {name} is that of a flavor that is being replaced.")
        if record.flavorid == flavorid and record.is_half_way:
            raise Conflict(f"{infrastructure}: the id {flavorid} is that of a flavor that is being replaced.")
    return False
