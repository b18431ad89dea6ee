"""Reading what an identity provider says: whatever does not have the documented shape is as if it were not there."""

from typing import Any

# As much of a user's name as is stored wherever it is written down who did something.
MAX_NAME_LENGTH = 255

Document = dict[str, Any]


def part(document: Document, member: str) -> Document:
    """Return the object that is a member; an empty one where there is none."""
    value = document.get(member)
    return value if isinstance(value, dict) else {}


def objects(document: Document, member: str) -> list[Document]:
    """Return the objects of a list that is a member."""
    values = document.get(member)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def names(document: Document, member: str) -> list[str]:
    """Return the names of the objects of a list that is a member, "" for each without one."""
    return [text(value, "name") for value in objects(document, member)]


def text(document: Document, member: str) -> str:
    """Return the text that is a member; "" where there is none."""
    value = document.get(member)
    return value if isinstance(value, str) else ""


def shown(name: str) -> str:
    """Return a name as it can be logged, stored and shown, whatever a provider takes for one: short, and printable."""
    return "".join(character if character.isprintable() else "\ufffd" for character in name[:MAX_NAME_LENGTH])


def is_unicode(value: str) -> bool:
    """Say whether a database can compare it: JSON can hold half of a character, nothing else can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
