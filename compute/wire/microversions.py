"""Which microversion a request asks for, and in which headers that is told.

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
        """Return the microversion that is written like this.

        Raises:
            ParseError: none is.
        """
        match = _VERSION.fullmatch(text)
        if not match:
            raise ParseError(f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.")
        return cls(int(match[1]), int(match[2]))


LOWEST, HIGHEST = Microversion(2, 1), Microversion(2, 96)

# What changes flavors (Compute API guide, "REST API Version History")
ACCESS_OF_PUBLIC_FLAVORS_REFUSED = Microversion(2, 7)
DESCRIPTIONS = Microversion(2, 55)
EXTRA_SPECS_IN_FLAVORS = Microversion(2, 61)
STRICT_PARAMETERS = SWAP_IS_A_NUMBER = Microversion(2, 75)
EXTRA_SPECS_ARE_VALIDATED = Microversion(2, 86)


class VersionNotSupported(APIException):
    """406: the microversion is none that is spoken here."""

    status_code = 406
    default_code = "version_not_supported"


def asked_for(headers: Mapping[str, str], *, highest: Microversion = HIGHEST) -> Microversion:
    """Return the microversion, up to *highest*, that a request's headers ask for, the lowest when they ask for none.

    Raises:
        ParseError: it is malformed.
        VersionNotSupported: it is not spoken here.
    """
    text = _in_header(headers.get(HEADER, "")) or headers.get(OLD_HEADER, "").strip()
    if not text:
        return LOWEST
    if text == "latest":
        return highest
    version = Microversion.read(text)
    if not LOWEST <= version <= highest:
        raise VersionNotSupported(
            f"Version {version} is not supported by the API. Minimum is {LOWEST} and maximum is {highest}."
        )
    return version


def headers_of(version: Microversion) -> dict[str, str]:
    """Return the headers that tell which microversion an answer is in, but for `Vary`."""
    return {HEADER: f"{SERVICE} {version}", OLD_HEADER: str(version)}


def _in_header(header: str) -> str:
    """Return what the header asks of the compute service, the last where it does so twice."""
    asked = ""
    for part in header.lower().split(","):
        service, _, version = part.strip().partition(" ")
        if service == SERVICE:
            asked = version.strip()
    return asked
