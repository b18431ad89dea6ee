from collections import defaultdict

from django.db import IntegrityError, migrations, models
from django.db.models.functions import Lower


def refuse_names_that_differ_in_case_alone(apps, schema_editor):
    infrastructures = apps.get_model("infrastructures", "Infrastructure").objects.using(schema_editor.connection.alias)
    alike = defaultdict(list)
    for name in infrastructures.order_by("name").values_list("name", flat=True):
        alike[name.lower()].append(name)
    found = ["/".join(names) for names in alike.values() if len(names) > 1]
    if found:
        raise IntegrityError(
            f"The names of these infrastructures differ in case alone: {', '.join(found)}. Rename one of them in the "
            "admin site of the old version, or unregister it there, and migrate again. Nothing was changed."
        )


class Migration(migrations.Migration):
    """Have the names of infrastructures be unique in any case."""

    dependencies = [("infrastructures", "0003_check")]

    operations = [
        migrations.RunPython(refuse_names_that_differ_in_case_alone, migrations.RunPython.noop, elidable=True),
        migrations.RemoveConstraint(model_name="infrastructure", name="infrastructure_name_unique"),
        migrations.AddField(
            model_name="infrastructure",
            name="name_key",
            field=models.GeneratedField(
                db_persist=False, expression=Lower("name"), output_field=models.CharField(max_length=255)
            ),
        ),
        migrations.AddIndex(
            model_name="infrastructure", index=models.Index(fields=["name"], name="infrastructure_by_name")
        ),
        migrations.AddConstraint(
            model_name="infrastructure",
            constraint=models.UniqueConstraint(
                fields=("name_key",),
                name="infrastructure_name_unique",
                violation_error_message="There is already an infrastructure of this name.",
            ),
        ),
    ]
