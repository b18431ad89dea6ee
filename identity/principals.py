"""The callers besides local accounts: the bearer of an identity provider's token, and a member of the staff."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import Permission

if TYPE_CHECKING:
    from identity.models import User


@dataclass(frozen=True)
class TokenUser:
    """A user of an identity provider, as their token proves; not stored in the database.

    It has the attributes and the `has_perm` of a Django user, so that one permission rule serves
    both kinds. `owned_nodes` are the names of the nodes that the user owns; `grants` are the roles that the provider
    reports, for display.
    """

    id: str
    username: str
    email: str
    roles: frozenset[str]
    owned_nodes: frozenset[str]
    provider: str = ""
    expires_at: datetime | None = None
    """When the token expires, if the provider says so."""
    grants: tuple[str, ...] = ()
    project_id: str = ""
    """The project that the token is scoped to, if the provider has projects."""

    pk: ClassVar[None] = None
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Say whether the group of one of the roles has the permission `app.codename`.

        As with Django's own groups, there are no permissions on single objects. One query the
        first time, none without a role.
        """
        return obj is None and perm in self.permissions

    @cached_property
    def permissions(self) -> frozenset[str]:
        """All permissions, `app.codename`, of the roles' groups. One query the first time, none without a role."""
        if not self.roles:
            return frozenset()  # an empty filter sends no query, and yet takes as long as a list that is remembered
        permissions = Permission.objects.filter(group__name__in=self.roles).order_by()
        names = permissions.values_list("content_type__app_label", "codename")
        return frozenset(f"{app_label}.{codename}" for app_label, codename in names)


@dataclass(frozen=True)
class StaffMember:
    """A member of the staff at work in the admin site, with the nodes that they may change.

    It has a `TokenUser`'s attributes, so that the same rules apply.
    """

    account: "User"
    owned_nodes: frozenset[str]

    is_authenticated: ClassVar[bool] = True

    def __str__(self) -> str:
        return str(self.account)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether the account has the permission `app.codename`."""
        return self.account.has_perm(perm, obj)
