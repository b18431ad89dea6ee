"""Microversions in the headers of requests and responses.

Source: Compute API guide, "Microversions"; `nova.api.openstack.wsgi.Request.set_api_version_request`.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from rest_framework.exceptions import APIException, ParseError

HEADER, OLD_HEADER = "OpenStack-API-Version", "X-OpenStack-Nova-API-Version"
SERVICE = "compute"
_VERSION = re.compile(r"([1-9]\d{0,8})\.([1-9]\d{0,8}|0)")


class Microversion(NamedTuple):
    """A microversion of the Compute API, such as 2.96."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse a microversion.

        Raises:
            ParseError: it is malformed.
        """
        match = _VERSION.fullmatch(text)
        if not match:
            raise ParseError(f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.")
        return cls(int(match[1]), int(match[2]))


LOWEST, HIGHEST = Microversion(2, 1), Microversion(2, 96)

# The microversions that change flavors (Compute API guide, "REST API Version History")
ACCESS_OF_PUBLIC_FLAVORS_REFUSED = Microversion(2, 7)
DESCRIPTIONS = Microversion(2, 55)
EXTRA_SPECS_IN_FLAVORS = Microversion(2, 61)
STRICT_PARAMETERS = SWAP_IS_A_NUMBER = Microversion(2, 75)
EXTRA_SPECS_ARE_VALIDATED = Microversion(2, 86)


class VersionNotSupported(APIException):
    """406: the microversion is not supported."""

    status_code = 406
    default_code = "version_not_supported"


def asked_for(headers: Mapping[str, str], *, highest: Microversion = HIGHEST) -> Microversion:
    """Return the microversion that a request's headers ask for, the lowest if they ask for none.

    Raises:
        ParseError: it is malformed.
    """
    text = _in_header(headers.get(HEADER, "")) or headers.get(OLD_HEADER, "").strip()
    if not text:
        return LOWEST
    if text == "latest":
        return highest
    return Microversion.read(text)


def require_supported(version: Microversion, *, highest: Microversion = HIGHEST) -> None:
    """Require that a microversion is between the lowest and *highest*.

    Raises:
        VersionNotSupported: it is not.
    """
    if not LOWEST <= version <= highest:
        raise VersionNotSupported(
            f"Version {version} is not supported by the API. Minimum is {LOWEST} and maximum is {highest}."
        )


def headers_of(version: Microversion) -> dict[str, str]:
    """Return the headers that name a response's microversion, without `Vary`."""
    return {HEADER: f"{SERVICE} {version}", OLD_HEADER: str(version)}


def _in_header(header: str) -> str:
    """Return the version that the header asks of the compute service; if there are several, the last."""
    asked = ""
    for part in header.split(","):
        service, _, version = part.strip().partition(" ")
        if service.lower() == SERVICE:
            asked = version.strip()
    return asked
