"""Filters of the catalogue, named as people say them."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Self

from django.db import models

from flavors.scs.names import PREFIX
from flavors.scs.standard import NAME

if TYPE_CHECKING:
    from flavors.models import Flavor  # noqa: F401


class FlavorQuerySet(models.QuerySet["Flavor"]):
    """The flavors of the catalogue."""

    def promoted(self) -> Self:
        """Return those that should exist in every node."""
        return self.filter(promoted=True)

    def wanted_in_nodes(self) -> Self:
        """Return those that are brought to every node: the promoted ones, but for those that are being retired."""
        return self.promoted().filter(retirement__begun_at__isnull=True)

    def published(self) -> Self:
        """Return those that everybody sees."""
        return self.filter(public=True)

    def about_scs(self) -> Self:
        """Return those that the standards of the Sovereign Cloud Stack are about: by their name, or an extra spec."""
        return self.filter(models.Q(name__startswith=PREFIX) | models.Q(extra_specs__has_key=NAME))

    def chosen(self, flavorids: Collection[str]) -> Self:
        """Return those with these ids, or all if no id is named."""
        return self.filter(flavorid__in=flavorids) if flavorids else self

    def in_state(self, *, promoted: bool | None, node: str | None) -> Self:
        """Return those that are promoted, or are not, and that a node has; None does not filter."""
        flavors = self if promoted is None else self.filter(promoted=promoted)
        return flavors if node is None else flavors.filter(installations__infrastructure__name=node)

    def with_nodes(self) -> Self:
        """Also fetch the nodes of each: two more queries, however many flavors."""
        return self.prefetch_related("installations__infrastructure")
