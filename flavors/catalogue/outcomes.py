"""What came of a flavor, or of another row: the words of whatever takes many into the catalogue or into a cloud."""

from enum import StrEnum


class Came(StrEnum):
    """What came of one row: the same words in every command, in its last line and in its JSON."""

    CREATED = "created"
    UPDATED = "updated"
    PUBLISHED = "published"
    """A cloud's flavor is new in the catalogue."""
    ADOPTED = "adopted"
    """It was there with the same values, and is now recorded there, too."""
    KNOWN = "known"
    """It was there, with the same values, and was recorded there: nothing changed."""
    LEFT_OUT = "left out"
    """It does not belong into the catalogue unless it is named."""
    REFUSED = "refused"
    """It could not be taken; the reason is told."""
    FAILED = "failed"
    """The cloud failed."""

    def in_words(self, *, dry_run: bool) -> str:
        """Return the outcome as it was, or as it would be: "created", or "to be created"."""
        changes = self in {Came.CREATED, Came.UPDATED, Came.PUBLISHED, Came.ADOPTED}
        return f"to be {self}" if dry_run and changes else str(self)
