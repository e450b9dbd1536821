"""Make the fixture of a version: a workspace that has a little of everything, and its backup.

Run by the code of that version, from any folder: PYTHONPATH=<its src> python make.py TARGET
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellserved.storage.workspace import Workspace
    from wellserved.store.models import Person

AT = datetime(2026, 11, 16, 9, 30, 0, 123456, tzinfo=UTC)
PASSPHRASE = "four words and more"
ROLES = {"kim": ("lead", "A"), "lee": ("member", "A"), "mo": ("member", "B"), "quinn": ("quality", ""),
         "fin": ("finance", ""), "ada": ("admin", ""), "aud": ("auditor", "")}  # fmt: skip
TICKETS = """
name = "tickets"
case = "id"
zone = "Europe/Berlin"
[columns]
team = "team"
[[moment]]
kind = "asked"
at = "opened"
required = true
text = "words"
[[moment]]
kind = "promised"
at = "opened"
due = "due"
[[moment]]
kind = "resolved"
at = "closed"
"""
ROWS = """id,opened,due,closed,team,words
1,2026-11-02 09:00,2026-11-03 12:00,2026-11-02 10:00,A,invoice wrong
2,2026-11-02 09:00,2026-11-03 12:00,2026-11-04 09:00,A,no answer
3,2026-11-03 09:00,2026-11-05 12:00,2026-11-03 13:00,B,Grüße aus Köln
4,2026-11-04 09:00,2026-11-06 12:00,,B,still open
5,2026-11-05 09:00,,2026-11-05 11:00,A,"two
lines"
x,no date,,,A,refused
"""


def main(target: Path) -> None:
    """Write workspace.tar.gz, backup.zip and holds.json into the folder `target`."""
    target = target.absolute()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ |= {"WELLSERVED_HOME": str(home), "DJANGO_SETTINGS_MODULE": "wellserved.web.settings"}
        from wellserved.storage.workspace import create_workspace

        workspace = create_workspace(home, "Europe/Berlin")
        import django

        django.setup()
        from wellserved.actions import sharing
        from wellserved.actions.imports import import_file
        from wellserved.mapping import parse_mapping

        backups, membership, setup = _modules()
        setup.prepare(workspace)
        (Path(folder) / "tickets.csv").write_text(ROWS, encoding="utf-8")
        import_file(workspace, Path(folder) / "tickets.csv", parse_mapping(TICKETS, "tickets.toml"), now=AT)
        _improve(workspace)
        people = _people(membership)
        _things(people, membership)
        _journals(people)
        while sharing.write_pending(workspace, AT + timedelta(days=1)):
            pass
        facts = backups.write_backup(workspace, target / "backup.zip", lambda *_: None)
        holds = {"rows": facts["rows"], "log_version": facts["log_version"], "measures": _numbers(workspace)}
        (target / "holds.json").write_text(json.dumps(holds, indent=1) + "\n", encoding="utf-8")
        from django.db import connections

        connections.close_all()
        with tarfile.open(target / "workspace.tar.gz", "w:gz") as packed:
            packed.add(home, "home", filter=lambda one: None if one.name.endswith((".lock", "-wal", "-shm")) else one)


def _improve(workspace: Workspace) -> None:
    from wellserved.actions.improvements import declare_improvement
    from wellserved.improvement import Improvement

    declare_improvement(
        workspace,
        Improvement("callback", "We call back within the hour.", "2026-11-09", "time_to_resolution", who="kim"),
        AT,
    )


def _modules() -> tuple[Any, Any, Any]:
    """Where a version has its backups, its people and its databases."""
    try:
        from wellserved.actions import backups, membership, setup
    except ImportError:  # 0.1.0
        from wellserved.actions import house  # type: ignore[attr-defined]

        return house, house, house
    return backups, membership, setup


def _people(membership: Any) -> dict[str, Person]:
    from wellserved.store.models import Person

    for name, (role, team) in ROLES.items():
        membership.add_person(name, role, team, "correct horse battery", f"person-{name}", name == "kim")
    return {one.username: one for one in Person.objects.all()}


def _things(people: dict[str, Person], membership: Any) -> None:
    """Rows in every table of the store."""
    from allauth.account.models import EmailAddress
    from allauth.mfa.models import Authenticator

    from wellserved.actions import sharing
    from wellserved.store import models as of
    from wellserved.store.plan_models import Contract

    worth = of.Account.objects.create(
        name="Acme Group", team=people["kim"].team, revenue_year=Decimal("120000.50"), currency="EUR",
        since=date(2020, 2, 29), expected_years=Decimal("4.5"),
    )  # fmt: skip
    Contract.objects.create(
        account=worth,
        starts=date(2020, 2, 29),
        notice_value=30,
        notice_unit="day",
        exit_words='Any time, "in writing".',
    )
    acme = of.Customer.objects.create(name="Acme", account=worth)
    of.Customer.objects.create(name="ACME Ltd", merged_into=acme)
    of.Customer.objects.create(name="Facilities", internal=True)
    tree = of.Cause.objects.create(name="process")
    of.Cause.objects.create(name="handover", parent=tree)
    EmailAddress.objects.create(user=people["kim"], email="kim@example.com", primary=True, verified=True)
    Authenticator.objects.create(user=people["ada"], type="recovery_codes", data={"seed": "s", "used_mask": 1})
    membership.invite(people["kim"], "new", "member", people["kim"].team)
    of.ApiKey.objects.create(
        owner=people["lee"], name="script", prefix="ws_1", digest="d" * 64, scopes="write", expires=AT
    )
    of.Hook.objects.create(owner=people["lee"], sort="standard", secret="c2VjcmV0")
    of.Look.objects.create(viewer=people["kim"], subject="person-lee", what="time_to_resolution")
    of.Event.objects.create(actor="kim", deed="invited", object="new")
    of.Sent.objects.create(owner=people["lee"], key="k", digest="d", answer={"ids": []})
    due = (AT + timedelta(days=1)).isoformat()
    asked = sharing.share(
        people["lee"], {"word": "promise", "text": "contract draft", "customer": "Acme", "due": due}, AT
    )
    sharing.share(people["lee"], {"word": "kept"}, AT + timedelta(hours=3), thread=asked.thread)
    sharing.share(people["lee"], {"word": "promise", "text": "runs still", "due": due}, AT, "lead")
    failure = {"word": "missed", "text": "wrong invoice", "customer": "ACME Ltd", "cause": "handover", "severity": "major",
               "hours": 2.5, "amount": 99.95, "currency": "EUR", "people": ["kim"]}  # fmt: skip
    sharing.share(people["lee"], failure, AT, "quality")
    sharing.share(
        people["mo"], {"word": "gap", "expected": 5, "score": 3, "scale": "csat5", "customer": "Facilities"}, AT
    )
    sharing.withdraw_copy(sharing.share(people["mo"], {"word": "complaint", "text": "taken back"}, AT))


def _journals(people: dict[str, Person]) -> None:
    """One journal that the workspace's secret opens, and one with a passphrase."""
    from django.conf import settings

    from wellserved.journal.handle import Journal

    secret = settings.SECRET_KEY.encode()
    kim = Journal(people["kim"].pk, secret)
    for number in range(3):
        kim.write({"word": "note", "line": f"note: kim’s entry {number}"}, at=AT + timedelta(hours=number))
    kim.keep_draft("2026-W47", "a draft")
    lee = Journal(people["lee"].pk, secret)
    lee.write({"word": "lesson", "line": "lesson: behind a passphrase"}, at=AT)
    try:
        from wellserved.journal import keys
    except ImportError:  # 0.1.0
        lee.set_passphrase(PASSPHRASE)  # type: ignore[attr-defined]
    else:
        lee.rekey(keys.PASSPHRASE, PASSPHRASE)


def _numbers(workspace: Workspace) -> dict[str, dict[str, float]]:
    """Measure -> source -> value."""
    from wellserved.actions.questions import ask_measures
    from wellserved.measure import MeasureQuestion, find_measure

    question = MeasureQuestion((find_measure("asked"), find_measure("resolved")), by="source")
    return {
        one.measure.name: {
            str(source): float(value)
            for source, value in zip(one.segments, one.value, strict=True)
            if isinstance(value, int | float)
        }
        for one in ask_measures(workspace, question)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
