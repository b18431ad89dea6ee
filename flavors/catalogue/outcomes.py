"""Outcomes of bulk operations: the words for what happened to each flavor, or other row."""

from enum import StrEnum


class Came(StrEnum):
    """The outcome of one row: the same words in every command, in its last line and in its JSON."""

    CREATED = "created"
    UPDATED = "updated"
    PUBLISHED = "published"
    """A cloud's flavor is new in the catalogue."""
    ADOPTED = "adopted"
    """It was there with the same values, and is now recorded there, too."""
    KNOWN = "known"
    """It was there with the same values, and already recorded there: nothing changed."""
    LEFT_OUT = "left out"
    """It does not belong in the catalogue unless it is named."""
    REFUSED = "refused"
    """It could not be accepted; the reason is given."""
    FAILED = "failed"
    """The cloud failed."""

    def in_words(self, *, dry_run: bool) -> str:
        """Return the actual outcome, or that of a dry run: "created", or "to be created"."""
        changes = self in {Came.CREATED, Came.UPDATED, Came.PUBLISHED, Came.ADOPTED}
        return f"to be {self}" if dry_run and changes else str(self)
