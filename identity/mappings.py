"""The mapping of Keystone's roles to ours: the entries of KEYSTONE_MANAGERS and KEYSTONE_OPERATORS.

An entry is `ROLE@system`, `ROLE@project:NAME/DOMAIN` or `ROLE@project:ID`, where DOMAIN is a name or an id. In an
operators' entry `{node}` stands for the name of the node that the role's holder operates. A role without a scope maps
to nothing: the owner of a cloud can give themselves any role in a project of their own.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from identity.documents import Document, is_unicode, part, text

NODE = "{node}"
_ENTRY = re.compile(r"([^@]+)@(?:(system)|project:(?:(.+)/([^/]+)|([^/]+)))")


@dataclass(frozen=True)
class Scope:
    """The scope of a Keystone token: the system, a project, or none that matters here."""

    is_system: bool = False
    project_id: str = ""
    project: str = ""
    domain_id: str = ""
    domain: str = ""

    @classmethod
    def of(cls, token: Document) -> "Scope":
        """Return the scope in Keystone's description of a token."""
        project = part(token, "project")
        domain = part(project, "domain")
        return cls(
            is_system=part(token, "system").get("all") is True,
            project_id=text(project, "id"),
            project=text(project, "name"),
            domain_id=text(domain, "id"),
            domain=text(domain, "name"),
        )

    def __str__(self) -> str:
        if self.is_system:
            return "system"
        return f"project:{self.project}/{self.domain}" if self.project_id else ""


@dataclass(frozen=True)
class Entry:
    """A role in a scope: the parts of one entry, "" for each that is missing."""

    role: str
    is_system: bool = False
    project: str = ""
    domain: str = ""
    project_id: str = ""

    @classmethod
    def read(cls, entry: str) -> "Entry":
        """Parse an entry.

        Raises: ValueError, saying what is wrong with it.
        """
        parts = _ENTRY.fullmatch(entry)
        if not parts:
            raise ValueError("it is not ROLE@system, ROLE@project:NAME/DOMAIN or ROLE@project:ID")
        role, system, project, domain, project_id = (found or "" for found in parts.groups())
        if NODE in project_id:
            raise ValueError(f"the project {project_id} lacks its domain: {project_id}/DOMAIN")
        return cls(role, bool(system), project, domain, project_id)

    def match(self, role: str, scope: Scope) -> str | None:
        """Match a role in a scope: return what `{node}` stands for, "" if the entry has none, None for no match."""
        if self.is_system or scope.is_system:
            found = [_match(self.role, role)] if self.is_system and scope.is_system else [None]
        elif self.project_id:
            found = [_match(self.role, role), _match(self.project_id, scope.project_id)]
        else:
            domain = _match(self.domain, scope.domain)
            found = [
                _match(self.role, role),
                _match(self.project, scope.project),
                _match(self.domain, scope.domain_id) if domain is None else domain,
            ]
        return None if None in found else "".join(node for node in found if node)

    def may_mean(self, project: str, project_id: str) -> bool:
        """Say whether the entry may match a project with this name and id, whatever its domain."""
        if self.project_id:
            return _match(self.project_id, project_id) is not None
        return bool(self.project) and _match(self.project, project) is not None


def read_manager(entry: str) -> Entry:
    """Parse an entry of KEYSTONE_MANAGERS.

    Raises: ValueError, saying what is wrong with it.
    """
    if NODE in entry:
        raise ValueError(f"{NODE} has no meaning there: a manager manages all nodes")
    return Entry.read(entry)


def read_operator(entry: str) -> Entry:
    """Parse an entry of KEYSTONE_OPERATORS.

    Raises: ValueError, saying what is wrong with it.
    """
    if entry.count(NODE) != 1:
        raise ValueError(f"it must name the role's node exactly once, as {NODE}")
    return Entry.read(entry)


def is_manager(entries: Iterable[str], roles: Iterable[str], scope: Scope) -> bool:
    """Say whether one of the roles in the scope maps to a manager."""
    roles = list(roles)
    return any(entry.match(role, scope) is not None for entry in managers(entries) for role in roles)


def owned_nodes(entries: Iterable[str], roles: Iterable[str], scope: Scope) -> frozenset[str]:
    """Return the nodes whose operator one of the roles in the scope maps to."""
    roles = list(roles)
    found = {entry.match(role, scope) for entry in operators(entries) for role in roles}
    return frozenset(node for node in found if node and is_unicode(node))


def managers(entries: Iterable[str]) -> list[Entry]:
    """Parse the entries of KEYSTONE_MANAGERS, leaving out malformed ones: they grant nothing."""
    return [read for entry in entries for read in _right(read_manager, entry)]


def operators(entries: Iterable[str]) -> list[Entry]:
    """Parse the entries of KEYSTONE_OPERATORS, leaving out malformed ones: they grant nothing."""
    return [read for entry in entries for read in _right(read_operator, entry)]


@lru_cache
def _right(read: Callable[[str], Entry], entry: str) -> tuple[Entry, ...]:
    """Return the entry, or nothing if it is malformed, which a system check reports."""
    try:
        return (read(entry),)
    except ValueError:
        return ()


def _match(pattern: str, value: str) -> str | None:
    """Match a value: return what `{node}` stands for, "" if the pattern has none, None for no match."""
    before, placeholder, after = pattern.partition(NODE)
    if not placeholder:
        return "" if value == pattern else None
    fits = value.startswith(before) and value.endswith(after) and len(value) > len(before) + len(after)
    return value[len(before) : len(value) - len(after)] if fits else None
