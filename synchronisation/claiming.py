"""Claiming nodes of a run: a node belongs to one crew until the run has ended there, or until the crew dies.

A crew is a group of threads that work on a run's nodes in one process. It is alive as long as it holds the lock of its
name, which is released as soon as its process dies, on whatever machine.
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
# How long to leave a node alone after so many interruptions: it may be what kills its crew
PAUSES = {1: timedelta(0), 2: timedelta(seconds=10)}
# How many such nodes to begin together, so that one that kills its crew is alone in the end
AT_ONCE = {1: 8, 2: 1}


@contextmanager
def a_crew() -> Iterator[str]:
    """Yield the name of a new crew, which is alive until the block is left."""
    name = uuid4().hex
    with exclusive(_lock_of(name)):
        yield name


def claim(run: SyncRun, crew: str, *, most: int, is_idle: bool) -> list[SyncNode]:
    """Claim nodes that nobody works on, and return them: first those that were never interrupted.

    Args:
        is_idle: whether the crew has no other nodes at the moment. Only then does it get interrupted ones.

    Cost: three queries, one when there is no node; three more each time that another crew was faster.
    """
    if claimed := _claim(run, run.nodes.free().filter(attempts=0), crew, most):
        return claimed
    for attempts, at_once in AT_ONCE.items() if is_idle else ():
        if claimed := _claim(run, run.nodes.free().filter(attempts=attempts), crew, at_once):
            return claimed
    return []


def claim_all(run: SyncRun, crew: str) -> list[SyncNode]:
    """Claim all nodes that nobody works on, even those in a pause, and return them. Three queries."""
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
    """Free the nodes of dead crews, and return how many.

    A node that was interrupted `MAX_ATTEMPTS` times has failed. Call this only while nobody can begin the run.

    Cost: one query when nobody works on it; one more for each crew, and some five when one has died.
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
        return False  # begun by the previous version, which holds the lock of the run instead
    try:
        with exclusive(_lock_of(crew)):
            return False
    except Locked:
        return True


def _lock_of(crew: str) -> str:
    return f"crew:{crew}"
