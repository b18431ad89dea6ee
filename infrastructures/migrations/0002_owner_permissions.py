from django.db import migrations

from identity.roles import Role, grant


def grant_permissions(apps, schema_editor):
    grant(
        apps,
        schema_editor,
        Role.INFRASTRUCTURE_OWNER,
        app_label="infrastructures",
        model="infrastructure",
        codename="register_infrastructure",
        name="Can register, unregister and use nodes of their own",
    )


class Migration(migrations.Migration):
    """Let the role InfrastructureOwner register nodes."""

    dependencies = [
        ("infrastructures", "0001_initial"),
        ("identity", "0002_role_groups"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(grant_permissions, migrations.RunPython.noop)]
