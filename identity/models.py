"""Local accounts, and a row for each user who signs in to the pages with an identity provider.

Users who call the API with a token are not stored: see `identity.principals`.
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

    Or the row of a user who has signed in to the pages with an identity provider: without a password or rights of its
    own, and identified by `external_id`, which is the provider's name and the user's id there.
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
        """Refuse rights to a provider's user. Forms need this: they skip constraints on fields they do not show."""
        super().clean()
        if self.external_id is not None and (self.is_staff or self.is_superuser):
            raise ValidationError(RIGHTS_ARE_ELSEWHERE)


class SignedIn(User):
    """A user of an identity provider, signed in to the pages.

    They have exactly the roles, nodes and permissions of their tokens, as over the API, whatever their row in the
    database says; without a bearer they have none.
    """

    bearer: TokenUser | None = None

    class Meta:
        proxy = True
        default_permissions = ()

    @property
    def provider(self) -> str:
        """The name of the user's provider."""
        return (self.external_id or "").partition(":")[0]

    @property
    def owned_nodes(self) -> frozenset[str]:
        """The names of the nodes that the user owns."""
        return self.bearer.owned_nodes if self.bearer else frozenset()

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        """Return all the user's permissions, `app.codename`. One query the first time."""
        return set(self.bearer.permissions) if self.bearer and self.is_active and obj is None else set()

    def get_group_permissions(self, obj: Any = None) -> set[str]:
        """Return all the user's permissions: all come from roles."""
        return self.get_all_permissions(obj)

    def get_user_permissions(self, obj: Any = None) -> set[str]:
        """Return an empty set: no permission is the user's own."""
        return set()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether one of the user's roles has the permission `app.codename`."""
        return perm in self.get_all_permissions(obj)

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        """Say whether the user has all of these permissions."""
        return set(perm_list) <= self.get_all_permissions(obj)

    def has_module_perms(self, app_label: str) -> bool:
        """Say whether the user has any permission of an app."""
        return any(perm.startswith(f"{app_label}.") for perm in self.get_all_permissions())
