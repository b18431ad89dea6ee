"""Filters of the clouds and of the journal."""

from typing import TYPE_CHECKING, Self

from django.db import models

from identity.callers import Caller

if TYPE_CHECKING:
    from infrastructures.models import Infrastructure, Replacement  # noqa: F401


class InfrastructureQuerySet(models.QuerySet["Infrastructure"]):
    """The registered clouds."""

    def operated_by(self, user: Caller) -> Self:
        """Return those that *user* operates.

        A user of an identity provider operates the nodes that they own, a local account those that name it
        among their operators. Everybody else operates none.
        """
        if not user.is_authenticated:
            return self.none()
        owned_nodes = getattr(user, "owned_nodes", None)
        return self.filter(operators=user) if owned_nodes is None else self.filter(name__in=owned_nodes)

    def usable_by(self, user: Caller, *, all_with: str) -> Self:
        """Return all if *user* has the permission *all_with*, else those that *user* operates."""
        return self.all() if user.has_perm(all_with) else self.operated_by(user)

    def with_credentials(self) -> Self:
        """Return those that we hold credentials for."""
        return self.exclude(encrypted_password="")


class ReplacementQuerySet(models.QuerySet["Replacement"]):
    """Changes of flavors in clouds that are not over yet."""

    def wanting_nothing(self) -> Self:
        """Return those without a goal: deletions, and creations that are under way or have failed."""
        return self.filter(goal="nil")
