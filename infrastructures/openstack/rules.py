"""The rules for names and ids: Nova must accept them, and its API must be able to name them."""

import re
import unicodedata

# Nova stores a flavor's numbers in signed 32-bit columns.
MAX_INTEGER = 2**31 - 1
MAX_NAME_LENGTH = 255
FLAVOR_ID = re.compile(r"[a-zA-Z0-9. _-]+")
# Ids that Nova allows, but that the paths of its own API cannot name
UNREACHABLE_IDS = (".", "..", "detail")


def refusal_of_name(name: str) -> str:
    """Return what is wrong with a name, or "" if it is 1 to 255 printable characters without a space at either end.

    Printable is what Nova's parameter type `name` accepts (nova.api.validation.parameter_types): every
    character of Unicode's first plane except controls, formats, unassigned ones, and separators of
    lines and paragraphs.
    """
    if refusal := refusal_of_characters(name):
        return refusal
    if name and "Zs" in (unicodedata.category(name[0]), unicodedata.category(name[-1])):
        return "must not begin or end with a space"
    return _refusal_of_length(name)


def refusal_of_characters(text: str) -> str:
    """Return what is wrong with the characters of a name or a description, or "" if Nova accepts all of them."""
    for character in text:
        if not _is_printable(character):
            return f"must not hold the character U+{ord(character):04X}: printable characters only"
    return ""


def refusal_of_flavorid(flavorid: str) -> str:
    """Return what is wrong with a flavor's id, or "" if Nova accepts it (API reference, "Create Flavor")."""
    if flavorid and not FLAVOR_ID.fullmatch(flavorid):
        return "may hold only letters (a to z), digits, '.', '_', '-' and inner spaces"
    if flavorid != flavorid.strip(" "):
        return "must not begin or end with a space"
    if flavorid in UNREACHABLE_IDS:
        return f"must not be {flavorid}, which no path of the API can name"
    return _refusal_of_length(flavorid)


def can_be_said(flavorid: str) -> bool:
    """Say whether Nova's paths can name a flavor with this id, even if Nova would not accept the id."""
    return bool(FLAVOR_ID.fullmatch(flavorid)) and len(flavorid) <= MAX_NAME_LENGTH and flavorid not in UNREACHABLE_IDS


def _refusal_of_length(text: str) -> str:
    if not text:
        return "must not be empty"
    return f"must not be longer than {MAX_NAME_LENGTH} characters" if len(text) > MAX_NAME_LENGTH else ""


def _is_printable(character: str) -> bool:
    category = unicodedata.category(character)
    return character <= "\uffff" and not category.startswith("C") and category not in {"Zl", "Zp"}
