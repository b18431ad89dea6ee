"""Checks of the values in a cloud's response, which refuse what Nova and Keystone would not send.

The values go to the database, JSON, XML and pages, not all of which can hold everything that JSON can. No error repeats
a value: an impostor could have sent anything.
"""

import re
from collections.abc import Mapping
from typing import Any

NAME_LENGTH = 255
DESCRIPTION_LENGTH = 65535
LARGEST_NUMBER = 2**31 - 1
LARGEST_FACTOR = 3.40282e38  # Nova's own: that of a FLOAT

# Control characters, halves of surrogate pairs, and noncharacters. Nova accepts none of them in names; in descriptions
# it accepts line breaks and tabs. In extra specs it accepts all but halves of surrogate pairs: we take of these line
# breaks and tabs, since the others could move a terminal's cursor or end a text.
_ODD = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_ODD_IN_LINES, _ODD_IN_LINE = re.compile(f"[{_ODD}]"), re.compile(rf"[{_ODD}\t\n\r\u2028\u2029]")


def line(value: object, what: str, *, longest: int = NAME_LENGTH, shortest: int = 1) -> str:
    """Return *value* if it is one line of text of *shortest* to *longest* characters.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or not shortest <= len(value) <= longest or not _is_sound(value, _ODD_IN_LINE):
        raise ValueError(f"{what} is no text of {shortest} to {longest} characters in one line")
    return value


def lines(value: object, what: str, *, longest: int = DESCRIPTION_LENGTH) -> str:
    """Return *value* if it is text of at most *longest* characters, in one or more lines.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or len(value) > longest or not _is_sound(value, _ODD_IN_LINES):
        raise ValueError(f"{what} is no text of at most {longest} characters")
    return value


def is_plain(text: str) -> bool:
    """Say whether a text holds no control characters but line breaks and tabs, and nothing that cannot be encoded."""
    return _is_sound(text, _ODD_IN_LINES)


def _is_sound(text: str, odd: re.Pattern[str]) -> bool:
    return text.isprintable() or not odd.search(text)  # the former is quicker, and enough for almost all texts


def whole(value: object, what: str) -> int:
    """Return *value* if it is an integer that Nova can store.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        raise ValueError(f"{what} is no integer from 0 to {LARGEST_NUMBER}")
    return value


def factor(value: object, what: str) -> float:
    """Return *value* if it is a positive number that Nova can store.

    Raises:
        ValueError: it is not.
    """
    if type(value) not in (int, float) or not 0 < value <= LARGEST_FACTOR:  # type: ignore[operator]
        raise ValueError(f"{what} is no positive number")  # NaN is not
    return float(value)  # type: ignore[arg-type]


def truth(value: object, what: str) -> bool:
    """Return *value* if it is true or false.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{what} is neither true nor false")
    return value


def members(value: object, what: str) -> Mapping[str, Any]:
    """Return *value* if it is an object.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def items(value: object, what: str) -> list[Any]:
    """Return *value* if it is a list.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, list):
        raise ValueError(f"{what} is no list")
    return value


def extra_specs(value: object) -> dict[str, str]:
    """Return *value* if it is a flavor's extra specs, which are text.

    Raises:
        ValueError: it is not.
    """
    specs = members(value, "extra_specs")
    return {_key(key): lines(spec, "an extra spec", longest=NAME_LENGTH) for key, spec in specs.items()}


def flavorid(value: object) -> str:
    """Return *value* if it is the id of a flavor.

    Raises:
        ValueError: it is not.
    """
    return _ended(value, "id")


def _key(value: object) -> str:
    return _ended(value, "the key of an extra spec")


def _ended(value: object, what: str) -> str:
    """Return *value* if it is one line of text, perhaps with its end, which the patterns of Nova's schemas let pass."""
    line(value.removesuffix("\n") if isinstance(value, str) else value, what)
    return str(value)
