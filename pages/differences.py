"""Differences between the catalogue and a node as pages show them: with units and the pages' labels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flavors.units import readable_gib, readable_mib

EXTRA_SPECS = "extra_specs"
EXTRA_SPEC = f"{EXTRA_SPECS}."
LABELS = {
    "vcpus": "vCPUs",
    "ram": "RAM",
    "swap": "swap",
    "ephemeral": "ephemeral disk",
    "rxtx_factor": "RX/TX factor",
    "is_public": "open to every project",
    "flavorid": "id",
    "access": "projects",
}
# What the line of a new flavor shows anyway
SHOWN_ABOVE = ("flavorid", "name")
CAUSES = {
    "node": "changed in the node",
    "catalogue": "changed in the catalogue",
    "both": "changed in the node and in the catalogue",
}
UNITS = {"ram": readable_mib, "swap": readable_mib, "disk": readable_gib, "ephemeral": readable_gib}


@dataclass(frozen=True)
class Told:
    """A value that differs: its label, the catalogue's value, the node's, and what has changed, if that is known."""

    label: str
    is_code: bool
    catalogue: str
    node: str
    cause: str


def told(differences: Iterable[Mapping[str, Any]] | None) -> list[Told]:
    """Return the differences of a sighting or outcome in the form that pages show."""
    return [
        _told(each["member"], each.get("catalogue"), each.get("node"), CAUSES.get(each.get("cause", ""), ""))
        for each in differences or ()
    ]


def told_changes(members: Mapping[str, tuple[Any, Any]]) -> list[Told]:
    """Return what a document changes, by member with the old and the new value, in the same form: `catalogue` is new.

    Extra specs are told one by one, those that stay left out.
    """
    return [
        _told(member, after, before, "")
        for name, (before, after) in members.items()
        if name not in SHOWN_ABOVE or before is not None
        for member, before, after in _each(name, before, after)
    ]


def _each(member: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if member != EXTRA_SPECS:
        yield member, before, after
        return
    before, after = before or {}, after or {}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{EXTRA_SPEC}{key}", before.get(key), after.get(key)


def _told(member: str, catalogue: object, node: object, cause: str) -> Told:
    is_spec = member.startswith(EXTRA_SPEC)
    label = member.removeprefix(EXTRA_SPEC) if is_spec else LABELS.get(member, member)
    return Told(label, is_spec, _value(member, catalogue), _value(member, node), cause)


def _value(member: str, value: object) -> str:
    if value is None or value in ("", []):
        return "not set"
    if isinstance(value, list):
        return ", ".join(str(project.get("name") or project["id"]) for project in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if member in UNITS and isinstance(value, int):
        return UNITS[member](value)
    return str(value)
