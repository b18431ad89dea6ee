"""Local accounts, their roles and the history of the admin site."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Field, ManyToManyField, Q, QuerySet, prefetch_related_objects
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest

from flavorsync_project.moments import column
from identity.forms import NewAccountForm, PasswordForm, SignInForm
from identity.models import User

admin.site.login_form = SignInForm
admin.site.unregister(Group)

# Django's two boxes side by side fail with screen readers: they label elements that cannot have a label.
_BOXES: dict[type[Field[Any, Any]], dict[str, Any]] = {ManyToManyField: {"widget": CheckboxSelectMultiple}}


class OffersPermissions(admin.ModelAdmin):
    """The admin of a model with permissions, of which it offers those that mean something in these pages."""

    formfield_overrides = _BOXES

    def formfield_for_manytomany(self, db_field: ManyToManyField[Any, Any], request: Any = None, **kwargs: Any) -> Any:
        """Offer the permissions of what has pages, not those of the tables behind it."""
        if db_field.related_model is Permission:
            kwargs["queryset"] = Permission.objects.filter(_has_pages()).select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)


def _has_pages() -> Q:
    """Return the condition that a permission is of a model with pages, or of one that is shown on those of another."""
    shown = set(admin.site._registry)
    shown.update(inline.model for page in admin.site._registry.values() for inline in page.inlines)
    found = Q()
    for model in shown:
        found |= Q(content_type__app_label=model._meta.app_label, content_type__model=model._meta.model_name)
    return found


@admin.register(Group)
class RoleAdmin(OffersPermissions, GroupAdmin):
    """The groups that hold each role's permissions, shown as Django shows groups."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Group | None:
        """Fetch the content types, too: the read-only page shows them in the permissions' names."""
        role: Group | None = super().get_object(request, object_id, from_field)
        if role:
            prefetch_related_objects([role], "permissions__content_type")
        return role


@admin.register(User)
class AccountAdmin(OffersPermissions, UserAdmin):
    """The local accounts, shown as Django shows users, with the nodes that each operates."""

    add_form = NewAccountForm
    change_password_form = PasswordForm
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "password1", "password2")}),)
    list_display = ("username", "email", "operates", "is_staff", "is_active", column("last_login", "last sign-in"))
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Fetch all accounts' nodes in one more query."""
        accounts: QuerySet[User] = super().get_queryset(request)
        return accounts.prefetch_related("infrastructures")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        """Fetch the content types, too: the read-only page shows them in the permissions' names."""
        account: User | None = super().get_object(request, object_id, from_field)
        if account:
            prefetch_related_objects([account], "user_permissions__content_type")
        return account

    @admin.display(description="operates")
    def operates(self, account: User) -> str:
        """Return the names of the nodes that the account operates."""
        return ", ".join(str(node) for node in account.infrastructures.all())


@admin.register(LogEntry)
class HistoryAdmin(admin.ModelAdmin):
    """The history of the admin site: who did what; read-only."""

    list_display = ["action_time", "user", "content_type", "object_repr", "what"]
    list_select_related = ["user", "content_type"]
    list_filter = [
        "action_flag",
        ("user", admin.RelatedOnlyFieldListFilter),
        ("content_type", admin.RelatedOnlyFieldListFilter),
    ]
    search_fields = ["object_repr", "change_message", "user__username"]
    date_hierarchy = "action_time"

    @admin.display(description="what was done")
    def what(self, entry: LogEntry) -> str:
        """Describe the change in words."""
        return entry.get_change_message() or entry.get_action_flag_display()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: only the admin site itself writes the history."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        """Refuse: the history is not rewritten."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        """Refuse: the history is the record of changes."""
        return False
