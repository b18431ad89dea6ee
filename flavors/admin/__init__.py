"""The catalogue in the admin site, and the pages that the staff has on top of it."""

from flavors.admin.flavors import FlavorAdmin

__all__ = ["FlavorAdmin"]
