"""Make the groups whose permissions the roles of the FIWARE IdM give.

They are made without permissions: the apps that know what is to be permitted add theirs with
`identity.roles.grant`. Going back leaves them, since local accounts may be members by then.
"""

from typing import TYPE_CHECKING

from django.db import migrations

from identity.roles import Role

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make_groups(apps: "Apps", schema_editor: "BaseDatabaseSchemaEditor") -> None:
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for role in Role:
        groups.get_or_create(name=role.value)


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
