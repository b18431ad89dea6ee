"""The state of a flavor in a node, judged by what was last seen of it."""

from flavors.models import Sighting

State = Sighting.State

# Never seen there; the catalogue's record says whether it is installed
RECORDED = "recorded"
UNRECORDED = "unrecorded"
# Seen there, but the flavor has changed in the catalogue since
CHANGED = "changed"


def state_now(state: str, digest: str, current: str) -> str:
    """Return what still holds of a state that was seen when the catalogue's flavor had this *digest*.

    A missing flavor stays missing, however it has changed.
    """
    return state if digest == current or state == State.MISSING else CHANGED
