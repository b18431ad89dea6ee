"""Registering clouds and their operators."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError
from rest_framework.exceptions import PermissionDenied

from flavorsync_project.api.errors import Conflict
from flavorsync_project.encryption import Undecryptable
from identity.accounts import create_account, give_roles
from identity.callers import Caller
from identity.models import User
from identity.roles import Role
from infrastructures.commits import write_certainly
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.keystone import forget_session

REGISTER = "infrastructures.register_infrastructure"


def register_infrastructure(*, values: Mapping[str, Any], registrant: Caller) -> Infrastructure:
    """Register a cloud with the credentials to enter it; the registrant becomes its operator.

    The cloud is not contacted.

    Args:
        values: by the contract's members, `password` in plain text.
        registrant: a local account, or a user of the IdM who owns the node with this name.

    Raises:
        PermissionDenied: the registrant may not register it.
        Conflict: the name is taken.
        ValidationError: a value is malformed, or INFRASTRUCTURE_URL_ALLOWLIST does not allow a host.

    Cost: some five queries.
    """
    _require_right_to_register(registrant, values["name"])
    infrastructure = _built(values)
    infrastructure.registered_by = str(registrant)
    infrastructure.clean_fields()
    _save_new(infrastructure, operators=(registrant,) if isinstance(registrant, User) else ())
    return infrastructure


def ensure_infrastructure(
    *, values: Mapping[str, Any], operators: Collection[User] = ()
) -> tuple[Infrastructure, bool]:
    """Register a cloud, with or without credentials, if it is not registered yet; return it and whether it is new.

    The cloud is not contacted. The caller checks permissions.

    Args:
        values: by member, `password` in plain text; without credentials its users reach it with their own tokens.
        operators: local accounts.

    Raises:
        Conflict: it is registered with different values, or without one of the operators.
        ValidationError: a value is malformed, or the credentials are incomplete.

    Cost: two queries if it was registered before, else some six.
    """
    known = Infrastructure.objects.filter(name=values["name"]).first()
    if known:
        _require_same(known, values, operators)
        return known, False
    infrastructure = _built(values)
    infrastructure.full_clean()
    _save_new(infrastructure, operators=operators)
    return infrastructure, True


def ensure_operator(
    *, username: str, password: str | None, infrastructures: Collection[Infrastructure], is_manager: bool
) -> tuple[User, bool]:
    """Create a local account that operates these clouds, or extend an existing one; return it and whether it is new.

    It may also register clouds of its own, promote flavors if it is a manager, and sign in to the pages. An existing
    account keeps everything that it has.

    Args:
        password: None if the account is known to exist.

    Raises:
        Conflict: the account has another password, or belongs to an identity provider's user; or a role's group does
            not exist.
        ValidationError: the name is malformed, or AUTH_PASSWORD_VALIDATORS refuse the password.

    Cost: some ten queries, in one transaction.
    """
    roles = [Role.INFRASTRUCTURE_OWNER, *([Role.INFRASTRUCTURE_MANAGER] if is_manager else [])]
    with transaction.atomic():
        account = User.objects.filter(username=username).first()
        created = account is None
        if account is None:
            account = create_account(username=username, password=password or "", roles=roles)
        elif account.external_id is not None:
            raise Conflict(f"{username} signs in with an identity provider, which says what they operate.")
        else:
            if password is not None and not account.check_password(password):
                raise Conflict(f"There is already an account {username}, with another password.")
            give_roles(account=account, roles=roles)
        account.is_staff = True
        account.save(update_fields=["is_staff"])
        account.infrastructures.add(*infrastructures)
    return account, created


def _built(values: Mapping[str, Any]) -> Infrastructure:
    members = dict(values)
    infrastructure = Infrastructure()
    infrastructure.set_password(members.pop("password", ""))
    for member, value in members.items():
        setattr(infrastructure, member, value)
    return infrastructure


def _save_new(infrastructure: Infrastructure, *, operators: Collection[User]) -> None:
    def write() -> None:
        infrastructure.save()
        if operators:
            infrastructure.operators.add(*operators)

    try:
        write_certainly(write, is_written=lambda: _is_registered(infrastructure))
    except IntegrityError as error:
        known = Infrastructure.objects.filter(name_key=infrastructure.name.lower()).first() or infrastructure
        raise Conflict(f"There is already an infrastructure named {known.name}.") from error


def _is_registered(infrastructure: Infrastructure) -> bool:
    """Say whether the row for *infrastructure* exists; no other row has its key."""
    known = Infrastructure.objects.select_for_update().filter(pk=infrastructure.pk, name=infrastructure.name)
    return known.exists()


def _require_same(known: Infrastructure, values: Mapping[str, Any], operators: Collection[User]) -> None:
    """Raise a `Conflict` that names the members in which a cloud differs from *values*."""
    members = {**values, "password": values.get("password", "")}
    differing = [member for member, value in members.items() if _known_value(known, member) != value]
    if differing:
        raise Conflict(f"{known} is already registered with different values ({', '.join(differing)}).")
    if missing := set(operators) - set(known.operators.all()):
        names = ", ".join(sorted(str(operator) for operator in missing))
        raise Conflict(f"{known} is already registered without the operator {names}.")


def _known_value(known: Infrastructure, member: str) -> Any:
    if member != "password":
        return getattr(known, member)
    try:
        return known.get_password()
    except Undecryptable:
        return None


def unregister_infrastructure(*, infrastructure: Infrastructure) -> None:
    """Forget a cloud and our credentials for it. The cloud is not contacted.

    The records of deletions there are deleted, too: they serve no purpose any more.

    Raises:
        Conflict: a flavor of the catalogue is installed there, or a flavor is being replaced or watched.

    Cost: a query for each table that names clouds, some twenty, in one transaction.
    """
    key = infrastructure.pk

    def write() -> None:
        Infrastructure.objects.select_for_update().filter(pk=key).first()  # keeps runs out meanwhile
        Replacement.objects.wanting_nothing().filter(infrastructure=key).delete()
        Infrastructure.objects.filter(pk=key).delete()

    try:
        write_certainly(write, is_written=lambda: not _is_registered(infrastructure))
    except (ProtectedError, IntegrityError) as error:  # the latter if a flavor is installed at this moment
        raise Conflict(f"{infrastructure} cannot be unregistered: {_why_it_stays(key)}") from error
    forget_session(infrastructure.name)


def _why_it_stays(key: int) -> str:
    """Return a sentence about the flavors that keep a cloud registered. Cost: one query."""
    watched = Replacement.objects.filter(infrastructure=key, is_met=True, unsure_until__isnull=False)
    until = watched.aggregate(last=Max("unsure_until"))["last"]
    if until is None:
        return "a flavor of the catalogue is installed there, or is being replaced."
    return (
        "a flavor of the catalogue is installed there, or is being replaced, "
        f"or is watched until {until:%Y-%m-%d %H:%M} UTC because the answer to a change of it was lost."
    )


def _require_right_to_register(registrant: Caller, name: str) -> None:
    owned_nodes = getattr(registrant, "owned_nodes", None)
    if not registrant.has_perm(REGISTER) or (owned_nodes is not None and name not in owned_nodes):
        raise PermissionDenied(f"You may not register the node {name}.")
