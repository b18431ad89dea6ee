"""What a query says, read alike everywhere."""

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": None}


def flag(request: Request, name: str) -> bool | None:
    """Return what a flag asks for; a bare one, as `?public`, asks for nothing.

    Raises:
        ValidationError: it is neither true nor false.
    """
    text = request.query_params.get(name, "")
    if text.lower() not in FLAGS:
        raise ValidationError({name: ["must be true or false"]})
    return FLAGS[text.lower()]


def choices(request: Request, name: str) -> list[str]:
    """Return what a parameter that may be given several times names, each once; a bare one names nothing."""
    return [value for value in dict.fromkeys(request.query_params.getlist(name)) if value]
