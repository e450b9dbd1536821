"""What a workspace holds, as JSON: python -m tests.released.look HOME [BACKUP to restore into it first]."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.released.make import PASSPHRASE
from wellserved.cli import databases, upkeep_commands
from wellserved.storage.workspace import Workspace


def holds(workspace: Workspace) -> dict[str, object]:
    """Rows of each table, two measures, two journals, what was worth how much, and the second column of a table."""
    from django.conf import settings
    from django.db import connections

    from wellserved import improvement
    from wellserved.actions.questions import ask_measures
    from wellserved.journal import keys
    from wellserved.journal.handle import Journal
    from wellserved.measure import MeasureQuestion, find_measure
    from wellserved.storage import log
    from wellserved.store import models as of
    from wellserved.store.plan_models import Contract

    question = MeasureQuestion((find_measure("asked"), find_measure("resolved")), by="source")
    secret = settings.SECRET_KEY.encode()
    kim, lee = (of.Person.objects.get(username=name) for name in ("kim", "lee"))
    closed = Journal(lee.pk, secret)
    opened = Journal(lee.pk, secret, keys.present_volume(keys.keyring_of(lee.pk, secret)).key_for(PASSPHRASE, secret))
    columns = {}
    for alias in connections:
        with connections[alias].cursor() as cursor:
            for table in connections[alias].introspection.table_names(cursor):
                described = connections[alias].introspection.get_table_description(cursor, table)
                columns[table] = [column.name for column in described]
    return {
        "measures": {
            one.measure.name: dict(zip(one.segments, map(float, one.value), strict=True))  # type: ignore[arg-type]
            for one in ask_measures(workspace, question)
        },
        "journals": [one["line"] for one in Journal(kim.pk, secret).export_entries()],
        "draft": Journal(kim.pk, secret).draft("2026-W47"),
        "closed": closed.is_readable,
        "opened": [one["line"] for one in opened.export_entries()],
        "roles": {one.username: one.role for one in of.Person.objects.all()},
        "passwords": [one.check_password("correct horse battery") for one in of.Person.objects.all()],
        "account": [
            *(str(one) for one in of.Account.objects.values_list("revenue_year", "since").get()),
            *Contract.objects.values_list("exit_words", flat=True),
        ],
        "merged": of.Customer.objects.get(name="ACME Ltd").merged_into.name,  # type: ignore[union-attr]
        "moment": of.Shared.objects.get(word="missed").at.isoformat(),
        "words": sorted(of.Shared.objects.values_list("word", flat=True)),
        "improvements": [one.improvement.what for one in improvement.list_records(workspace)],
        "refused": [one.rows_refused for one in log.receipts(workspace)],
        "columns": columns,
    }


if __name__ == "__main__":
    home = Path(sys.argv[1])
    if len(sys.argv) > 2:
        upkeep_commands.restore(Path(sys.argv[2]), home)
    sys.stdout.write("\n" + json.dumps(holds(databases.prepare_workspace(home))) + "\n")
