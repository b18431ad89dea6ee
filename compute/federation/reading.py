"""The flavors of the federation's OpenStack face: the promoted flavors, read from the catalogue."""

from django.db.models import Q
from rest_framework.exceptions import NotFound, ParseError

from compute.wire.parameters import ListParameters
from flavors.models import Flavor, Grant
from flavors.permissions import PROMOTE
from flavors.querysets import FlavorQuerySet
from identity.callers import Caller
from identity.principals import TokenUser


def sees_all(user: Caller) -> bool:
    """Say whether *user* may see and change all flavors, as an administrator may in Nova."""
    return bool(user.has_perm(PROMOTE))


def list_flavors(*, user: Caller, sees_all: bool, parameters: ListParameters) -> list[Flavor]:
    """Return the requested page of the flavors that *user* sees: with *sees_all*, all promoted ones.

    Raises:
        ParseError: the marker is not the id of a visible flavor.

    Cost: one query, two with a marker.
    """
    flavors = _visible_flavors(user, sees_all=sees_all)
    page = _after(flavors, parameters) if parameters.marker is not None else flavors
    if parameters.least_ram is not None:
        page = page.filter(ram__gte=parameters.least_ram)
    if parameters.least_disk is not None:
        page = page.filter(disk__gte=parameters.least_disk)
    if parameters.is_public is not None:
        page = page.filter(_open_to(user) if parameters.is_public else Q(is_public=False))
    sign = "-" if parameters.descending else ""
    # The primary key breaks ties, as in Nova.
    return list(page.order_by(f"{sign}{parameters.sort_by}", f"{sign}pk")[: parameters.limit])


def find_flavor(*, user: Caller, flavorid: str) -> Flavor:
    """Return the flavor with this id, if *user* sees it. Cost: one query, and those of `sees_all`.

    Raises:
        NotFound: there is none.
    """
    flavor = _visible_flavors(user, sees_all=sees_all(user)).filter(flavorid=flavorid).first()
    if flavor is None:
        raise NotFound(f"Flavor {flavorid} could not be found.")
    return flavor


def extra_spec_of(flavor: Flavor, key: str) -> str:
    """Return the value of an extra spec.

    Raises:
        NotFound: the flavor has no extra spec with this key.
    """
    value: str | None = flavor.extra_specs.get(key)
    if value is None:
        raise NotFound(f"Flavor {flavor.flavorid} has no extra specs with key {key}.")
    return value


def access_list_of(flavor: Flavor) -> list[str]:
    """Return the projects on a flavor's access list. Cost: one query.

    Raises:
        NotFound: it is open to every project, and so has no access list.
    """
    if flavor.is_public:
        raise NotFound("Access list not available for public flavors.")
    return granted_projects(flavor)


def granted_projects(flavor: Flavor) -> list[str]:
    """Return the projects to which a flavor's grants give access. Cost: one query."""
    return list(flavor.grants.filter(revoked=False).values_list("project", flat=True))


def project_of(user: Caller) -> str:
    """Return the project that the caller's token is scoped to, "" if none."""
    return user.project_id if isinstance(user, TokenUser) else ""


def _visible_flavors(user: Caller, *, sees_all: bool) -> FlavorQuerySet:
    promoted = Flavor.objects.promoted()
    return promoted if sees_all else promoted.filter(_open_to(user))


def _open_to(user: Caller) -> Q:
    """Return a filter for the flavors open to every project or to the project of the caller's token."""
    project = project_of(user)
    if not project:
        return Q(is_public=True)
    # No join: that would repeat a public flavor for each of its grants.
    return Q(is_public=True) | Q(pk__in=Grant.objects.filter(project=project, revoked=False).values("flavor"))


def _after(flavors: FlavorQuerySet, parameters: ListParameters) -> FlavorQuerySet:
    last = flavors.filter(flavorid=parameters.marker).first()
    if last is None:
        raise ParseError(f"marker [{parameters.marker}] not found")
    key, beyond = parameters.sort_by, "lt" if parameters.descending else "gt"
    value = getattr(last, key)
    return flavors.filter(Q(**{f"{key}__{beyond}": value}) | Q(**{key: value, f"pk__{beyond}": last.pk}))
