"""Local accounts in the admin site, as Django shows its own."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from identity.forms import SignInForm
from identity.models import User

admin.site.login_form = SignInForm
admin.site.register(User, UserAdmin)
