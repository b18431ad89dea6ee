"""How the state of a flavor in a node is shown, and where."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

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
    State.IGNORED.value: Look("∅", "unknown", "ignored"),
    CHANGED: Look("Δ", "changed", "changed since"),
    State.UNREACHABLE.value: Look("?", "unknown", "unreachable"),
    RECORDED: Look("•", "unknown", "installed, not compared"),
    UNRECORDED: Look("·", "blank", "not installed, not compared"),
}


def address_of_cell(flavorid: str, node: str) -> str:
    """Return the address of the page about a flavor in a node: it names them as the API does."""
    return f"{reverse('admin:flavors_flavor_cell')}?{urlencode({'flavor': flavorid, 'node': node})}"
