"""The catalogue in the admin site, and the pages that the staff has on top of it."""

from flavors.admin.flavors import FlavorAdmin
from flavors.admin.runs import SyncRunAdmin

__all__ = ["FlavorAdmin", "SyncRunAdmin"]
