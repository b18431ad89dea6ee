"""Who is at work: what a token of the FIWARE IdM proves about its bearer, and a member of the staff."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from django.contrib.auth.models import Permission

from identity.models import User
from identity.roles import Role

# As much of a user's name as is stored wherever it is written down who did something.
MAX_NAME_LENGTH = 255
# The federation calls the organization that owns a node by the node's name and this.
ORGANIZATION_SUFFIX = " FIDASH"


@dataclass(frozen=True)
class IdmUser:
    """A user of the FIWARE IdM, as far as their token proved; nothing of it is in the database.

    It has the attributes and the `has_perm` of a Django user, so that one permission rule serves
    both kinds. `owned_nodes` are the names of the nodes whose organizations made them an owner.
    """

    id: str
    username: str
    email: str
    roles: frozenset[str]
    owned_nodes: frozenset[str]

    pk: ClassVar[None] = None
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.username

    @classmethod
    def from_keyrock(cls, document: dict[str, Any]) -> Self:
        """Return the user that Keyrock's answer to `GET /user` describes.

        Whatever of the roles and organizations does not have the documented shape grants nothing.
        """
        owned_nodes = frozenset(_owned_nodes(document))
        roles = set(_granted_roles(document)) & {Role.INFRASTRUCTURE_MANAGER.value}
        if owned_nodes:
            roles.add(Role.INFRASTRUCTURE_OWNER.value)
        return cls(
            id=document["id"],
            username=_shown(_text(document, "username")),
            email=_text(document, "email"),
            roles=frozenset(roles),
            owned_nodes=owned_nodes,
        )

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Say whether a group named like one of the roles has the permission `app.codename`.

        As with Django's own groups, no permission is had on a particular object only. One query the
        first time, none without a role.
        """
        return obj is None and perm in self._permissions

    @cached_property
    def _permissions(self) -> frozenset[str]:
        permissions = Permission.objects.filter(group__name__in=self.roles).order_by()
        names = permissions.values_list("content_type__app_label", "codename")
        return frozenset(f"{app_label}.{codename}" for app_label, codename in names)


@dataclass(frozen=True)
class StaffMember:
    """A member of the staff at work in the admin site, and the nodes that they may change things in there.

    It has what an `IdmUser` has, so that the same rules serve here, too.
    """

    account: User
    owned_nodes: frozenset[str]

    is_authenticated: ClassVar[bool] = True

    def __str__(self) -> str:
        return str(self.account)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether their account has the permission `app.codename`."""
        return self.account.has_perm(perm, obj)


def _granted_roles(document: dict[str, Any]) -> Iterator[str]:
    """Yield the names of all roles, wherever given: an organization's are only in its own list."""
    yield from _names(document, "roles")
    for organization in _objects(document, "organizations"):
        yield from _names(organization, "roles")


def _owned_nodes(document: dict[str, Any]) -> Iterator[str]:
    for organization in _objects(document, "organizations"):
        node = _text(organization, "name").removesuffix(ORGANIZATION_SUFFIX)
        if node and _is_unicode(node) and Role.INFRASTRUCTURE_OWNER in _names(organization, "roles"):
            yield node


def _objects(document: dict[str, Any], member: str) -> list[dict[str, Any]]:
    values = document.get(member)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _names(document: dict[str, Any], member: str) -> list[str]:
    return [_text(value, "name") for value in _objects(document, member)]


def _text(document: dict[str, Any], member: str) -> str:
    value = document.get(member)
    return value if isinstance(value, str) else ""


def _shown(name: str) -> str:
    """Return a name as it can be logged, stored and shown, whatever an IdM takes for one: short, and printable."""
    return "".join(character if character.isprintable() else "\ufffd" for character in name[:MAX_NAME_LENGTH])


def _is_unicode(text: str) -> bool:
    """Say whether a database can compare it: JSON can hold half of a character, nothing else can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
