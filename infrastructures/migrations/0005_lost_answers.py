from datetime import timedelta

from django.conf import settings
from django.db import migrations, models
from django.utils import timezone


def doubt_what_is_open(apps, schema_editor):
    """Watch what was cut short before: its deletion may still be carried out."""
    until = timezone.now() + timedelta(seconds=settings.LOST_ANSWER_SECONDS)
    apps.get_model("infrastructures", "Replacement").objects.update(unsure_until=until)


class Migration(migrations.Migration):
    dependencies = [
        ("infrastructures", "0004_names_in_any_case"),
    ]

    operations = [
        migrations.AddField(
            model_name="infrastructure",
            name="replaced",
            field=models.PositiveBigIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="How many replacements have come to an end: a list that was read meanwhile may lack a flavor.",
            ),
        ),
        migrations.AddField(
            model_name="replacement",
            name="is_met",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Whether Nova has been seen to have what is wanted.",
                verbose_name="met",
            ),
        ),
        migrations.AddField(
            model_name="replacement",
            name="unsure_until",
            field=models.DateTimeField(
                blank=True,
                help_text="Until when a change that was sent may still be carried out; empty when all are answered.",
                null=True,
                verbose_name="watched until",
            ),
        ),
        migrations.AlterField(
            model_name="replacement",
            name="goal",
            field=models.CharField(
                choices=[
                    ("new", "finish the replacement"),
                    ("old", "put the old flavor back"),
                    ("nil", "nothing is wanted"),
                ],
                default="new",
                max_length=3,
            ),
        ),
        migrations.AlterField(
            model_name="replacement",
            name="new",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="replacement",
            name="old",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="replacement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("goal", "nil"),
                    models.Q(("goal", "new"), ("new__isnull", False)),
                    models.Q(("goal", "old"), ("old__isnull", False)),
                    _connector="OR",
                ),
                name="replacement_has_what_it_wants",
                violation_error_message="A flavor that is wanted has to be written down.",
            ),
        ),
        migrations.AddConstraint(
            model_name="replacement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("goal", "nil"), _negated=True),
                    models.Q(("is_met", False), ("old__isnull", True), ("unsure_until__isnull", False)),
                    _connector="OR",
                ),
                name="replacement_wants_nothing_for_a_while",
                violation_error_message="What wants nothing has no old flavor, and goes when all is answered.",
            ),
        ),
        migrations.RunPython(doubt_what_is_open, migrations.RunPython.noop),
    ]
