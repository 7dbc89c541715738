from typing import Any

from django.db import migrations, models


def empty_to_null(apps: Any, schema_editor: Any) -> None:
    """Most notifications name no session; those that do are then all that the index holds."""
    _rows(apps, schema_editor).filter(session="").update(session=None)


def null_to_empty(apps: Any, schema_editor: Any) -> None:
    _rows(apps, schema_editor).filter(session=None).update(session="")


def _rows(apps: Any, schema_editor: Any) -> Any:
    return apps.get_model("django_hoiio", "Notification")._base_manager.using(schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [
        ("django_hoiio", "0004_add_closed_days"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="notification",
            name="hoiio_notification_session",
        ),
        migrations.AlterField(
            model_name="notification",
            name="session",
            field=models.CharField(
                blank=True,
                help_text="Hoiio's name of an interactive call; none where the notification names none.",
                max_length=64,
                null=True,
                verbose_name="session",
            ),
        ),
        migrations.RunPython(empty_to_null, null_to_empty),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("session__isnull", False)),
                fields=["session", "account"],
                name="hoiio_notification_session",
            ),
        ),
    ]
