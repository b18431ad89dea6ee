from django.db import migrations

from identity.roles import Role, grant


def grant_permissions(apps, schema_editor):
    grant(
        apps,
        schema_editor,
        Role.INFRASTRUCTURE_OWNER,
        app_label="flavors",
        model="flavor",
        codename="view_flavor",
        name="Can view flavor",
    )


class Migration(migrations.Migration):
    """Let the role InfrastructureOwner see the catalogue in the pages."""

    dependencies = [("flavors", "0006_partly_done_runs")]

    operations = [migrations.RunPython(grant_permissions, migrations.RunPython.noop)]
