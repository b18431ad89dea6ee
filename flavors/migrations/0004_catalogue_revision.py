from django.db import migrations, models

from flavors.lists import revision


def install(apps, schema_editor):
    revision.install(schema_editor.connection)


def remove(apps, schema_editor):
    revision.remove(schema_editor.connection)


class Migration(migrations.Migration):
    """Have the database renew the catalogue's revision with every change of the catalogue."""

    dependencies = [
        ("flavors", "0003_synchronisation"),
        ("infrastructures", "0002_owner_permissions"),
    ]

    operations = [
        migrations.CreateModel(
            name="CatalogueRevision",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("value", models.CharField(max_length=36)),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.RunPython(install, remove),
    ]
