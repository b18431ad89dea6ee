from django.db import migrations

from identity.roles import Role, grant


def grant_permissions(apps, schema_editor):
    for codename, name in (
        ("view_flavor", "Can view flavor"),
        ("promote_flavor", "Can promote flavors, and make, change and delete promoted ones"),
    ):
        grant(
            apps,
            schema_editor,
            Role.INFRASTRUCTURE_MANAGER,
            app_label="flavors",
            model="flavor",
            codename=codename,
            name=name,
        )


class Migration(migrations.Migration):
    """Let the role InfrastructureManager manage promoted flavors."""

    dependencies = [
        ("flavors", "0001_initial"),
        ("identity", "0002_role_groups"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(grant_permissions, migrations.RunPython.noop)]
