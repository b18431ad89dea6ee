"""Single changes of a cloud's flavors. Each holds the flavor's lock, and is in the journal while in progress."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import TypeVar

from rest_framework.exceptions import APIException

from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import Outcome, in_each_cloud
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import CloudError, CloudUnavailable, FlavorConflict, FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import Doubt, NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.journal import Entry

T = TypeVar("T")

# How long a change waits for whoever settles its flavor, which takes a few calls of the cloud
SECONDS_TO_SETTLE = 5

# In one cloud


def create_flavor(*, infrastructure: Infrastructure, nova: Nova, flavor: NovaFlavor) -> NovaFlavor:
    """Create a flavor in the cloud and return it as Nova has it.

    Raises:
        FlavorConflict, FlavorRefused, Forbidden, CloudUnavailable: as `Nova.create_flavor`.
        Conflict: somebody else is changing the flavor with this id, or the id must keep a different flavor.

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


def create_flavors(
    *, infrastructure: Infrastructure, nova: Nova, flavors: Sequence[NovaFlavor], threads: Executor
) -> list[APIException | None]:
    """Create flavors in the cloud, all at once, and return the error of each, or None.

    They share the queries. Where they cannot, since somebody else is changing one of them or the journal has something
    about the cloud, they are created one by one, as with `create_flavor`.

    Args:
        threads: where the calls are made; they use no database.

    Cost: as `Nova.create_flavor` for each; some seven queries for all of them.
    """
    if len(flavors) > 1:
        locks = [lock for flavor in flavors for lock in _locks_of(infrastructure, flavor.id, flavor.name)]
        try:
            with exclusive(*locks):
                if journal.is_empty(infrastructure):
                    return _created_at_once(infrastructure, nova, flavors, threads)
        except Locked:
            pass
    return [_error_of_creating(infrastructure, nova, flavor) for flavor in flavors]


def _created_at_once(
    infrastructure: Infrastructure, nova: Nova, flavors: Sequence[NovaFlavor], threads: Executor
) -> list[APIException | None]:
    try:
        entries = journal.begin_new_creations(infrastructure, flavors)
    except Conflict as unregistered:
        return [unregistered] * len(flavors)
    made = list(threads.map(_made_apart, [nova] * len(flavors), flavors, entries))
    journal.end((entry, error is None, doubt) for entry, (error, doubt) in zip(entries, made, strict=True))
    for entry, (error, doubt) in zip(entries, made, strict=True):
        if error and doubt == Doubt.OPEN:
            journal.told(error, entry.record)
    return [error for error, _ in made]


def _made_apart(nova: Nova, flavor: NovaFlavor, entry: Entry) -> tuple[CloudError | None, Doubt]:
    """Create the flavor through a Nova of its own, whose doubt is that of this creation alone."""
    own = copy(nova)
    own.doubt = Doubt.NONE
    try:
        _made(own, flavor, entry)
    except CloudError as error:
        return error, own.doubt
    return None, own.doubt


def _error_of_creating(infrastructure: Infrastructure, nova: Nova, flavor: NovaFlavor) -> APIException | None:
    try:
        create_flavor(infrastructure=infrastructure, nova=nova, flavor=flavor)
    except APIException as error:
        return error
    return None


