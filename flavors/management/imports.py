"""How commands report imported flavors."""

from flavors.catalogue.importing import Import
from flavors.catalogue.outcomes import Came


def as_document(taken: Import) -> dict[str, str]:
    """Return an outcome for JSON."""
    return {"id": taken.flavorid, "name": taken.name, "outcome": taken.outcome, "reason": taken.reason}


def in_words(taken: Import, *, dry_run: bool) -> str:
    """Return an outcome as one line."""
    words = {
        Came.ADOPTED: "in the catalogue, and to be recorded here, too"
        if dry_run
        else "in the catalogue, now here, too",
        Came.KNOWN: "already in the catalogue",
    }
    reason = f": {taken.reason}" if taken.reason else "."
    said = words.get(taken.outcome, taken.outcome.in_words(dry_run=dry_run))
    return f"{taken.name} ({taken.flavorid or 'no id'}): {said}{reason}"
