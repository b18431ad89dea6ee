"""Filters of the clouds, named as people say them."""

from typing import TYPE_CHECKING, Self

from django.db import models

from identity.callers import Caller

if TYPE_CHECKING:
    from infrastructures.models import Infrastructure, Replacement  # noqa: F401


class InfrastructureQuerySet(models.QuerySet["Infrastructure"]):
    """The clouds that are known."""

    def operated_by(self, user: Caller) -> Self:
        """Return those whose operator *user* is.

        A user of the IdM operates the nodes of the organizations that made them an owner, a local
        account those that name it among their operators, and nobody else any.
        """
        if not user.is_authenticated:
            return self.none()
        owned_nodes = getattr(user, "owned_nodes", None)
        return self.filter(operators=user) if owned_nodes is None else self.filter(name__in=owned_nodes)

    def usable_by(self, user: Caller, *, all_with: str) -> Self:
        """Return all to whoever has the permission *all_with*, and to others those that they operate."""
        return self.all() if user.has_perm(all_with) else self.operated_by(user)

    def with_credentials(self) -> Self:
        """Return those that we can enter by ourselves."""
        return self.exclude(encrypted_password="")


class ReplacementQuerySet(models.QuerySet["Replacement"]):
    """The flavors that clouds are asked to change, or were asked to."""

    def wanting_nothing(self) -> Self:
        """Return those of deletions, and of creations that are under way or have failed."""
        return self.filter(goal="nil")
