"""What a member of the staff may do with flavors, in the catalogue and in nodes."""

from typing import Any

from django.http import HttpRequest

from flavors.permissions import PROMOTE
from identity.callers import Caller
from identity.principals import StaffMember
from infrastructures.models import Infrastructure
from infrastructures.querysets import InfrastructureQuerySet
from infrastructures.registration import REGISTER

VIEW = "flavors.view_flavor"
ADD = "flavors.add_flavor"
CHANGE = "flavors.change_flavor"
MANAGE_NODES = "infrastructures.change_infrastructure"

__all__ = ["ADD", "CHANGE", "MANAGE_NODES", "PROMOTE", "VIEW", "at_work", "may_install", "nodes_of"]


def may_install(user: Caller) -> bool:
    """Say whether *user* may publish and install in `nodes_of`: the staff, and operators as over the API."""
    return bool(user.has_perm(CHANGE) or user.has_perm(REGISTER))


def nodes_of(user: Caller) -> InfrastructureQuerySet:
    """Return the nodes that we hold credentials for, and that *user* may change.

    Those are all of them for users who may change infrastructures, else those that *user* operates.
    """
    return Infrastructure.objects.with_credentials().usable_by(user, all_with=MANAGE_NODES)


def at_work(request: HttpRequest) -> StaffMember:
    """Return the signed-in user as services expect them. Cost: one query."""
    user: Any = request.user
    return StaffMember(account=user, owned_nodes=frozenset(nodes_of(user).values_list("name", flat=True)))
