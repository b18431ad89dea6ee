"""The catalogue as a document: YAML in our own layout or the Sovereign Cloud Stack's, or a table in CSV (`tables`).

`dump_catalogue` writes our own, an object with the list `flavors`. Its members have Nova's names and this service's:
`id name vcpus ram disk swap ephemeral rxtx_factor is_public description extra_specs public promoted`, and `access`: the
projects that a flavor is open to which is not open to every one.
The Sovereign Cloud Stack's (standard SCS-0103, and its flavor manager) has the lists `reference`, `mandatory` and
`recommended`, `cpus` for vCPUs, RAM in MiB, and a `public` that is Nova's. Every key with a colon is an extra spec.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from rest_framework import serializers

from flavors.catalogue.granting import ACCESS, Project, access_of
from flavors.catalogue.tables import is_table, read_table
from flavors.models import NOVA_MEMBERS, Flavor
from flavors.serializers import FlavorChangesSerializer
from flavors.validators import validate_extra_specs, validate_rxtx_factor
from flavorsync_project.api.serializers import StrictBooleanField, StrictCharField, StrictIntegerField
from infrastructures.fields import FlavorIdField
from infrastructures.openstack.rules import MAX_INTEGER, MAX_NAME_LENGTH

SCS_LISTS = ("mandatory", "recommended")
SCS_NAMES = {"vcpus": "cpus", "is_public": "public"}
"""The Sovereign Cloud Stack's names of members, where they differ from ours."""
MEMBERS = ("flavorid", *NOVA_MEMBERS, "extra_specs", "public", "promoted")


