"""The sign-in form of the admin site."""

from math import ceil
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from rest_framework.exceptions import Throttled

from flavorsync_project.console.words import counted


class SignInForm(AdminAuthenticationForm):
    """Django's own, which also says when it has been tried too often."""

    def clean(self) -> dict[str, Any]:
        """Authenticate.

        Raises: ValidationError when that fails, or when it failed too often before.
        """
        try:
            return super().clean()
        except Throttled as refusal:
            minutes = ceil((getattr(refusal, "wait", None) or 0) / 60)
            raise ValidationError(
                f"Too many failed sign-ins. Try again in {counted(minutes, 'minute')}.", "throttled"
            ) from refusal
