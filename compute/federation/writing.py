"""Changing the promoted flavors as administrators change a Nova's flavors.

Every change is made in the catalogue at once; a run brings it to the nodes some seconds after the last change.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Value
from django.db.models.functions import Lower
from rest_framework.exceptions import NotFound, ParseError

from compute.federation.reading import extra_spec_of, granted_projects
from flavors.catalogue.dropping import remember_dropped
from flavors.catalogue.extra_specs import refusals_of
from flavors.models import Flavor, Grant
from flavors.validators import validate_extra_specs
from flavorsync_project.api.errors import Conflict
from infrastructures.commits import write_certainly
from synchronisation.delivery import note_written
from synchronisation.removing import note_removals, require_unused

REFUSE = "refuse"


def create_flavor(*, values: Mapping[str, Any], written_by: str) -> Flavor:
    """Add a promoted flavor to the catalogue; without `flavorid`, or with None, it gets a UUID.

    Raises:
        Conflict: the catalogue already has the name, ignoring case, or the id.
        ValidationError: Nova would not accept a value.

    Cost: some five queries, in one transaction.
    """
    given = {member: value for member, value in values.items() if value is not None}
    flavor = Flavor(**given, public=True, promoted=True)
    flavor.clean_fields()

    def write() -> None:
        flavor.pk = None
        flavor.save(force_insert=True)
        note_written(flavor.flavorid, written_by=written_by)

    try:
        write_certainly(write, is_written=lambda: _is_there(flavor))
    except IntegrityError as error:
        raise _taken(flavor) from error
    return flavor


def describe_flavor(*, flavorid: str, description: str | None, written_by: str) -> Flavor:
    """Change a flavor's description; None removes it.

    Raises:
        NotFound: there is no such flavor.

    Cost: some five queries, in one transaction.
    """

    def describe(flavor: Flavor) -> None:
        flavor.description = description or ""

    return _change(flavorid, describe, written_by=written_by)


def set_extra_specs(*, flavorid: str, extra_specs: Mapping[str, str], validated: bool, written_by: str) -> None:
    """Set some of a flavor's extra specs, and keep the others.

    Args:
        validated: whether to check them against Nova's own rules, too.

    Raises:
        ValidationError: Nova does not accept them.
        NotFound: there is no such flavor.

    Cost: some seven queries, in one transaction; with *validated* one upstream call before.
    """
    validate_extra_specs(extra_specs)
    if validated and (refusal := refusals_of([extra_specs])[0]):
        raise ParseError(refusal)

    def set_them(flavor: Flavor) -> None:
        remember_dropped(flavor, [key for key, new in extra_specs.items() if flavor.extra_specs.get(key, new) != new])
        flavor.extra_specs = {**flavor.extra_specs, **extra_specs}

    _change(flavorid, set_them, written_by=written_by)


def unset_extra_spec(*, flavorid: str, key: str, written_by: str) -> None:
    """Remove an extra spec from a flavor.

    Raises:
        NotFound: there is no such flavor, or it has no such extra spec.

    Cost: some seven queries, in one transaction.
    """

    def unset(flavor: Flavor) -> None:
        extra_spec_of(flavor, key)
        remember_dropped(flavor, [key])
        flavor.extra_specs = {each: value for each, value in flavor.extra_specs.items() if each != key}

    _change(flavorid, unset, written_by=written_by)


def grant_access(*, flavorid: str, project: str, refuses_public: bool, written_by: str) -> list[str]:
    """Grant a project access to a flavor, and return the flavor's access list.

    Args:
        refuses_public: whether to refuse a flavor that is open to every project.

    Raises:
        NotFound: there is no such flavor.
        Conflict: the project has access already, or with *refuses_public* every project has.

    Cost: some seven queries, in one transaction.
    """

    def grant(flavor: Flavor) -> None:
        if flavor.is_public and refuses_public:
            raise Conflict("Can not add access to a public flavor.")
        if flavor.grants.filter(project=project, revoked=False).exists():
            raise Conflict(f"Flavor access already exists for flavor {flavorid} and project {project} combination.")
        anew = {"revoked": False, "name": "", "domain": ""}
        Grant.objects.update_or_create(flavor=flavor, project=project, defaults=anew)

    return granted_projects(_change(flavorid, grant, written_by=written_by))


def revoke_access(*, flavorid: str, project: str, written_by: str) -> list[str]:
    """Revoke a project's access to a flavor, and return the flavor's access list.

    Raises:
        NotFound: there is no such flavor, or the project is not on its access list.

    Cost: some six queries, in one transaction.
    """

    def revoke(flavor: Flavor) -> None:
        if not flavor.grants.filter(project=project, revoked=False).update(revoked=True):
            raise NotFound(f"Flavor access not found for {flavorid} / {project} combination.")

    return granted_projects(_change(flavorid, revoke, written_by=written_by))


def delete_flavor(*, flavorid: str, written_by: str) -> None:
    """Delete a flavor from the catalogue, and have it removed from the nodes where a synchronisation created it.

    A node keeps it while servers use it; with `COMPUTE_DELETE` "refuse", a flavor in use is not deleted at all.

    Raises:
        NotFound: there is no such flavor.
        Conflict: servers use it, and `COMPUTE_DELETE` is "refuse".
        CloudError: `COMPUTE_DELETE` is "refuse", and a node does not say whether servers use it.

    Cost: some twelve queries, in one transaction; with "refuse", before it, as `require_unused`.
    """
    flavor = _find(flavorid)
    if settings.COMPUTE_DELETE == REFUSE:
        require_unused(flavor)
    key = flavor.pk

    def delete() -> None:
        flavor = Flavor.objects.promoted().select_for_update().filter(pk=key).first()
        if flavor is None:
            return  # somebody else has just deleted it
        note_removals(flavor, requested_by=written_by)
        note_written(flavorid, written_by=written_by)
        flavor.installations.all().delete()
        flavor.delete()

    write_certainly(delete, is_written=lambda: not Flavor.objects.select_for_update().filter(pk=key).exists())


def _change(flavorid: str, change: Callable[[Flavor], None], *, written_by: str) -> Flavor:
    """Lock a flavor, apply *change* to it, and record that it was written."""
    changed: list[Flavor] = []

    def write() -> None:
        flavor = Flavor.objects.promoted().select_for_update().filter(flavorid=flavorid).first()
        if flavor is None:
            raise _not_found(flavorid)
        change(flavor)
        flavor.save(update_fields=["description", "extra_specs", "updated_at"])
        note_written(flavorid, written_by=written_by)
        changed[:] = [flavor]

    def is_written() -> bool:
        same = Flavor.objects.select_for_update().filter(pk__in=[flavor.pk for flavor in changed])
        return bool(changed) and same.filter(updated_at=changed[0].updated_at).exists()

    write_certainly(write, is_written=is_written)
    return changed[0]


def _find(flavorid: str) -> Flavor:
    flavor = Flavor.objects.promoted().filter(flavorid=flavorid).first()
    if flavor is None:
        raise _not_found(flavorid)
    return flavor


def _is_there(flavor: Flavor) -> bool:
    return Flavor.objects.select_for_update().filter(flavorid=flavor.flavorid, name=flavor.name).exists()


def _not_found(flavorid: str) -> NotFound:
    return NotFound(f"Flavor {flavorid} could not be found.")


def _taken(flavor: Flavor) -> Conflict:
    if Flavor.objects.filter(name_key=Lower(Value(flavor.name))).exists():
        return Conflict(f"Flavor with name {flavor.name} already exists.")
    return Conflict(f"Flavor with ID {flavor.flavorid} already exists.")
