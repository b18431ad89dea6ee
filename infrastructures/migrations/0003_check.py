import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("infrastructures", "0002_owner_permissions")]

    operations = [
        migrations.CreateModel(
            name="Check",
            fields=[
                (
                    "infrastructure",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="check_result",
                        serialize=False,
                        to="infrastructures.infrastructure",
                    ),
                ),
                ("checked_at", models.DateTimeField()),
                ("authenticated", models.BooleanField(default=False)),
                ("compute_endpoint", models.TextField(blank=True)),
                ("microversion", models.CharField(blank=True, max_length=16)),
                ("may_create_flavors", models.BooleanField(null=True)),
                ("may_delete_flavors", models.BooleanField(null=True)),
                ("problem", models.TextField(blank=True)),
            ],
            options={"verbose_name": "check of a connection", "ordering": ["infrastructure"]},
        ),
    ]
