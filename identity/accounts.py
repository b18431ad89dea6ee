"""Local accounts: making them, and signing in without paying for the slow hash at every request."""

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
    """Return the active account that has this name and this password.

    A right password is remembered until nobody has used it for `LOCAL_ACCOUNT_CACHE_SECONDS`, or it
    changes. One query, and another when the hash is due for an upgrade.

    Raises: AuthenticationFailed when there is no such account, after as much work as for one;
    Throttled, before any hashing, when the account or the address failed too often. A remembered
    password gets in all the same.
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
    """Return the accounts of these names, each once, by name.

    Raises:
        NotFound: there is no account of one of the names.

    Cost: one query.
    """
    accounts = list(User.objects.filter(username__in=usernames, external_id=None)) if usernames else []
    if missing := sorted(set(usernames) - {account.username for account in accounts}):
        raise NotFound(f"There is no account {', '.join(missing)}.")
    return accounts


def create_account(*, username: str, password: str, roles: Collection[Role]) -> User:
    """Make a local account that may do what these roles may.

    Raises:
        ValidationError: the name is malformed or taken, or AUTH_PASSWORD_VALIDATORS refuse the password.
        Conflict: the group of a role is gone.

    Cost: some seven queries; in a transaction of the caller's.
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
    """Let an account do what these roles may, besides what it may already.

    Raises:
        Conflict: the group of a role is gone.

    Cost: three queries.
    """
    groups = list(Group.objects.filter(name__in=roles))
    if missing := {role.value for role in roles} - {group.name for group in groups}:
        raise Conflict(f"There is no group {', '.join(sorted(missing))}, which says what the role may do.")
    account.groups.add(*groups)


def _find(username: str) -> User | None:
    if "\0" in username:  # no account has it, and some databases do not even compare it
        return None
    return User.objects.filter(username=User.normalize_username(username), external_id=None).first()


def _has_password(user: User | None, password: str) -> bool:
    """Verify the password, upgrading an outdated hash; take as long where there is no account."""
    if user is None:
        make_password(password)
        return False
    return user.check_password(password)


def _is_remembered(user: User, password: str) -> bool:
    # Found and kept for longer in one step. There is nothing to read: the key says it all.
    return cache.touch(_cache_key(user, password), settings.LOCAL_ACCOUNT_CACHE_SECONDS)


def _cache_key(user: User, password: str) -> str:
    """Return a MAC over account, stored hash and password, so that a changed password is not found."""
    salt = f"identity.accounts\n{user.pk}\n{user.password}\n"
    return f"identity.accounts.{salted_hmac(salt, password, algorithm='sha256').hexdigest()}"
