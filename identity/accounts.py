"""Local accounts: creating them, and signing in without paying for the slow hash on every request."""

from collections.abc import Collection

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import AuthenticationFailed, NotFound

from flavorsync_project.api.errors import Conflict
from identity.models import User
from identity.roles import Role
from identity.throttling import AccountFailureThrottle, AddressFailureThrottle, FailureThrottle


def sign_in(*, username: str, password: str, address: str) -> User:
    """Return the active account with this name and password.

    A correct password is remembered until it has been unused for `LOCAL_ACCOUNT_CACHE_SECONDS`, or is
    changed. One query, and another when the hash is due for an upgrade.

    Raises: AuthenticationFailed when there is no such account, after as much work as for an existing one;
    Throttled, before any hashing, when the account or the address failed too often. A remembered
    password is accepted even then.
    """
    user = _find(username)
    if user is not None and user.is_active and _is_remembered(user, password):
        return user
    account = f"name {username}" if user is None else f"account {user.pk}"
    throttles: list[FailureThrottle] = [AccountFailureThrottle(account), AddressFailureThrottle(address)]
    for throttle in throttles:
        throttle.check()
    if not _has_password(user, password) or user is None or not user.is_active:
        for throttle in throttles:
            throttle.record_failure()
        raise AuthenticationFailed("The user name or the password is wrong.")
    cache.set(_cache_key(user, password), True, settings.LOCAL_ACCOUNT_CACHE_SECONDS)
    return user


def find_accounts(usernames: Collection[str]) -> list[User]:
    """Return the accounts with these names, each once, ordered by name.

    Raises:
        NotFound: one of the names has no account.

    Cost: one query.
    """
    accounts = list(User.objects.filter(username__in=usernames, external_id=None)) if usernames else []
    if missing := sorted(set(usernames) - {account.username for account in accounts}):
        raise NotFound(f"There is no account {', '.join(missing)}.")
    return accounts


def create_account(*, username: str, password: str, roles: Collection[Role]) -> User:
    """Create a local account with these roles.

    Raises:
        ValidationError: the name is malformed or taken, or AUTH_PASSWORD_VALIDATORS refuse the password.
        Conflict: a role's group does not exist.

    Cost: some seven queries, in the caller's transaction.
    """
    account = User(username=User.normalize_username(username))
    account.set_password(password)
    account.full_clean()
    try:
        validate_password(password, account)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
    account.save()
    give_roles(account=account, roles=roles)
    return account


def give_roles(*, account: User, roles: Collection[Role]) -> None:
    """Give an account these roles in addition to those it has.

    Raises:
        Conflict: a role's group does not exist.

    Cost: three queries.
    """
    groups = list(Group.objects.filter(name__in=roles))
    if missing := {role.value for role in roles} - {group.name for group in groups}:
        raise Conflict(f"There is no group {', '.join(sorted(missing))}, which says what the role may do.")
    account.groups.add(*groups)


def _find(username: str) -> User | None:
    if "\0" in username:  # no account's name has one, and some databases refuse to compare it
        return None
    return User.objects.filter(username=User.normalize_username(username), external_id=None).first()


def _has_password(user: User | None, password: str) -> bool:
    """Verify the password, upgrading an outdated hash; take just as long without an account."""
    if user is None:
        make_password(password)
        return False
    return user.check_password(password)


def _is_remembered(user: User, password: str) -> bool:
    # One step finds the entry and prolongs it. Its value does not matter: the key is the proof.
    return cache.touch(_cache_key(user, password), settings.LOCAL_ACCOUNT_CACHE_SECONDS)


def _cache_key(user: User, password: str) -> str:
    """Return a MAC of account, stored hash and password, so that changing the password invalidates the entry."""
    salt = f"identity.accounts\n{user.pk}\n{user.password}\n"
    return f"identity.accounts.{salted_hmac(salt, password, algorithm='sha256').hexdigest()}"
