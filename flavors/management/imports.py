"""How commands report imported flavors."""

from flavors.catalogue.importing import Import, Taken


def as_document(taken: Import) -> dict[str, str]:
    """Return an outcome for JSON."""
    return {"id": taken.flavorid, "name": taken.name, "outcome": taken.outcome, "reason": taken.reason}


def in_words(taken: Import, *, dry_run: bool) -> str:
    """Return an outcome as one line."""
    words = {
        Taken.PUBLISHED: "to be published" if dry_run else "published",
        Taken.ADOPTED: "in the catalogue, and to be recorded here, too"
        if dry_run
        else "in the catalogue, now here, too",
        Taken.KNOWN: "already in the catalogue",
        Taken.LEFT_OUT: "left out",
        Taken.REFUSED: "refused",
    }
    reason = f": {taken.reason}" if taken.reason else "."
    return f"{taken.name} ({taken.flavorid or 'no id'}): {words[taken.outcome]}{reason}"
