"""Reading an identity provider's JSON: whatever does not have the documented shape counts as missing."""

from typing import Any

# The length of a user's name wherever the database records who did something.
MAX_NAME_LENGTH = 255

Document = dict[str, Any]


def part(document: Document, member: str) -> Document:
    """Return a member that is an object; an empty object if there is none."""
    value = document.get(member)
    return value if isinstance(value, dict) else {}


def objects(document: Document, member: str) -> list[Document]:
    """Return the objects in a member that is a list."""
    values = document.get(member)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def names(document: Document, member: str) -> list[str]:
    """Return the names of the objects in a member that is a list, "" for each without a name."""
    return [text(value, "name") for value in objects(document, member)]


def text(document: Document, member: str) -> str:
    """Return a member that is a string; "" if there is none."""
    value = document.get(member)
    return value if isinstance(value, str) else ""


def shown(name: str) -> str:
    """Return a provider's name, shortened and made printable, so that it can be logged, stored and shown."""
    return "".join(character if character.isprintable() else "\ufffd" for character in name[:MAX_NAME_LENGTH])


def is_unicode(value: str) -> bool:
    """Say whether a database can compare it: JSON can hold a lone surrogate, which cannot be encoded."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
