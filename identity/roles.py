"""The roles that identity providers grant, each a Django group of the same name.

An administrator sees and changes a role's permissions in the admin site.
"""

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class Role(models.TextChoices):
    """The only role names that are ever taken from a token.

    So an IdM role that happens to share another group's name does not grant that group.
    """

    INFRASTRUCTURE_MANAGER = "InfrastructureManager", "Infrastructure manager"
    INFRASTRUCTURE_OWNER = "InfrastructureOwner", "Infrastructure owner"


def grant(
    apps: "Apps",
    schema_editor: "BaseDatabaseSchemaEditor",
    role: Role,
    *,
    app_label: str,
    model: str,
    codename: str,
    name: str,
) -> None:
    """Give the group of *role* a permission, from a migration that depends on identity's 0002.

    Django creates permissions after all migrations have run, which is too late for a migration; so
    this creates the permission as Django would, and Django leaves it alone. Running it again changes
    nothing. Up to eight queries.
    """
    database = schema_editor.connection.alias
    content_type, _ = (
        apps.get_model("contenttypes", "ContentType")
        .objects.using(database)
        .get_or_create(app_label=app_label, model=model)
    )
    permission, _ = (
        apps.get_model("auth", "Permission")
        .objects.using(database)
        .get_or_create(content_type=content_type, codename=codename, defaults={"name": name})
    )
    group, _ = apps.get_model("auth", "Group").objects.using(database).get_or_create(name=role.value)
    group.permissions.add(permission)
