"""The contents of the benchmarks' catalogues."""

from typing import Any

ACCOUNT = ("benchmark", "a password of the benchmark")
PREFIX = "fiware.flavor."


def flavor_values(number: int) -> dict[str, Any]:
    """Return the values of one of the flavors."""
    return {
        "flavorid": f"00000000-0000-4000-8000-{number:012}",
        "name": f"{PREFIX}{number:06}",
        "vcpus": number % 64 + 1,
        "ram": 1024,
        "disk": 20,
    }