class UnreadableDocument(Exception):
    """A document cannot be read; each line of `problems` names the entry and the member."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Entry:
    """A flavor of a document: its place there, and the values that it gives, by member of `Flavor`."""

    label: str
    values: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)

    def problem(self, member: str, message: str) -> str:
        """Return a line about a member, under the name that the document uses."""
        name = "id" if member == "flavorid" else self.names.get(member, member)
        return f"{self.label}: {name}: {message}"


def document_of(flavors: Iterable[Flavor]) -> dict[str, list[dict[str, Any]]]:
    """Return a document of our own with everything about these flavors except where they are installed.

    Cost: one query for each flavor that is not open to every project, unless `grants` are prefetched.
    """
    return {
        "flavors": [
            {"id": flavor.flavorid} | {member: getattr(flavor, member) for member in MEMBERS[1:]} | _access(flavor)
            for flavor in flavors
        ]
    }


def _access(flavor: Flavor) -> dict[str, Any]:
    access = None if flavor.is_public else access_of(flavor)
    return {} if access is None else {ACCESS: access}


def write_document(flavors: Iterable[Flavor]) -> str:
    """Return the document of these flavors in YAML."""
    text: str = yaml.safe_dump(document_of(flavors), sort_keys=False, allow_unicode=True)
    return text


def read_document(text: str | bytes, *, promote_recommended: bool = False) -> list[Entry]:
    """Return the flavors of a document, with valid values.

    Args:
        promote_recommended: promote the Sovereign Cloud Stack's recommended flavors, too, not only the mandatory ones.

    Raises:
        UnreadableDocument: it is neither CSV nor YAML, has neither layout, or some of its values are wrong.
    """
    table = _table_in(text)
    found = list(_table(table) if table is not None else _listed(text, promote_recommended=promote_recommended))
    problems = [problem for _, problems in found for problem in problems]
    entries = [entry for entry, _ in found]
    problems += _doubles(entries)
    if problems:
        raise UnreadableDocument(problems)
    return entries


def _table_in(text: str | bytes) -> str | None:
    """Return a document as text if it is a table."""
    read = text if isinstance(text, str) else text.decode("utf-8", errors="replace")
    if not is_table(read):
        return None
    if isinstance(text, bytes) and read.encode() != text:
        raise UnreadableDocument(["The table is not in UTF-8: save it as CSV in UTF-8."])
    return read


class _Loader(yaml.SafeLoader):
    """Reads only the values that JSON has: what looks like a date is a text."""


_DATE = "tag:yaml.org,2002:timestamp"
_NOT_JSON = {_DATE, *(f"tag:yaml.org,2002:{kind}" for kind in ("binary", "omap", "pairs", "set"))}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: construct for tag, construct in yaml.SafeLoader.yaml_constructors.items() if tag not in _NOT_JSON
}


def _parse(text: str | bytes) -> dict[Any, Any]:
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 — a SafeLoader, but for what it leaves out
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UnreadableDocument([f"The document is not YAML: {where}{error.problem}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UnreadableDocument(["The document is not YAML."]) from error
    if not isinstance(document, dict):
        raise UnreadableDocument(["The document must be an object with a list of flavors."])
    return document


Found = Iterator[tuple[Entry, list[str]]]


def _listed(text: str | bytes, *, promote_recommended: bool) -> Found:
    document = _parse(text)
    if "flavors" in document:
        return _own(document)
    if any(name in document for name in SCS_LISTS):
        return _scs(document, promote_recommended=promote_recommended)
    raise UnreadableDocument(["The document has no list of flavors: neither flavors, nor mandatory or recommended."])


class _AccessField(serializers.Field[Any, Any, Any, Any]):
    """A list of projects: each an id in the central Keystone, or an object of `id`, and `name` and `domain`."""

    def to_internal_value(self, data: Any) -> list[Project]:
        """Return the projects, by their ids."""
        if not isinstance(data, list):
            raise serializers.ValidationError("must be a list of projects")
        projects = [{"id": each} if isinstance(each, str) else each for each in data]
        if any(not _is_project(project) for project in projects):
            raise serializers.ValidationError(
                "each must be the id of a project, or an object of id, or of id, name and domain, all of them text"
            )
        return sorted({project["id"]: project for project in projects}.values(), key=lambda project: project["id"])


def _is_project(value: object) -> bool:
    if not isinstance(value, dict) or value.keys() not in ({"id"}, {"id", "name", "domain"}):
        return False
    return all(isinstance(text, str) and 1 <= len(text) <= MAX_NAME_LENGTH for text in value.values())


class _EntrySerializer(FlavorChangesSerializer):
    """A flavor of a document, with every member that the catalogue keeps."""

    id = FlavorIdField(source="flavorid")
    ephemeral = StrictIntegerField(min_value=0, max_value=MAX_INTEGER)
    rxtx_factor = serializers.FloatField(validators=[validate_rxtx_factor])
    description = StrictCharField(allow_blank=True)
    is_public = StrictBooleanField()
    extra_specs = serializers.JSONField(validators=[validate_extra_specs])
    public = StrictBooleanField()
    promoted = StrictBooleanField()
    access = _AccessField()


def _own(document: Mapping[Any, Any]) -> Found:
    for label, values in _entries(document, "flavors"):
        yield _own_entry(label, values)


def _table(text: str) -> Found:
    for label, values, problems in read_table(text):
        yield (Entry(label, {}), problems) if problems else _own_entry(label, values)


def _own_entry(label: str, values: Mapping[Any, Any]) -> tuple[Entry, list[str]]:
    entry, problems = _checked(label, values, {})
    if not problems and not {"flavorid", "name"} & set(entry.values):
        problems = [entry.problem("name", "is required, or else an id")]
    return entry, problems


def _scs(document: Mapping[Any, Any], *, promote_recommended: bool) -> Found:
    rows = [row for _, row in _entries(document, "reference")]
    reference = {row["field"]: row for row in rows if isinstance(row.get("field"), str)}
    for name in SCS_LISTS:
        promoted = name == "mandatory" or promote_recommended
        for label, values in _entries(document, name):
            yield _scs_entry(label, values, reference, promoted=promoted)


def _scs_entry(
    label: str, given: Mapping[Any, Any], reference: Mapping[str, Mapping[str, Any]], *, promoted: bool
) -> tuple[Entry, list[str]]:
    """Return a complete entry of the Sovereign Cloud Stack, with the defaults of `reference` and of Nova."""
    defaults = {name: row["default"] for name, row in reference.items() if "default" in row}
    values = {"disk": 0, "public": True, "disabled": False, **defaults, **given}
    ours = {ours: values.pop(theirs) for ours, theirs in SCS_NAMES.items() if theirs in values}
    disabled = values.pop("disabled")
    extra_specs = {key: values.pop(key) for key in list(values) if ":" in str(key)}
    unknown = [name for name in values if name in {*SCS_NAMES, "extra_specs", "promoted", ACCESS}]
    kept = {name: value for name, value in values.items() if name not in unknown}
    state = {"extra_specs": extra_specs, "public": True} | ({"promoted": True} if promoted else {})
    entry, problems = _checked(label, kept | ours | state, SCS_NAMES)
    problems += [f"{label}: {name}: there is no such member" for name in unknown]
    missing = [member for member in ("name", "vcpus", "ram") if member not in kept | ours]
    problems += [entry.problem(member, "is required") for member in missing]
    if disabled is not False:
        problems.append(f"{label}: disabled: Nova cannot create a flavor that is disabled")
    prefix = str(reference.get("name", {}).get("mandatory_prefix", ""))
    if not str(kept.get("name", prefix)).startswith(prefix):
        problems.append(f"{label}: name: must begin with {prefix}")
    return entry, problems


def _entries(document: Mapping[Any, Any], name: str) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    rows = document.get(name)
    if rows is None:
        return
    if not isinstance(rows, list):
        raise UnreadableDocument([f"{name}: must be a list of flavors"])
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UnreadableDocument([f"{name}, flavor {number}: must be an object"])
        shown = row.get("name") or row.get("id")
        yield f"{name}, flavor {number}" + (f" ({shown})" if isinstance(shown, str) else ""), row


def _checked(label: str, given: Mapping[Any, Any], names: Mapping[str, str]) -> tuple[Entry, list[str]]:
    serializer = _EntrySerializer(data=given, partial=True)
    unknown = [f"{label}: {name}: there is no such member" for name in given if name not in serializer.fields]
    if not serializer.is_valid():
        wrong = Entry(label, {}, names)
        return wrong, unknown + [
            wrong.problem(member, str(messages[0])) for member, messages in serializer.errors.items()
        ]
    return Entry(label, serializer.validated_data, names), unknown


def _doubles(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a problem for each entry whose id, or name in any case, an earlier one has."""
    keys: tuple[tuple[str, Callable[[str], str]], ...] = (("flavorid", str), ("name", str.lower))
    for member, key in keys:
        seen: dict[str, str] = {}
        for entry in entries:
            if member in entry.values:
                first = seen.setdefault(key(entry.values[member]), entry.label)
                if first != entry.label:
                    yield entry.problem(member, f"is the same as that of {first}")
