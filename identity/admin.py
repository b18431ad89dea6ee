"""Local accounts in the admin site, as Django shows its own."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from identity.models import User

admin.site.register(User, UserAdmin)
