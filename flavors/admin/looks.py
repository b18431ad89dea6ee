"""How the state of a flavor in a node is shown."""

from dataclasses import dataclass
from functools import cached_property
from html import escape

from django.utils.safestring import SafeString, mark_safe

from flavors.catalogue.states import CHANGED, RECORDED, UNRECORDED
from flavors.models import Sighting

State = Sighting.State


def as_html(text: str) -> str:
    """Return a text as HTML in ASCII: strings of wider characters take twice the time to put together."""
    html = escape(text)
    return html if html.isascii() else html.encode("ascii", "xmlcharrefreplace").decode("ascii")


@dataclass(frozen=True)
class Look:
    """How a state is told: by a mark, a colour and words."""

    mark: str
    colour: str
    words: str

    @cached_property
    def html(self) -> SafeString:
        """Return the mark as HTML."""
        return mark_safe(as_html(self.mark))  # noqa: S308 — it is escaped


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
