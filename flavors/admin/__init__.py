"""The catalogue in the admin site."""

from flavors.admin.flavors import FlavorAdmin

__all__ = ["FlavorAdmin"]
