"""Local accounts. The users of the FIWARE IdM are not stored: see `identity.principals`."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A local account: an operator with a name and a password, or a member of the staff."""

    class Meta(AbstractUser.Meta):
        ordering = ("username",)
