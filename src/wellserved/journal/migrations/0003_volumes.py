import base64
from typing import Any

from django.db import migrations, models


def keep_locks(apps: Any, schema_editor: Any) -> None:
    """One lock a ring, by its kind and cost: passphrases were locked at 2^15, and the workspace's secret at no cost."""
    rings = apps.get_model("journal", "Keyring").objects.using(schema_editor.connection.alias)
    for ring in rings.all():
        kind, cost = ("passphrase", 15) if ring.passphrase else ("workspace", 0)
        salt, key = (base64.b64encode(bytes(part)).decode() for part in (ring.salt, ring.locked_key))
        ring.locks = {kind: {"cost": cost, "salt": salt, "key": key}}
        ring.save(update_fields=["locks"])


class Migration(migrations.Migration):
    dependencies = [
        ("journal", "0002_open_moments"),
    ]

    operations = [
        migrations.AddField("keyring", "volume", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField("keyring", "locks", models.JSONField(default=dict)),
        migrations.AddField(
            "keyring", "proof", models.CharField(blank=True, default="", max_length=128), preserve_default=False
        ),
        migrations.AddField("keyring", "former", models.JSONField(default=list)),
        migrations.AddField("entry", "volume", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField("draft", "volume", models.PositiveSmallIntegerField(default=0)),
        migrations.RunPython(keep_locks, migrations.RunPython.noop),
        migrations.RemoveField("keyring", "salt"),
        migrations.RemoveField("keyring", "locked_key"),
        migrations.RemoveField("keyring", "passphrase"),
        migrations.RemoveConstraint("draft", "draft_once"),
        migrations.AddConstraint(
            "draft", models.UniqueConstraint(fields=("owner", "volume", "week"), name="draft_once")
        ),
    ]
