"""The rules for a flavor's values, as Nova has them; the API's fields use them, too."""

import re

from django.core.exceptions import ValidationError

from infrastructures.openstack import shapes
from infrastructures.openstack.rules import refusal_of_flavorid, refusal_of_name

_KEY = re.compile(r"[a-zA-Z0-9_:. -]{1,255}")
MAX_VALUE_LENGTH = 255


def validate_name(name: str) -> None:
    """Check a flavor's name.

    Raises:
        ValidationError: Nova would not accept it.
    """
    _refuse(refusal_of_name(name))


def validate_flavorid(flavorid: str) -> None:
    """Check a flavor's id.

    Raises:
        ValidationError: Nova would not accept it, or no path of the API can name it.
    """
    _refuse(refusal_of_flavorid(flavorid))


def validate_extra_specs(extra_specs: object) -> None:
    """Check extra specs: an object whose values are strings (Compute API reference, "Create extra specs").

    Raises:
        ValidationError: Nova would not accept them, or we would not accept them from a Nova.
    """
    if not isinstance(extra_specs, dict):
        raise ValidationError("must be an object of keys and values")
    for key, value in extra_specs.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ValidationError(f"the key {key!r} may hold only letters, digits, '_', '-', ':', '.' and spaces")
        if not isinstance(value, str) or len(value) > MAX_VALUE_LENGTH:
            raise ValidationError(f"the value of {key} must be a string of at most {MAX_VALUE_LENGTH} characters")
        # JSON can hold half of a surrogate pair (`"\ud800"`), which neither a database's text nor a cloud can.
        if not shapes.is_plain(value):
            raise ValidationError(f"the value of {key} must hold no control characters but line breaks and tabs")


def validate_rxtx_factor(factor: float) -> None:
    """Check an RX/TX factor.

    Raises:
        ValidationError: it is not above zero.
    """
    if not factor > 0:
        raise ValidationError("must be greater than 0")


def _refuse(refusal: str) -> None:
    if refusal:
        raise ValidationError(refusal)
