"""Known vulnerabilities of what is pinned, from a copy of OSV's advisories: for machines that reach no service.

The copy is a folder with the JSON files of https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip, or that
file. Source: OSV schema 1.7, "affected": a version is affected if it is listed, or in a range of the kind ECOSYSTEM.
"""

import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def pins(files: Iterable[Path]) -> dict[str, str]:
    """Return the versions that requirements files pin, by the packages' names."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return {canonicalize_name(name): version for name, version in PIN.findall(text)}


def vulnerabilities(pinned: dict[str, str], copy: Path) -> tuple[int, list[str]]:
    """Return how many advisories the copy has, and a line for each that is about what is pinned.

    Raises:
        OSError, ValueError: the copy cannot be read, or has no advisories.
    """
    read, found = 0, []
    for advisory in _advisories(copy):
        read += 1
        if "withdrawn" in advisory:
            continue
        for affected in advisory.get("affected", ()):
            package = affected.get("package", {})
            name = canonicalize_name(package.get("name", ""))
            if package.get("ecosystem") == "PyPI" and name in pinned and _is_affected(pinned[name], affected):
                ids = [advisory["id"], *advisory.get("aliases", ())]
                found.append(f"{name} {pinned[name]}: {', '.join(ids)}")
    if not read:
        raise ValueError(f"{copy} has no advisories")
    return read, sorted(set(found))


def _advisories(copy: Path) -> Iterator[dict[str, Any]]:
    if copy.is_dir():
        yield from (json.loads(file.read_bytes()) for file in sorted(copy.rglob("*.json")))
        return
    with zipfile.ZipFile(copy) as archive:
        yield from (json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json"))


def _is_affected(version: str, affected: dict[str, Any]) -> bool:
    if version in affected.get("versions", ()):
        return True
    ranges = (each for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM")
    return any(_is_within(Version(version), each["events"]) for each in ranges)


def _is_within(version: Version, events: Iterable[dict[str, str]]) -> bool:
    """Say whether the last event at or before a version leaves it affected."""
    is_within = False
    for event in events:
        for kind, limit in event.items():
            if kind == "introduced" and (limit == "0" or version >= _parsed(limit)):
                is_within = True
            elif kind == "fixed" and version >= _parsed(limit):
                is_within = False
            if kind == "last_affected" and version > _parsed(limit):
                is_within = False
    return is_within


def _parsed(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise ValueError(f"{text!r} is not a version") from error
