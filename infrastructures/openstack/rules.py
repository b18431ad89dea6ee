"""What names and ids must be like so that Nova accepts them and its API can say them."""

import re
import unicodedata

# Nova keeps the numbers of a flavor in signed columns of 32 bits.
MAX_INTEGER = 2**31 - 1
MAX_NAME_LENGTH = 255
FLAVOR_ID = re.compile(r"[a-zA-Z0-9. _-]+")
# Ids that Nova gives out but that the paths of its own API cannot say
UNREACHABLE_IDS = (".", "..", "detail")


def refusal_of_name(name: str) -> str:
    """Return what is wrong with a name, "" when it is 1 to 255 printable characters without a space at either end.

    Printable is what Nova's parameter type `name` takes (nova.api.validation.parameter_types): every
    character of Unicode's first plane but controls, formats, unassigned ones, and separators of
    lines and paragraphs.
    """
    for character in name:
        if not _is_printable(character):
            return f"must not hold the character U+{ord(character):04X}: printable characters only"
    if name and "Zs" in (unicodedata.category(name[0]), unicodedata.category(name[-1])):
        return "must not begin or end with a space"
    return _refusal_of_length(name)


def refusal_of_flavorid(flavorid: str) -> str:
    """Return what is wrong with the id of a flavor, "" when Nova accepts it (API reference, "Create Flavor")."""
    if flavorid and not FLAVOR_ID.fullmatch(flavorid):
        return "may hold letters (a to z), digits, '.', '_', '-' and inner spaces only"
    if flavorid != flavorid.strip(" "):
        return "must not begin or end with a space"
    if flavorid in UNREACHABLE_IDS:
        return f"must not be {flavorid}, which no path of the API can say"
    return _refusal_of_length(flavorid)


def can_be_said(flavorid: str) -> bool:
    """Say whether Nova's paths can name a flavor of this id, which may be one that it would not accept."""
    return bool(FLAVOR_ID.fullmatch(flavorid)) and len(flavorid) <= MAX_NAME_LENGTH and flavorid not in UNREACHABLE_IDS


def _refusal_of_length(text: str) -> str:
    if not text:
        return "must not be empty"
    return f"must not be longer than {MAX_NAME_LENGTH} characters" if len(text) > MAX_NAME_LENGTH else ""


def _is_printable(character: str) -> bool:
    category = unicodedata.category(character)
    return character <= "\uffff" and not category.startswith("C") and category not in {"Zl", "Zp"}