def delete_flavor(*, infrastructure: Infrastructure, nova: Nova, flavorid: str) -> None:
    """Delete a flavor from the cloud.

    Raises:
        FlavorNotFound, Forbidden, CloudUnavailable: as `Nova.delete_flavor`.
        Conflict: somebody else is changing the flavor.

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
    """Keep a watched flavor as it is now, after the holder of its lock has changed it in place.

    Cost: one query; if the journal is not empty two more, and as `Nova.find_flavor`.
    """
    record = _record_of(infrastructure, flavorid)
    has = nova.find_flavor(flavorid) if record and record.is_met else None
    if record and has:
        record.want(has)
        record.save()


def require_settled(*, infrastructure: Infrastructure, flavorid: str) -> None:
    """Refuse to change a flavor in place while its replacement is half way: settling that would undo the change.

    Raises:
        CloudUnavailable: it is, since the cloud has failed.

    Cost: one query; if the journal is not empty, one more.
    """
    record = _record_of(infrastructure, flavorid)
    if record and record.is_half_way:
        raise CloudUnavailable(infrastructure.name, f"flavor {flavorid} is being replaced, which is not done yet.")


def _record_of(infrastructure: Infrastructure, flavorid: str) -> Replacement | None:
    """Return what the journal has of a flavor. Cost: one query; if the journal is not empty, one more."""
    if journal.is_empty(infrastructure):
        return None
    return journal.find({infrastructure: flavorid}).get(infrastructure.pk)


def _failed(entry: Entry, error: CloudError, doubt: Doubt) -> None:
    journal.end([(entry, False, doubt)])
    if doubt == Doubt.OPEN:
        journal.told(error, entry.record)


def _made(nova: Nova, flavor: NovaFlavor, entry: Entry | None = None) -> NovaFlavor:
    """Create the flavor, or complete it if an earlier request of ours has only now created it."""
    try:
        return nova.create_flavor(flavor)
    except FlavorConflict:
        has = nova.find_flavor(flavor.id) if entry and entry.may_have_made(flavor) else None
        if has is None or has.row != flavor.row:
            raise
        nova.complete_flavor(flavor, has=has)
        return flavor


# In several clouds side by side; the caller holds the flavor's lock in each


def create_in_each_cloud(
    infrastructures: Collection[Infrastructure], flavor: NovaFlavor, *, adopts: bool = False
) -> list[Outcome[bool]]:
    """Create a flavor in several clouds, and return for each whether it had to be created, or the error.

    Args:
        adopts: whether to accept an existing flavor with the same values.

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
    """Run *work*, which may create a flavor, in several clouds, and return the outcome in each.

    Args:
        work: takes each cloud's Nova, and a function that creates the flavor there.
        judge: takes a result of *work*, and returns the flavor that the cloud has with this id and will keep, and the
            error in the result. Without it, each result means that the cloud has the flavor.

    Raises:
        Conflict: in one of them the id must keep a different flavor; nothing was done.

    Cost: that of *work* in the slowest cloud; three queries.
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
            entry.record.new = has.as_json()  # an existing flavor may have more extra specs and grants than ours
    return _ended(entries, outcomes, lambda result: (judged(result)[0] is not None, judged(result)[1]))


def delete_in_each_cloud(ids: Mapping[Infrastructure, str]) -> list[Outcome[bool]]:
    """Delete flavors, each from its cloud; it is not an error if one does not exist.

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


# Locking a flavor


def lock_of(infrastructure: Infrastructure, flavorid: str) -> str:
    """Return the name of the lock on a flavor in a cloud."""
    return f"flavor:{infrastructure.pk}:{flavorid}"


def settling_lock_of(infrastructure: Infrastructure, flavorid: str) -> str:
    """Return the name of the lock that is held, besides `lock_of`, while a flavor in a cloud is settled."""
    return f"settling:{infrastructure.pk}:{flavorid}"


def name_lock_of(infrastructure: Infrastructure, name: str) -> str:
    """Return the name of the lock on a flavor's name in a cloud; a Nova on MySQL ignores case."""
    return f"name:{infrastructure.pk}:{name.lower()}"


@contextmanager
def alone_with(infrastructure: Infrastructure, flavorid: str, *, name: str | None = None) -> Iterator[bool]:
    """Lock a flavor in a cloud, and with *name* also that name there; if it is just being settled, wait for that.

    With *name*, yield whether the journal has nothing about the cloud's flavors.

    Raises:
        Conflict: somebody else is changing the flavor; or, with *name*, the name or id belongs to a flavor whose
            replacement is still open.

    Cost: as `exclusive`, three times if somebody else has a lock, and one query with *name*.
    """
    try:
        with ExitStack() as held:
            _take_locks(held, infrastructure, flavorid, name)
            yield name is not None and _nothing_is_reserved(infrastructure, flavorid, name)
    except Locked as error:
        raise Conflict(f"{infrastructure}: somebody else is changing flavor {flavorid}.") from error


def _take_locks(held: ExitStack, infrastructure: Infrastructure, flavorid: str, name: str | None) -> None:
    """Take the locks. Whoever settles a flavor does it for others, and must not have them refused."""
    locks = _locks_of(infrastructure, flavorid, name)
    try:
        held.enter_context(exclusive(*locks))
    except Locked:
        with exclusive(settling_lock_of(infrastructure, flavorid), wait=SECONDS_TO_SETTLE):
            pass
        held.enter_context(exclusive(*locks))


def _locks_of(infrastructure: Infrastructure, flavorid: str, name: str | None) -> list[str]:
    return [lock_of(infrastructure, flavorid), *([] if name is None else [name_lock_of(infrastructure, name)])]


def _nothing_is_reserved(infrastructure: Infrastructure, flavorid: str, name: str) -> bool:
    """Raise `Conflict` for the name or id of a flavor that is missing only because its replacement was cut short.

    Return whether the journal has nothing about the cloud.

    The id of a watched flavor is checked when the change is recorded.
    """
    if journal.is_empty(infrastructure):
        return True
    for record in Replacement.objects.filter(infrastructure=infrastructure):
        if name.lower() in record.names and (record.is_half_way or record.flavorid != flavorid):
            raise Conflict(f"{infrastructure}: the name {name} belongs to a flavor that is being replaced.")
        if record.flavorid == flavorid and record.is_half_way:
            raise Conflict(f"{infrastructure}: the id {flavorid} belongs to a flavor that is being replaced.")
    return False
