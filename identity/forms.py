"""The forms to sign in, to create an account and to change its password."""

from math import ceil
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AdminPasswordChangeForm, UserCreationForm
from django.core.exceptions import ValidationError
from rest_framework.exceptions import Throttled

from flavorsync_project.console.words import counted
from identity.models import User
from identity.ways import ways


class NewAccountForm(UserCreationForm[User]):
    """Django's form, always with a password: a local account has no other way to sign in."""

    class Meta:
        model = User
        fields = ("username",)


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg] # it takes none when it runs
    """Django's form, without the choice to disable the password; to lock an account, make it inactive."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields.pop("usable_password", None)
        for name in ("password1", "password2"):
            self.fields[name].required = True


class KeystoneForm(forms.Form):
    """The credentials of a Keystone user."""

    username = forms.CharField(label="User", max_length=255, widget=forms.TextInput({"autocomplete": "username"}))
    domain = forms.CharField(max_length=255, initial="Default")
    password = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )


class SignInForm(AdminAuthenticationForm):
    """Django's form, which also reports throttling and lists the other ways to sign in."""

    @property
    def is_open(self) -> bool:
        """Whether local accounts may sign in."""
        return bool(settings.LOCAL_SIGN_IN)

    @property
    def ways(self) -> dict[str, str]:
        """The other ways to sign in: the URL of each page, by the provider's name."""
        return ways()

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
