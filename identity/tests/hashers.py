"""A fast hasher that says how often it was run."""

from django.contrib.auth.hashers import MD5PasswordHasher


class CountingHasher(MD5PasswordHasher):
    """MD5 under a name of its own, counting."""

    algorithm = "counting"
    runs = 0

    def encode(self, password: str, salt: str) -> str:
        """Hash the password, and count."""
        CountingHasher.runs += 1
        return super().encode(password, salt)
