"""How the state of a flavor in a node is shown."""

from dataclasses import dataclass

from flavors.catalogue.states import CHANGED, RECORDED, UNRECORDED
from flavors.models import Sighting

State = Sighting.State


@dataclass(frozen=True)
class Look:
    """How a state is shown: by a mark, a colour and words."""

    mark: str
    colour: str
    words: str


LOOKS = {
    State.IN_SYNC.value: Look("✓", "good", "in sync"),
    State.MISSING.value: Look("+", "missing", "missing"),
    State.DIFFERENT.value: Look("≠", "differs", "different"),
    State.OTHER_ID.value: Look("≈", "missing", "there under another id"),
    State.NAME_TAKEN.value: Look("!", "differs", "its name is taken"),
    CHANGED: Look("Δ", "changed", "changed since"),
    State.UNREACHABLE.value: Look("?", "unknown", "unreachable"),
    RECORDED: Look("•", "unknown", "installed, not compared"),
    UNRECORDED: Look("·", "blank", "not installed, not compared"),
}
