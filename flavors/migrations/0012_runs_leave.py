from django.db import migrations


class Migration(migrations.Migration):
    """Hand the synchronisation runs over to the app `synchronisation`; their tables stay as they are."""

    dependencies = [("flavors", "0011_written_flavors")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("SyncOutcome"),
                migrations.DeleteModel("WrittenFlavor"),
                migrations.DeleteModel("Removal"),
                migrations.DeleteModel("SyncNode"),
                migrations.DeleteModel("SyncRun"),
            ]
        )
    ]
