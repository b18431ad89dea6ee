"""What there is to say of a flavor in a node, by what was last seen of it."""

from flavors.models import Sighting

State = Sighting.State

# What there is to say of a flavor that was never seen there: by the catalogue's own record
RECORDED = "recorded"
UNRECORDED = "unrecorded"
# It was seen there, and the catalogue's flavor is another one since
CHANGED = "changed"


def state_now(state: str, digest: str, current: str) -> str:
    """Return what is left of a state that was seen when the catalogue's flavor had this digest.

    What is missing is missing, whatever it should be like.
    """
    return state if digest == current or state == State.MISSING else CHANGED
