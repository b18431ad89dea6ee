"""Private flavors: those that some clouds' Novas have and the catalogue does not."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rest_framework.exceptions import APIException, NotFound

from flavors.lifecycle.together import raise_first, raise_what_failed, settled
from flavors.models import Installation
from flavorsync_project.api.errors import Conflict
from identity.callers import Caller
from infrastructures.clouds import Outcome, in_each_cloud, open_nova
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudUnavailable, FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements.reading import raise_if_missing_for_now, read_whole
from infrastructures.replacements.replacing import replace_flavor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrivateFlavor:
    """A flavor that only some clouds' Novas have, the same in each. It reads like one of the catalogue."""

    nova_flavor: NovaFlavor
    infrastructures: tuple[Infrastructure, ...]

    promoted = False
    public = False

    def __getattr__(self, member: str) -> Any:
        return getattr(self.nova_flavor, member)

    @property
    def flavorid(self) -> str:
        """Return its id, under the name that the catalogue uses."""
        return self.nova_flavor.id

    @property
    def marker(self) -> str:
        """Return what tells it from others with its id, in other nodes, in a list; no id has an @."""
        return f"{self.nova_flavor.id}@{self.nodes[0]}"

    @property
    def nodes(self) -> list[str]:
        """Return the names of the nodes that have it."""
        return [infrastructure.name for infrastructure in self.infrastructures]


Read = Callable[[Nova], list[NovaFlavor]]


def private_flavors(infrastructures: Sequence[Infrastructure], read: Read) -> list[PrivateFlavor]:
    """Return the flavors that the clouds have and the catalogue does not; equal ones in several clouds are one.

    Raises:
        CloudError: one of them failed, so we do not know what it has.

    Cost: three queries; what *read* costs in each cloud, side by side; more while flavors are replaced there, as
    `read_whole`.
    """
    outcomes = _asked(infrastructures, read)
    raise_first(outcomes)
    return _private(outcomes)


def find_private(infrastructures: Sequence[Infrastructure], flavorid: str) -> list[PrivateFlavor]:
    """Return the private flavors with this id in the clouds, one for each set of values; at least one.

    Raises:
        NotFound: there is none.
        CloudError: as `private_flavors`; or the flavor is missing only until its replacement is settled.

    Cost: as `private_flavors`; twice that and one query more if there is none.
    """

    def read(nova: Nova) -> list[NovaFlavor]:
        found = _found(nova, flavorid)
        return [found] if found else []

    variants = private_flavors(infrastructures, read) if infrastructures else []
    if infrastructures and not variants:  # it may have been missing because of a replacement that has just ended
        variants = private_flavors(infrastructures, read)
    if not variants:
        raise_if_missing_for_now(infrastructures, flavorid)
        raise NotFound(f"The flavor {flavorid} does not exist")
    return variants


def _found(nova: Nova, flavorid: str) -> NovaFlavor | None:
    try:
        return nova.get_flavor(flavorid)
    except FlavorNotFound:
        return None


def require_settled(variants: Sequence[PrivateFlavor], infrastructures: Collection[Infrastructure]) -> None:
    """Refuse to change a private flavor while a replacement makes it missing in a cloud, which would be left out.

    Raises:
        CloudUnavailable: it is missing in one for now.

    Cost: one query; none if all the clouds have it.
    """
    having = {infrastructure for variant in variants for infrastructure in variant.infrastructures}
    if missing := [infrastructure for infrastructure in infrastructures if infrastructure not in having]:
        raise_if_missing_for_now(missing, variants[0].id)


def private_flavors_as_far_as_known(
    infrastructures: Sequence[Infrastructure], read: Read
) -> tuple[list[PrivateFlavor], list[str]]:
    """Return what `private_flavors` does for the clouds that answer, and the names of the others.

    Raises:
        CloudError: none of them answered.

    Cost: as `private_flavors`.
    """
    outcomes = _asked(infrastructures, read)
    failed = [outcome for outcome in outcomes if outcome.error]
    if len(failed) == len(outcomes):
        # One whose password we cannot read was not even asked.
        raise_first(sorted(failed, key=lambda outcome: not isinstance(outcome.error, CloudUnavailable)))
    for outcome in failed:
        logger.warning("Left out of a list: %s", outcome.error, extra={"nodes": [outcome.infrastructure.name]})
    return _private(outcomes), [outcome.infrastructure.name for outcome in failed]


