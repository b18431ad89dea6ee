"""What commands say of flavors that were taken into the catalogue."""

from flavors.catalogue.importing import Import, Taken


def as_document(taken: Import) -> dict[str, str]:
    """Return it as JSON has it."""
    return {"id": taken.flavorid, "name": taken.name, "outcome": taken.outcome, "reason": taken.reason}


def in_words(taken: Import, *, dry_run: bool) -> str:
    """Return it as one line."""
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
