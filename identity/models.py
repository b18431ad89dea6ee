"""Local accounts, and whom the history names of those whom an identity provider knows.

Users of the API by token are not stored: see `identity.principals`.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from identity.principals import TokenUser

RIGHTS_ARE_ELSEWHERE = "Whoever an identity provider knows has the rights that it gives, no others."


class User(AbstractUser):
    """A local account: an operator with a name and a password, or a member of the staff.

    Or the row of somebody who has signed in to the pages with an identity provider: without a password and without
    rights of its own, found again by `external_id`, which is the provider's name and its id for them.
    """

    external_id = models.CharField(max_length=255, null=True, blank=True, unique=True, editable=False)

    class Meta(AbstractUser.Meta):
        ordering = ("username",)
        constraints = (
            models.CheckConstraint(
                name="identity_user_known_elsewhere_has_no_rights_here",
                condition=Q(external_id=None) | Q(is_staff=False, is_superuser=False),
                violation_error_message=RIGHTS_ARE_ELSEWHERE,
            ),
        )

    def clean(self) -> None:
        """Refuse rights to a person of a provider's, also in forms, which leave out what they do not show."""
        super().clean()
        if self.external_id is not None and (self.is_staff or self.is_superuser):
            raise ValidationError(RIGHTS_ARE_ELSEWHERE)


class SignedIn(User):
    """Somebody whom an identity provider knows, at work in the pages.

    They have the roles, nodes and permissions of their tokens, as over the API, and no others, whatever their row in
    the database says; without a bearer none at all.
    """

    bearer: TokenUser | None = None

    class Meta:
        proxy = True
        default_permissions = ()

    @property
    def provider(self) -> str:
        """The name of the provider that knows them."""
        return (self.external_id or "").partition(":")[0]

    @property
    def owned_nodes(self) -> frozenset[str]:
        """The names of the nodes that they are an owner of."""
        return self.bearer.owned_nodes if self.bearer else frozenset()

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        """Return all their permissions, `app.codename`. One query the first time."""
        return set(self.bearer.permissions) if self.bearer and self.is_active and obj is None else set()

    def get_group_permissions(self, obj: Any = None) -> set[str]:
        """Return all their permissions: they have them by their roles."""
        return self.get_all_permissions(obj)

    def get_user_permissions(self, obj: Any = None) -> set[str]:
        """Return nothing: none are their own."""
        return set()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether one of their roles has the permission `app.codename`."""
        return perm in self.get_all_permissions(obj)

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        """Say whether they have all of these."""
        return set(perm_list) <= self.get_all_permissions(obj)

    def has_module_perms(self, app_label: str) -> bool:
        """Say whether they have any permission of an app."""
        return any(perm.startswith(f"{app_label}.") for perm in self.get_all_permissions())