def _asked(infrastructures: Sequence[Infrastructure], read: Read) -> list[Outcome[list[NovaFlavor]]]:
    *earlier, last = read_whole(
        infrastructures, lambda: in_each_cloud(infrastructures, read), settle=lambda: settled(infrastructures)
    )
    seen = {
        outcome.infrastructure.pk: {
            flavor.id: flavor for before in (*earlier, last) for flavor in _result_of(outcome.infrastructure, before)
        }
        for outcome in last
    }
    return [
        outcome if outcome.error else replace(outcome, result=list(seen[outcome.infrastructure.pk].values()))
        for outcome in last
    ]


def _result_of(infrastructure: Infrastructure, outcomes: Sequence[Outcome[list[NovaFlavor]]]) -> Sequence[NovaFlavor]:
    return next(outcome.result or () for outcome in outcomes if outcome.infrastructure == infrastructure)


def _private(outcomes: Sequence[Outcome[list[NovaFlavor]]]) -> list[PrivateFlavor]:
    infrastructures = [outcome.infrastructure for outcome in outcomes]
    installed = set(
        Installation.objects.filter(infrastructure__in=infrastructures, flavor__public=True).values_list(
            "infrastructure_id", "flavorid"
        )
    )
    alike: dict[object, tuple[NovaFlavor, list[Infrastructure]]] = {}
    for outcome in outcomes:
        for flavor in outcome.result or ():
            if (outcome.infrastructure.pk, flavor.id) not in installed:
                key = (flavor.row, frozenset((flavor.extra_specs or {}).items()))
                alike.setdefault(key, (flavor, []))[1].append(outcome.infrastructure)
    return [PrivateFlavor(flavor, tuple(where)) for flavor, where in alike.values()]


def can_be_finished(variants: Sequence[PrivateFlavor], sizes: Mapping[str, Any]) -> bool:
    """Say whether *sizes* have reached only some of a flavor's nodes, and nothing else differs between them."""
    wanted = [replace(variant.nova_flavor, **sizes) for variant in variants]
    return all(other.equals(wanted[0]) for other in wanted) and any(_has(variant, sizes) for variant in variants)


def resized(user: Caller, variants: Sequence[PrivateFlavor], sizes: Mapping[str, Any]) -> PrivateFlavor:
    """Change a private flavor's values in each of its clouds, and return the flavor as it is then.

    Args:
        variants: the flavor; or, if an earlier change reached only some of its clouds, both variants.

    Raises:
        PartlyDone: some of the clouds failed; the others have changed, and repeating the request does the rest.
    """
    where = {infrastructure: variant for variant in variants for infrastructure in variant.infrastructures}
    failures: dict[str, APIException] = {}
    for infrastructure, variant in where.items():
        if not _has(variant, sizes):
            try:
                _replace(user, infrastructure, variant, sizes)
            except APIException as error:
                failures[infrastructure.name] = error
    names = sorted(infrastructure.name for infrastructure in where)
    if failures:
        raise_what_failed(failures, verb="Changed", done=[name for name in names if name not in failures])
    infrastructures = sorted(where, key=lambda infrastructure: infrastructure.name)
    return PrivateFlavor(replace(variants[0].nova_flavor, **sizes), tuple(infrastructures))


def _replace(user: Caller, infrastructure: Infrastructure, flavor: PrivateFlavor, sizes: Mapping[str, Any]) -> None:
    replace_flavor(
        infrastructure=infrastructure,
        nova=open_nova(infrastructure),
        flavorid=flavor.id,
        changes=sizes,
        requested_by=str(user),
        check=lambda: require_unpublished(flavor),
    )


def _has(flavor: PrivateFlavor, sizes: Mapping[str, Any]) -> bool:
    return all(getattr(flavor, member) == value for member, value in sizes.items())


def require_unpublished(flavor: PrivateFlavor) -> None:
    """Raise `Conflict` when the flavor has come into the catalogue since it was found to be private."""
    if Installation.objects.filter(infrastructure__in=flavor.infrastructures, flavorid=flavor.id).exists():
        raise Conflict(f"Somebody else has just published the flavor {flavor.id}.")


def still_the_same(flavor: PrivateFlavor) -> NovaFlavor:
    """Return the whole flavor, now that nobody else can change it, without its clouds' own access lists."""
    outcomes = in_each_cloud(flavor.infrastructures, lambda nova: nova.get_whole_flavor(flavor.id))
    raise_first(outcomes)
    whole = [replace(outcome.result, projects=None) for outcome in outcomes if outcome.result]
    if any(other.row != flavor.nova_flavor.row or not other.equals(whole[0]) for other in whole):
        raise Conflict(f"Somebody else has just changed the flavor {flavor.id}.")
    return whole[0]
