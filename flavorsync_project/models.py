"""The project's own table."""

from django.db import models


class Heartbeat(models.Model):
    """The one row that `/health/ready` writes: only writing shows whether anything can be written."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.written_at:%Y-%m-%d %H:%M:%S} UTC"
