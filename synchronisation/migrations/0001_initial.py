import django.db.models.deletion
import django.utils.timezone
from django.contrib.contenttypes.models import ContentType
from django.db import migrations, models

MODELS = ("syncrun", "syncnode", "syncoutcome", "writtenflavor", "removal")


def take_over(apps, schema_editor):
    _rename_types(apps, schema_editor, "flavors", "synchronisation")


def give_back(apps, schema_editor):
    _rename_types(apps, schema_editor, "synchronisation", "flavors")


def _rename_types(apps, schema_editor, old, new):
    """Have the permissions and the admin site's history, which refer to a model's type, go with the model."""
    types = apps.get_model("contenttypes", "ContentType").objects.using(schema_editor.connection.alias)
    for model in MODELS:
        if not types.filter(app_label=new, model=model).exists():
            types.filter(app_label=old, model=model).update(app_label=new)
    ContentType.objects.clear_cache()


class Migration(migrations.Migration):
    """Take the synchronisation runs over from the app `flavors`, with all that refers to their types.

    The tables keep their names: nothing is copied, and the release before works on them meanwhile.
    """

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("flavors", "0012_runs_leave"),
        ("infrastructures", "0005_lost_answers"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="SyncRun",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("requested_by", models.CharField(blank=True, max_length=255)),
                        ("repairs", models.BooleanField(default=False)),
                        ("replaces", models.BooleanField(default=False)),
                        ("exact", models.BooleanField(default=False)),
                        ("flavorids", models.JSONField(blank=True, default=list, verbose_name="flavor ids")),
                        ("confirmed", models.JSONField(blank=True, editable=False, null=True)),
                        ("periodic", models.BooleanField(default=False)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "waiting"),
                                    ("running", "running"),
                                    ("in_sync", "in sync"),
                                    ("drift", "drift found"),
                                    ("partly_done", "partly done"),
                                    ("failed", "failed"),
                                ],
                                default="waiting",
                                max_length=11,
                            ),
                        ),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        ("task_id", models.CharField(blank=True, editable=False, max_length=64)),
                        ("created_at", models.DateTimeField(auto_now_add=True)),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "verbose_name": "synchronisation run",
                        "db_table": "flavors_syncrun",
                        "ordering": ["-created_at", "-pk"],
                        "indexes": [models.Index(fields=["state", "created_at"], name="syncrun_by_state")],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("finished_at", None), ("state__in", ["waiting", "running"])),
                                    models.Q(
                                        models.Q(("state__in", ["waiting", "running"]), _negated=True),
                                        ("finished_at__isnull", False),
                                    ),
                                    _connector="OR",
                                ),
                                name="syncrun_finished_when_ended",
                                violation_error_message="A run has an end when it is neither waiting nor running.",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SyncNode",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=255)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "waiting"),
                                    ("running", "running"),
                                    ("done", "done"),
                                    ("failed", "failed"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("error", models.TextField(blank=True)),
                        ("unreachable", models.BooleanField(db_default=False, default=False)),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("compared_at", models.DateTimeField(blank=True, null=True)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "infrastructure",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="synchronisations",
                                to="infrastructures.infrastructure",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="nodes",
                                to="synchronisation.syncrun",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "node of a synchronisation run",
                        "verbose_name_plural": "nodes of synchronisation runs",
                        "db_table": "flavors_syncnode",
                        "ordering": ["name", "pk"],
                    },
                ),
                migrations.CreateModel(
                    name="WrittenFlavor",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("flavorid", models.CharField(max_length=255, verbose_name="id")),
                        ("written_by", models.CharField(blank=True, max_length=255)),
                        ("written_at", models.DateTimeField()),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        (
                            "run",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="written_flavors",
                                to="synchronisation.syncrun",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "flavors_writtenflavor",
                        "ordering": ["written_at", "pk"],
                    },
                ),
                migrations.CreateModel(
                    name="Removal",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("flavorid", models.CharField(max_length=255, verbose_name="id there")),
                        ("was", models.JSONField()),
                        ("dropped", models.JSONField(blank=True, default=list)),
                        ("requested_by", models.CharField(blank=True, max_length=255)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("reason", models.TextField(blank=True)),
                        (
                            "infrastructure",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="removals",
                                to="infrastructures.infrastructure",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "flavors_removal",
                        "ordering": ["created_at", "pk"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("infrastructure", "flavorid"),
                                name="removal_once_per_node",
                                violation_error_message="The flavor is to go from this node already.",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SyncOutcome",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("flavorid", models.CharField(max_length=255, verbose_name="flavor id")),
                        ("name", models.CharField(max_length=255)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("in_sync", "in sync"),
                                    ("missing", "missing"),
                                    ("different", "different"),
                                    ("other_id", "under another id"),
                                    ("name_taken", "name taken"),
                                    ("unreachable", "unreachable"),
                                ],
                                max_length=11,
                            ),
                        ),
                        ("differences", models.JSONField(blank=True, default=list)),
                        (
                            "action",
                            models.CharField(
                                choices=[
                                    ("nothing", "nothing"),
                                    ("create", "create"),
                                    ("update", "update in place"),
                                    ("replace", "replace"),
                                    ("adopt", "adopt"),
                                    ("cannot", "cannot"),
                                ],
                                max_length=7,
                            ),
                        ),
                        ("reason", models.TextField(blank=True)),
                        ("servers", models.PositiveIntegerField(blank=True, null=True)),
                        (
                            "result",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("", "nothing to do"),
                                    ("planned", "planned"),
                                    ("done", "done"),
                                    ("failed", "failed"),
                                ],
                                default="",
                                max_length=7,
                            ),
                        ),
                        ("seconds", models.FloatField(blank=True, null=True)),
                        (
                            "node",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="outcomes",
                                to="synchronisation.syncnode",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "outcome of a synchronisation run",
                        "verbose_name_plural": "outcomes of synchronisation runs",
                        "db_table": "flavors_syncoutcome",
                        "ordering": ["name", "flavorid", "pk"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("node", "flavorid"),
                                name="syncoutcome_once_per_node",
                                violation_error_message="The flavor has an outcome in this node already.",
                            )
                        ],
                    },
                ),
                migrations.AddIndex(
                    model_name="syncnode",
                    index=models.Index(fields=["infrastructure", "compared_at"], name="syncnode_by_age"),
                ),
                migrations.AddConstraint(
                    model_name="syncnode",
                    constraint=models.UniqueConstraint(
                        fields=("run", "name"),
                        name="syncnode_once_per_run",
                        violation_error_message="The node is in this run already.",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="writtenflavor",
                    constraint=models.UniqueConstraint(
                        fields=("flavorid",),
                        name="writtenflavor_once",
                        violation_error_message="It is known already that this flavor was written.",
                    ),
                ),
            ]
        ),
        migrations.RunPython(take_over, give_back),
    ]
