"""The runs in the admin site, and the pages of the flavors that compare and synchronise nodes."""

from synchronisation.admin.flavors import SynchronisedFlavorAdmin
from synchronisation.admin.removals import RemovalAdmin
from synchronisation.admin.runs import SyncRunAdmin

__all__ = ["RemovalAdmin", "SyncRunAdmin", "SynchronisedFlavorAdmin"]
