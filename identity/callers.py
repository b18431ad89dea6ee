"""The caller of a request, however authenticated."""

from typing import Any, Protocol


class Caller(Protocol):
    """A local account, a user of an identity provider, a member of the staff at work, or an anonymous caller.

    All but local accounts have `owned_nodes`, the names of the nodes that they own. Local accounts are found through
    the nodes, which name them as operators.
    """

    @property
    def is_authenticated(self) -> Any:
        """Whether the caller is known."""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether the caller has the permission `app.codename`. Cost: one query the first time, or none."""
