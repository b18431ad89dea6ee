"""Who is calling, whichever way they have proved it."""

from typing import Any, Protocol


class Caller(Protocol):
    """A local account, a user of an identity provider, or a member of the staff at work; or nobody in particular.

    Where it matters whose a node is, all but local accounts have `owned_nodes`, the names of the nodes that they are an
    owner of; a local account is named by its nodes.
    """

    @property
    def is_authenticated(self) -> Any:
        """Whether it is known who they are."""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Say whether they have the permission `app.codename`. Cost: one query the first time, or none."""
