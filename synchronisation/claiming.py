"""Which crew works on which nodes of a run: a node is one crew's until it has ended there, or until that crew has died.

A crew is whoever works on nodes of a run together, in one process. It is alive as long as it holds the lock of its
name, which is free again as soon as its process is dead, on whatever machine.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import uuid4

from django.utils import timezone

from infrastructures.commits import in_transaction
from infrastructures.locks import Locked, exclusive
from synchronisation.models import SyncNode, SyncRun
from synchronisation.querysets import SyncNodeQuerySet
from synchronisation.recording import record_ends

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
# How long a node is left alone that was cut short so often: it may be what kills its crew
PAUSES = {1: timedelta(0), 2: timedelta(seconds=10)}
# How many of those are begun together, so that one that kills its crew is alone in the end
AT_ONCE = {1: 8, 2: 1}


@contextmanager
def a_crew() -> Iterator[str]:
    """Give the name of a new crew, which is alive until the block is left."""
    name = uuid4().hex
    with exclusive(_lock_of(name)):
        yield name


def claim(run: SyncRun, crew: str, *, most: int, is_idle: bool) -> list[SyncNode]:
    """Return nodes that nobody works on, which are the crew's from now on: those first that were never cut short.

    Args:
        is_idle: whether the crew has no other nodes at the moment. Only then it gets those that were cut short.

    Cost: three queries, and one when there is none; three more for each time that others were quicker.
    """
    if claimed := _claim(run, run.nodes.free().filter(attempts=0), crew, most):
        return claimed
    for attempts, at_once in AT_ONCE.items() if is_idle else ():
        if claimed := _claim(run, run.nodes.free().filter(attempts=attempts), crew, at_once):
            return claimed
    return []


def claim_all(run: SyncRun, crew: str) -> list[SyncNode]:
    """Return all nodes that nobody works on, also those that are to be left alone for now. Three queries."""
    return _claim(run, run.nodes.unclaimed(), crew, run.node_count)


def _claim(run: SyncRun, among: SyncNodeQuerySet, crew: str, most: int) -> list[SyncNode]:
    while keys := list(among.order_by("pk").values_list("pk", flat=True)[:most]):
        in_transaction(partial(_take, among.filter(pk__in=keys), crew))
        if claimed := list(run.nodes.filter(pk__in=keys, crew=crew)):
            return claimed
    return []


def _take(nodes: SyncNodeQuerySet, crew: str) -> None:
    nodes.update(crew=crew)


def release_lost(run: SyncRun) -> int:
    """Have the nodes of crews that have died be free again, and return how many.

    One that was cut short `MAX_ATTEMPTS` times has failed. To be called while nobody can begin with the run.

    Cost: one query when nobody is at it; one more for each crew, and some five when one has died.
    """
    crews = run.nodes.claimed().order_by().values_list("crew", flat=True).distinct()
    lost = list(run.nodes.claimed().filter(crew__in=[crew for crew in crews if not _is_alive(crew)]))
    if not lost:
        return 0
    logger.warning("Run %s was cut short in %s of its nodes", run.pk, len(lost))
    given_up = [node for node in lost if node.attempts >= MAX_ATTEMPTS]
    for node in given_up:
        logger.error("Run %s was cut short %s times in %s, and gives it up", run.pk, node.attempts, node.name)
    record_ends({node: f"The run was cut short {node.attempts} times here." for node in given_up})
    for attempts in {node.attempts for node in lost} - {node.attempts for node in given_up}:
        keys = [node.pk for node in lost if node.attempts == attempts]
        not_before = timezone.now() + PAUSES.get(attempts, timedelta(0))
        SyncNode.objects.filter(pk__in=keys).update(state=SyncNode.State.WAITING, crew="", not_before=not_before)
    return len(lost)


def _is_alive(crew: str) -> bool:
    if not crew:
        return False  # begun by the version before, which holds the lock of the run instead
    try:
        with exclusive(_lock_of(crew)):
            return False
    except Locked:
        return True


def _lock_of(crew: str) -> str:
    return f"crew:{crew}"
