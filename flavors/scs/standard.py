"""The standard flavors of scs-0103 v1.1, and what flavors meet of them and of scs-0100 v3.

The verdicts are those of the standard's own tests: the `standard-flavors-check` for the mandatory flavors, and the
syntax and semantics checks of names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flavors.scs.names import CPU_TYPES, DISK_TYPES, NoScsName, ScsName, is_scs, parse

MANDATORY = (
    *("SCS-1V-4", "SCS-2V-8", "SCS-4V-16", "SCS-8V-32", "SCS-1V-2", "SCS-2V-4", "SCS-4V-8", "SCS-8V-16", "SCS-16V-32"),
    *("SCS-1V-8", "SCS-2V-16", "SCS-4V-32", "SCS-1L-1", "SCS-2V-4-20s", "SCS-4V-16-100s"),
)
RECOMMENDED = (
    *("SCS-1V-4-10", "SCS-2V-8-20", "SCS-4V-16-50", "SCS-8V-32-100", "SCS-1V-2-5", "SCS-2V-4-10", "SCS-4V-8-20"),
    *("SCS-8V-16-50", "SCS-16V-32-100", "SCS-1V-8-20", "SCS-2V-16-50", "SCS-4V-32-100", "SCS-1L-1-5"),
)
NAME = "scs:name-v2"
MEBIBYTES = 1024
LEAST_STEP = 102.4
"""RAM is compared in tenths of a GiB, rounded as the standard's test rounds them."""


class FlavorLike(Protocol):
    """What is looked at: a flavor of the catalogue, or of a node."""

    @property
    def name(self) -> str: ...
    @property
    def vcpus(self) -> int: ...
    @property
    def ram(self) -> int: ...
    @property
    def disk(self) -> int: ...
    @property
    def extra_specs(self) -> Mapping[str, str] | None: ...  # a Nova before microversion 2.61 lists none


@dataclass(frozen=True)
class Verdict:
    """What flavors meet of the standards."""

    names: Mapping[str, str]
    """Each name of theirs that begins with `SCS-`, in words."""
    wrong_names: Mapping[str, str]
    """Why a name is none (scs-0100, syntax)."""
    broken_promises: Mapping[str, list[str]]
    """What a flavor has less of than its name says (scs-0100, semantics)."""
    standard: Mapping[str, list[str]] = field(default_factory=dict)
    """What is wrong with each standard flavor (scs-0103): nothing, that it is missing, or what differs."""

    @property
    def keeps_names(self) -> bool:
        """Whether scs-0100 is met."""
        return not self.wrong_names and not self.broken_promises

    @property
    def has_mandatory(self) -> bool:
        """Whether scs-0103 is met: all mandatory flavors are there, as they should be."""
        return not any(self.standard[name] for name in MANDATORY)

    @property
    def recommended(self) -> int:
        """How many of the recommended flavors are there as they should be."""
        return sum(not self.standard[name] for name in RECOMMENDED)


def judge(flavors: Iterable[FlavorLike]) -> Verdict:
    """Return what these flavors meet of both standards."""
    flavors = list(flavors)
    words, wrong, broken = {}, {}, {}
    for flavor in flavors:
        if not is_scs(flavor.name):
            continue
        try:
            name = parse(flavor.name)
        except NoScsName as error:
            wrong[flavor.name] = str(error)
            continue
        words[flavor.name] = name.in_words()
        if less := _less(flavor, name):
            broken[flavor.name] = less
    by_name = _by_name(flavors)
    standard = {name: _differences(name, by_name.get(name)) for name in (*MANDATORY, *RECOMMENDED)}
    return Verdict(words, wrong, broken, standard)


def _less(flavor: FlavorLike, name: ScsName) -> list[str]:
    ram = int((flavor.ram + LEAST_STEP // 2) / LEAST_STEP) / 10
    compared = [("vcpus", flavor.vcpus, name.cpus), ("ram", ram, name.ram), ("disk", flavor.disk, name.disk or 0)]
    return [f"{member} is {has:g}, less than {says:g}" for member, has, says in compared if has < says]


def _by_name(flavors: Iterable[FlavorLike]) -> dict[str, FlavorLike]:
    """Return flavors by the name that an extra spec gives, or else by their own."""
    flavors = list(flavors)
    named = ((dict(flavor.extra_specs or {}).get(NAME), flavor) for flavor in flavors)
    found = {name: flavor for name, flavor in named if name is not None}
    for flavor in flavors:
        if is_scs(flavor.name):
            found.setdefault(flavor.name, flavor)
    return found


def _differences(name: str, flavor: FlavorLike | None) -> list[str]:
    if flavor is None:
        return ["missing"]
    expected = specification(name)
    has = {"vcpus": flavor.vcpus, "ram": flavor.ram, "disk": flavor.disk, **(flavor.extra_specs or {})}
    return [
        f"{member} is {has[member]}, not {value}" if member in has else f"{member} is not {value}, but missing"
        for member, value in expected.items()
        if has.get(member) != value
    ]


def specification(name: str) -> dict[str, int | str]:
    """Return what the flavor of a standard name must have: RAM in MiB, disk in GB, and its extra specs."""
    parsed = parse(name)
    spec: dict[str, int | str] = {
        "vcpus": parsed.cpus,
        "ram": int(parsed.ram * MEBIBYTES),
        "disk": parsed.disk or 0,
        "scs:cpu-type": CPU_TYPES[parsed.cpu],
    }
    if parsed.disk is not None:
        spec["scs:disk0-type"] = DISK_TYPES[parsed.disk_type or "n"]
    first, rest = name[:4], name[4:]
    return spec | {"scs:name-v1": first + rest.replace("-", ":"), NAME: name}


def document() -> dict[str, Any]:
    """Return the standard flavors as a document that `load_catalogue` reads."""
    return {"reference": [], "mandatory": _entries(MANDATORY), "recommended": _entries(RECOMMENDED)}


def _entries(names: Iterable[str]) -> list[dict[str, int | str]]:
    specs = ((name, specification(name)) for name in names)
    return [{"name": name, "cpus": spec.pop("vcpus"), **spec} for name, spec in specs]
