"""Ticket exports as their makers write them, read by the preset that knows them: in any order, with columns left out.

Every file is made up. Its totals were counted by hand from the rows that stand here.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest

from tests.conftest import NOW
from wellserved.actions.imports import ImportResult, import_file
from wellserved.actions.questions import ask_measures
from wellserved.mapping import Mapping, recognise_preset
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.record import ROW_NUMBER, record_rows
from wellserved.render.tables import receipts
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace


@dataclass(frozen=True)
class Export:
    """A vendor's file, and what it holds: moments by kind, and which kinds go with which optional column."""

    name: str
    table: str  # header and rows, cells parted by |
    moments: dict[str, int]
    first: tuple[str, str]  # the first ticket's opening in UTC, and its customer
    lost: dict[str, str] = field(default_factory=dict)  # optional column -> kind of moment that it alone carries
    facts: tuple[str, ...] = ()  # optional columns that carry a fact or a word
    delimiter: str = ","
    zone: str = "Europe/Berlin"

    @property
    def rows(self) -> list[list[str]]:
        return [[cell.strip() for cell in line.split("|")] for line in self.table.strip().splitlines()]


EXPORTS = [
    Export(
        "zendesk",
        # 4 tickets: 2 solved, 1 open again with an old time of solving, 1 new. A task with a due date; rounded hours.
        """
ID|Subject|Requester|Requester ID|Assignee|Group|Status|Priority|Via|Ticket type|Created at|Updated at|Initially assigned at|Organization|Due date|Solved at|Resolution time|Satisfaction Score|Group stations|Reopens|First reply time in minutes
11|Printer|Kim Doe|901|Ana|Desk|Solved|Low|Web|Problem|2026-01-09 09:00|2026-01-12 09:00|2026-01-09 09:05|Acme||2026-01-11 09:00|48|Good|1|0|30
12|Screen|Kim Doe|902|Ana|Desk|Closed|Low|Mail|Task|2026-01-10 09:00|2026-01-12 09:00|2026-01-10 09:05|Acme|2026-01-14|2026-01-12 09:00|48|Bad|2|1|31
13|Mouse|Lee Roe|903||Desk|Open|High|Mail|Question|2026-01-11 09:00|2026-01-13 09:00|2026-01-11 09:05|||2026-01-12 08:00|23|Offered|1|1|
14|Cable|Lee Roe|903||Desk|New|High|Mail|Question|2026-01-12 09:00|2026-01-12 09:00||||||Unoffered|1|0|
""",
        {"asked": 4, "assigned": 3, "promised": 1, "replied": 2, "resolved": 2, "rated": 2, "surveyed": 3},
        ("2026-01-09 08:00:00", "901"),
        {"Due date": "promised", "Satisfaction Score": "rated", "First reply time in minutes": "replied"},
        ("Subject", "Assignee", "Group", "Priority", "Via", "Ticket type", "Organization"),
    ),
    Export(
        "freshdesk",
        # Durations as H:MM:SS in columns that say hours; SLA in words; a survey in words; a ticket on a custom status, and one
        # that is open again with the time of its old resolution.
        """
Ticket ID|Subject|Status|Priority|Source|Type|Agent|Group|Created time|Due by Time|Resolved time|Closed time|Last update time|Initial response time|Time tracked|First response time (in hrs)|Resolution time (in hrs)|Agent interactions|Customer interactions|Resolution status|First response status|Survey results|Product|Contact ID|Company Name
1|Login|Closed|Low|Email|Problem|Ana|Desk|2026-01-09 09:00:00|2026-01-12 09:00:00|2026-01-11 09:00:00|2026-01-11 10:00:00|2026-01-14 09:00:00|2026-01-09 11:00:00|00:00|02:00:00|48:00:00|2|1|Within SLA|Within SLA|Extremely Happy|App|501|Acme
2|Crash|Resolved|High|Phone|Problem|Ana|Desk|2026-01-10 09:00:00|2026-01-11 09:00:00|2026-01-12 09:00:00||2026-01-15 09:00:00|2026-01-10 10:00:00|00:00|01:00:00|48:00:00|3|2|SLA Violated|Within SLA|Neutral|App|502|Acme
3|Price|With the builder|Low|Email|Question||Desk|2026-01-11 09:00:00|2026-01-14 09:00:00|||2026-01-11 09:00:00|||||0|1|||||503|
4|Again|Open|Low|Email|Question||Desk|2026-01-12 09:00:00|2026-01-14 09:00:00|2026-01-13 09:00:00||2026-01-15 09:00:00|||||0|1|||||504|
""",
        {"asked": 4, "promised": 4, "replied": 2, "resolved": 2, "rated": 2},
        ("2026-01-09 08:00:00", "501"),
        {"Initial response time": "replied", "Survey results": "rated"},
        ("Subject", "Agent", "Group", "Source", "Type", "Product", "Priority", "Company Name", "Resolution status"),
    ),
    Export(
        "jira_sm",
        # Dates as 09/Jan/26 9:00 AM; names that repeat; SLA cells say what was left, never how long it took.
        """
Summary|Issue key|Issue id|Issue Type|Status|Project name|Priority|Assignee|Reporter|Created|Updated|Resolved|Due date|Labels|Labels|Custom field (Time to first response)|Custom field (Time to resolution)|Custom field (Request Type)|Satisfaction rating
Laptop|SUP-1|1001|Service Request|Done|Support|Low|Ana|u1|09/Jan/26 9:00 AM|14/Jan/26 9:00 AM|11/Jan/26 9:00 AM|12/Jan/26|x|y|2:00|-3:20|Get IT help|5
Phone|SUP-2|1002|Service Request|Done|Support|Low|Ana|u2|10/Jan/26 9:00 AM|15/Jan/26 9:00 AM|12/Jan/26 9:30 PM||x||2:00|1:00|Get IT help|2
Badge|SUP-3|1003|Service Request|Waiting|Support|High||u1|13/Jan/26 9:00 AM|13/Jan/26 9:00 AM||||||1:00|New badge|
""",
        {"asked": 3, "promised": 1, "resolved": 2, "rated": 2},
        ("2026-01-09 08:00:00", "u1"),
        {"Due date": "promised", "Satisfaction rating": "rated"},
        ("Summary", "Assignee", "Project name", "Priority", "Reporter", "Custom field (Request Type)"),
    ),
    Export(
        "servicenow_list",
        # made_sla says true while an incident is open: only the two that are over speak of a promise.
        """
number|short_description|caller_id|priority|state|category|subcategory|assignment_group|assigned_to|contact_type|company|location|opened_at|resolved_at|closed_at|made_sla|reopen_count
INC1|Mail|Kim|3 - Moderate|Closed|Software|Email|Desk|Ana|Phone|Acme|Rome|2026-01-09 09:00:00|2026-01-11 09:00:00|2026-01-16 09:00:00|true|0
INC2|VPN|Lee|3 - Moderate|Resolved|Network|VPN|Net|Bo|Self-service|Acme|Rome|2026-01-10 09:00:00|2026-01-13 09:00:00||false|1
INC3|Disk|Kim|2 - High|In Progress|Hardware|Disk|Desk||Phone|Acme|Oslo|2026-01-11 09:00:00|2026-01-11 10:00:00||true|1
""",
        {"asked": 3, "promised": 2, "resolved": 2},
        ("2026-01-09 08:00:00", "Kim"),
        {"made_sla": "promised"},
        (
            *("short_description", "caller_id", "priority", "category", "subcategory", "assignment_group"),
            *("assigned_to", "contact_type", "company", "location"),
        ),
    ),
    Export(
        "intercom",
        # The columns name their zone; New York is five hours behind UTC in January.
        """
Conversation ID|Conversation started at (America/New_York)|Teammate currently assigned|Team currently assigned|Channel|Current conversation state|Last teammate rating|Ticket type|Topics|Conversation last closed at (America/New_York)|Conversation first replied at (America/New_York)|User ID|Company|Conversation priority|Time to close (seconds)
501|2026-01-09 09:00:00|Ana|Tier 1|Email|Closed|5||Billing|2026-01-11 09:00:00|2026-01-09 09:20:00|c1|Acme|Not Priority|172800
502|2026-01-10 09:00:00|Ana|Tier 1|Chat|Open|2||Billing|2026-01-10 10:00:00|2026-01-10 09:10:00|c2|Acme|Not Priority|
503|2026-01-11 09:00:00||Tier 1|Chat|Snoozed|||Login|||c1||Priority|
""",
        {"asked": 3, "replied": 2, "resolved": 1, "rated": 2},
        ("2026-01-09 14:00:00", "c1"),
        {
            "Conversation first replied at (America/New_York)": "replied",
            "Last teammate rating": "rated",
            "Conversation last closed at (America/New_York)": "resolved",
            "Current conversation state": "resolved",
        },
        (
            *("Teammate currently assigned", "Team currently assigned", "Channel", "Topics", "User ID", "Company"),
            *("Ticket type", "Conversation priority"),
        ),
    ),
    Export(
        "glpi",
        # French names, day first; an answer to the survey that was not given is empty.
        """
ID|Titre|Statut|Dernière modification|Date d'ouverture|Priorité|Demandeur - Demandeur|Assigné à - Technicien|Catégorie|TTR|Date de résolution|Date de clôture|Enquête de satisfaction - Satisfaction|Type|Lieu|Entité|Source de la demande|Assigné à - Groupe de techniciens
1|Imprimante|Clos|11-01-2026 09:00|09-01-2026 09:00|Moyenne|u1|ana|Matériel|12-01-2026 09:00|11-01-2026 09:00|11-01-2026 09:00|4|Incident|Lyon|Acme|Téléphone|Réseau
2|Souris|Résolu|12-01-2026 09:00|10-01-2026 09:00|Moyenne|u2|ana|Matériel||12-01-2026 09:00|||Incident|Lyon|Acme|Téléphone|Réseau
3|Clavier|En attente|11-01-2026 09:00|11-01-2026 09:00|Haute|u1||Matériel|14-01-2026 09:00|11-01-2026 10:00|||Incident|Lyon|Acme|Téléphone|Réseau
""",
        {"asked": 3, "promised": 2, "resolved": 2, "rated": 1},
        ("2026-01-09 08:00:00", "u1"),
        {"TTR": "promised", "Enquête de satisfaction - Satisfaction": "rated"},
        (
            *(
                "Titre",
                "Priorité",
                "Demandeur - Demandeur",
                "Assigné à - Technicien",
                "Catégorie",
                "Type",
                "Lieu",
                "Entité",
            ),
            *("Source de la demande", "Assigné à - Groupe de techniciens"),
        ),
        delimiter=";",
    ),
    Export(
        "request_tracker",
        # Tabs, `Not set`, local times as ctime writes them, and a quotation mark that is only a word's.
        """
id|Subject|Status|QueueName|Owner|Priority|Requestors|Created|Due|Resolved|Told|LastUpdated|TimeLeft
101|Screen of 24" is dark|resolved|General|root (Enoch Root)|10|kim@example.org|Fri Jan 09 09:00:00 2026|Mon Jan 12 09:00:00 2026|Sun Jan 11 09:00:00 2026|Not set|Sun Jan 11 09:00:00 2026|0
102|Spam|rejected|General|Nobody in particular|0|x@example.org|Sat Jan 10 09:00:00 2026|Not set|Not set|Not set|Sat Jan 10 09:10:00 2026|0
103|Mouse|open|General|root (Enoch Root)|0|kim@example.org|Sun Jan 11 09:00:00 2026|Not set|Not set|Not set|Sun Jan 11 09:00:00 2026|0
""",
        {"asked": 3, "promised": 1, "resolved": 1, "abandoned": 1},
        ("2026-01-09 08:00:00", "kim@example.org"),
        {"Due": "promised"},
        ("QueueName", "Owner", "Priority"),
        delimiter="\t",
    ),
    Export(
        "zammad",
        # UTC with milliseconds; first replies and closings have escalation times of their own; a merged ticket.
        """
id|number|title|group|owner|customer|organization|state|priority|create_article_type|article_count|created_at|first_response_at|first_response_escalation_at|close_at|close_escalation_at|escalation_at|updated_at
1|62001|Printer|Users|ana|c1|Acme|closed|2 normal|email|3|2026-01-09T09:00:00.000Z|2026-01-09T11:00:00.000Z|2026-01-09T13:00:00.000Z|2026-01-11T09:00:00.000Z|2026-01-12T09:00:00.000Z||2026-01-14T09:00:00.000Z
2|62002|Screen|Users|ana|c2|Acme|open|3 high|phone|3|2026-01-10T09:00:00.000Z|2026-01-10T10:00:00.000Z|2026-01-10T13:00:00.000Z|2026-01-11T09:00:00.000Z|2026-01-13T09:00:00.000Z||2026-01-15T09:00:00.000Z
3|62003|Mouse|Users|-|c2||new|2 normal|web|1|2026-01-11T09:00:00.000Z|||||2026-01-11T13:00:00.000Z|2026-01-11T09:00:00.000Z
""",
        {"asked": 3, "promised": 2, "replied": 2, "resolved": 1},
        ("2026-01-09 09:00:00", "c1"),
        {"close_escalation_at": "promised", "first_response_at": "replied"},
        ("title", "group", "customer", "organization", "priority", "create_article_type"),
    ),
    Export(
        "osticket",
        # Times of agents in words of a locale that names the half of the day; a ticket that was closed and opened again keeps none.
        """
Ticket Number|Date Created|Subject|From|From Email|Priority|Department|Help Topic|Source|Current Status|Last Updated|SLA Due Date|Closed Date|Overdue|Answered|Agent Assigned|Team Assigned|Reopen Count
100001|1/9/26 9:00 AM|Printer|Kim Doe|kim@example.org|Normal|Support|Report a Problem|Email|Closed|1/11/26 9:00 AM|1/12/26 9:00 AM|1/11/26 9:00 AM|No|Yes|Ana|Level I|0
100002|1/14/26 2:30 PM|Screen|Lee Roe|lee@example.org|High|Sales|General Inquiry|Web|Open|1/14/26 2:30 PM|1/15/26 2:30 PM||Yes|No||Level I|1
100003|1/20/26 9:00 AM|Mouse|Lee Roe|lee@example.org|Normal|Support|General Inquiry|Phone|Resolved|1/21/26 9:00 AM||1/21/26 9:00 AM|No|Yes|Ana|Level I|0
""",
        {"asked": 3, "promised": 2, "resolved": 2},
        ("2026-01-09 08:00:00", "kim@example.org"),
        {"SLA Due Date": "promised"},
        ("Subject", "Priority", "Department", "Help Topic", "Source", "Agent Assigned", "Team Assigned"),
    ),
    Export(
        "hubspot",
        """
Ticket ID|Ticket name|Pipeline|Ticket status|Priority|Source|Category|Ticket owner|HubSpot Team|Create date|Close date|First agent email response date|Time to close (HH:mm:ss)|Associated Contact IDs|Associated Company IDs
7001|Invoice|Support Pipeline|Closed|Low|Email|Billing|Ana|Desk|2026-01-09 09:00|2026-01-11 09:00|2026-01-09 09:40|48:00:00|51|9001
7002|Login|Support Pipeline|Waiting on contact|High|Chat|Access|Ana|Desk|2026-01-10 09:00||2026-01-10 09:10||52|9001
7003|Export|Support Pipeline|New|High|Form|Access||Desk|2026-01-11 09:00||||52|
""",
        {"asked": 3, "replied": 2, "resolved": 1},
        ("2026-01-09 08:00:00", "51"),
        {"First agent email response date": "replied", "Close date": "resolved"},
        (
            "Ticket name",
            "Pipeline",
            "Priority",
            "Source",
            "Category",
            "Ticket owner",
            "HubSpot Team",
            "Associated Company IDs",
        ),
    ),
    Export(
        "freescout",
        # Numbers for states: 1 active, 2 pending, 3 closed. A conversation that was opened again keeps the time of its closing.
        """
id|number|threads_count|type|folder_id|status|state|subject|customer_email|user_id|customer_id|mailbox_id|source_type|created_at|updated_at|closed_at|last_reply_at
31|1|3|1|2|3|2|Printer|kim@example.org|4|77|1|1|2026-01-09 09:00:00|2026-01-11 09:00:00|2026-01-11 09:00:00|2026-01-11 09:00:00
32|2|2|1|2|1|2|Screen|lee@example.org|4|78|1|1|2026-01-10 09:00:00|2026-01-12 09:00:00|2026-01-11 09:00:00|2026-01-12 09:00:00
33|3|1|1|2|2|2|Mouse|lee@example.org||78|1|2|2026-01-11 09:00:00|2026-01-11 09:00:00|NULL|2026-01-11 09:00:00
""",
        {"asked": 3, "resolved": 1},
        ("2026-01-09 09:00:00", "77"),
        {},
        ("subject", "user_id", "customer_id", "source_type"),
    ),
    *(
        Export(
            "boston311",
            # on_time says ONTIME for the case without a target too, which makes no promise.
            f"""
case_enquiry_id|open_dt|{due}|closed_dt|{kept}|case_status|closure_reason|case_title|reason|type|department|neighborhood|source
101|2026-01-09 09:00:00|2026-01-12 09:00:00|2026-01-11 09:00:00|ONTIME|Closed|Done|Lamp|Street Lights|Outage|PWDx|Roxbury|Phone
102|2026-01-10 09:00:00|2026-01-11 09:00:00|2026-01-12 09:00:00|OVERDUE|Closed|Done|Lamp|Street Lights|Outage|PWDx|Roxbury|App
103|2026-01-11 09:00:00|||ONTIME|Open||Tree|Trees|Request|PARK|Dorchester|App
""",
            {"asked": 3, "promised": 2, "resolved": 2},
            ("2026-01-09 14:00:00", ""),
            {due: "promised"},
            ("closure_reason", "case_title", "reason", "type", "department", "neighborhood", "source", kept),
            zone="America/New_York",
        )
        for due, kept in (("sla_target_dt", "on_time"), ("target_dt", "ontime"))
    ),
]
NAMES = [f"{one.name}-{place}" for place, one in enumerate(EXPORTS)]


def written(export: Export, path: Path, order: Sequence[int]) -> Path:
    """The file with its columns in this order, as its maker writes it."""
    rows = [[row[place] for place in order] for row in export.rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        if export.delimiter == "\t":  # which quotes nothing
            file.writelines("\t".join(row) + "\n" for row in rows)
        else:
            quoting: Literal[0, 1] = csv.QUOTE_ALL if export.delimiter == ";" else csv.QUOTE_MINIMAL
            csv.writer(file, delimiter=export.delimiter, quoting=quoting).writerows(rows)
    return path


def logged(workspace: Workspace, columns: str, group: str = "") -> list[tuple[Any, ...]]:
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        files = list(log.snapshot(workspace.log).files)
        return db.sql(f"SELECT {columns} FROM read_parquet({files!r}) {group}").fetchall()


def imported(export: Export, folder: Path, order: Sequence[int]) -> tuple[Workspace, ImportResult]:
    workspace = create_workspace(folder / "home", "Europe/Berlin")
    return workspace, import_file(workspace, written(export, folder / "tickets.csv", order), now=NOW)


@pytest.mark.parametrize("export", EXPORTS, ids=NAMES)
def test_an_export_is_known_by_its_columns_and_its_totals_are_exact(export: Export, tmp_path: Path) -> None:
    order = list(range(len(export.rows[0])))
    random.Random(len(order)).shuffle(order)
    workspace, done = imported(export, tmp_path, order)
    assert (done.receipt.source, done.refusals) == (export.name, None)
    assert done.receipt.rows_loaded == len(export.rows) - 1
    assert dict(logged(workspace, "kind, count(*)", "GROUP BY kind")) == export.moments
    (first,) = logged(
        workspace,
        "strftime(\"at\", '%Y-%m-%d %H:%M:%S'), coalesce(customer_id, '')",
        "WHERE kind = 'asked' ORDER BY \"at\" LIMIT 1",
    )
    assert first == export.first
    still_open = len(export.rows) - 1 - export.moments["resolved"] - export.moments.get("abandoned", 0)
    (stock,) = ask_measures(workspace, MeasureQuestion((find_measure("still_open"),)))
    assert stock.value == (still_open,)


def batch(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[Mapping, dict[str, int]]:
    """What the preset makes of these rows: moments by kind."""
    mapping = recognise_preset(header)
    assert mapping is not None
    zone = "Europe/Berlin" if mapping.zone == "workspace" else mapping.zone
    mapping = Mapping(**{**mapping.__dict__, "zone": zone})
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{column}" VARCHAR' for column in header)
        db.execute(f"CREATE TABLE raw ({ROW_NUMBER} BIGINT, {columns})")
        marks = ", ".join("?" for _ in range(len(header) + 1))
        db.executemany(f"INSERT INTO raw VALUES ({marks})", [[place, *row] for place, row in enumerate(rows, start=2)])
        done = record_rows(db, mapping, header, NOW, "x")
        assert done.refusals == ()
        return mapping, dict(db.sql("SELECT kind, count(*) FROM batch GROUP BY kind").fetchall())


def without(export: Export, column: str) -> tuple[list[str], list[list[str]]]:
    header = [f"{name} {place}" if name == "Labels" else name for place, name in enumerate(export.rows[0])]
    place = header.index(column)
    return [*header[:place], *header[place + 1 :]], [[*row[:place], *row[place + 1 :]] for row in export.rows[1:]]


@pytest.mark.parametrize("export", EXPORTS, ids=NAMES)
def test_a_column_left_out_takes_its_own_moments_alone_and_that_is_said(export: Export) -> None:
    for column, kind in export.lost.items():
        mapping, kinds = batch(*without(export, column))
        gone = {kind, *(("surveyed",) if column == "Satisfaction Score" else ())}
        assert kinds == {name: count for name, count in export.moments.items() if name not in gone}, column
        assert "no column" in mapping.cannot[kind], column
        assert f"Not computable from this source: {kind} (the file has no column" in " ".join(
            receipts.gap_lines(mapping)
        )


@pytest.mark.parametrize("export", EXPORTS, ids=NAMES)
def test_a_fact_left_out_changes_no_moment_and_is_said(export: Export) -> None:
    whole = recognise_preset(export.rows[0])
    assert whole is not None
    for column in export.facts:
        mapping = recognise_preset(without(export, column)[0])
        assert mapping is not None
        names = {column, *(name for name, others in mapping.aliases.items() if column in others)}
        if column == "Custom field (Request Type)":
            assert mapping.columns["service"] == "Issue Type"
            continue
        (name,) = names & set(mapping.absent)
        assert f"The file has no column {name!r}, and so does not tell: " in " ".join(receipts.gap_lines(mapping))
        assert mapping.columns == {fact: cell for fact, cell in whole.columns.items() if cell != column}
        times = [[(rule.kind, rule.at, rule.due, rule.condition) for rule in one.moments] for one in (whole, mapping)]
        assert times[0] == times[1], column


def test_what_an_export_cannot_tell_is_said_at_import_and_kept_in_the_receipt(tmp_path: Path) -> None:
    export = EXPORTS[0]
    _, done = imported(export, tmp_path, range(len(export.rows[0])))
    told = " ".join(receipts.receipt_lines(done.receipt))
    assert "Not computable from this source: reopened (a Zendesk ticket export counts reopenings" in told
    assert "Before you quote its numbers: A ticket export names the last solving alone" in told
    assert done.receipt.cannot["first_resolved"] == "a Zendesk ticket export names the last solving alone"
    assert done.receipt.cannot["paused"] == "a Zendesk ticket export gives waits as sums"


def test_other_words_of_the_same_vendor_are_read_too() -> None:
    freshservice = ["Ticket Id", "Subject", "Created Time", "Due by Time", "Resolved Time", "Requester Email"]
    row = ["1", "x", "2026-01-09 09:00:00", "2026-01-12 09:00:00", "2026-01-11 09:00:00", "a@example.org"]
    mapping, kinds = batch(freshservice, [row])
    assert (mapping.name, mapping.columns["customer_id"]) == ("freshdesk", "Requester Email")
    assert kinds == {"asked": 1, "promised": 1, "resolved": 1}
    english = ["ID", "Title", "Status", "Opening date", "Time to resolve", "Resolution date"]
    mapping, kinds = batch(english, [["1", "x", "Closed", "19-01-2026 09:00", "22-01-2026 09:00", "21-01-2026 09:00"]])
    assert (mapping.name, kinds) == ("glpi", {"asked": 1, "promised": 1, "resolved": 1})


@pytest.mark.parametrize(("name", "column", "closed"), [("freshdesk", "Status", 3), ("glpi", "Statut", 3)])
def test_without_a_column_of_states_every_time_of_resolution_counts(name: str, column: str, closed: int) -> None:
    export = next(one for one in EXPORTS if one.name == name)
    _, kinds = batch(*without(export, column))
    assert kinds == export.moments | {"resolved": closed}


def test_the_first_closing_counts_where_the_last_is_not_exported() -> None:
    header = [
        "Conversation ID",
        "Conversation started at",
        "Current conversation state",
        "Conversation first closed at",
    ]
    opened, closed = "2026-01-09 09:00:00", "2026-01-11 09:00:00"
    _, kinds = batch(header, [["1", opened, "Closed", closed], ["2", opened, "Open", closed]])
    assert kinds == {"asked": 2, "resolved": 1}


def test_a_list_without_a_time_of_closing_says_that_cases_are_over_and_not_when() -> None:
    mapping, kinds = batch(
        ["number", "opened_at", "state"],
        [["INC1", "2026-01-09 09:00:00", "Closed"], ["INC2", "2026-01-09 09:00:00", "New"]],
    )
    assert kinds == {"asked": 2, "resolved": 1}
    assert [rule.at_is for rule in mapping.moments if rule.kind == "resolved"] == ["not_before"]
    assert "resolved_at" in mapping.absent


def test_of_several_presets_the_one_with_the_most_tell_tale_columns_reads_a_file() -> None:
    log_of_updates = [
        "number",
        "incident_state",
        "sys_updated_at",
        "made_sla",
        "reassignment_count",
        "opened_at",
        "state",
    ]
    mapping = recognise_preset(log_of_updates)
    assert mapping is not None
    assert mapping.name == "servicenow"
    assert recognise_preset(["ID", "Created at"]) is None


def test_chatwoot_s_events_are_read_as_json(tmp_path: Path) -> None:
    """Three conversations: answered and resolved; resolved twice; answered alone. Times are ISO 8601 in UTC."""

    def event(number: int, name: str, conversation: int, start: str, end: str) -> dict[str, Any]:
        return {"id": number, "name": name, "value": 1.5, "event_start_time": f"2026-01-{start}:00.000Z", "event_end_time": f"2026-01-{end}:00.000Z",
                "conversation_id": conversation, "inbox_id": 7, "user_id": 3, "value_in_business_hours": 1.0}  # fmt: skip

    events = [
        event(1, "first_response", 11, "09T09:00", "09T09:30"), event(2, "conversation_resolved", 11, "09T09:00", "11T09:00"),
        event(3, "reply_time", 11, "10T09:00", "10T09:20"), event(4, "conversation_resolved", 12, "10T09:00", "10T12:00"),
        event(5, "conversation_resolved", 12, "10T09:00", "12T12:00"), event(6, "first_response", 13, "11T09:00", "11T10:00"),
    ]  # fmt: skip
    path = tmp_path / "reporting_events.json"
    path.write_text(json.dumps({"payload": events, "meta": {"count": 6, "current_page": 1}}), encoding="utf-8")
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    done = import_file(workspace, path, now=NOW)
    assert (done.receipt.source, done.receipt.rows_loaded) == ("chatwoot", 6)
    assert dict(logged(workspace, "kind, count(*)", "GROUP BY kind")) == {"asked": 3, "replied": 3, "resolved": 3}
    (stock,) = ask_measures(workspace, MeasureQuestion((find_measure("still_open"),)))
    assert stock.value == (1,)


def test_zendesk_s_events_are_read_as_json(tmp_path: Path) -> None:
    """Two tickets: one assigned, handed on, paused, solved, opened again, solved, closed and rated; one still open."""
    number = 100

    def event(ticket: int, minute: int, *changes: dict[str, Any]) -> dict[str, Any]:
        nonlocal number
        number += 1
        children = [
            {"id": 10 * number + place, "via": "Web form", "event_type": "Change", **change}
            for place, change in enumerate(changes)
        ]
        return {
            "id": number,
            "ticket_id": ticket,
            "timestamp": 1767600000 + 60 * minute,
            "created_at": "x",
            "updater_id": 7,
            "via": "Web form",
            "child_events": children,
        }

    def status(new: str, old: str) -> dict[str, Any]:
        return {"status": new, "previous_value": old}

    create = {"event_type": "Create", "status": "new", "subject": "Printer", "priority": "low", "group_id": 5}
    events = [
        event(155, 0, create), event(155, 3, {"assignee_id": 9, "previous_value": None}, status("open", "new")),
        event(155, 5, {"event_type": "Comment", "comment_public": True}), event(155, 6, {"group_id": 6, "previous_value": 5}),
        event(155, 8, status("pending", "open")), event(155, 9, status("open", "pending")), event(155, 20, status("solved", "open"), {"satisfaction_score": "offered", "previous_value": "unoffered"}),
        event(155, 30, status("open", "solved")), event(155, 40, status("solved", "open")), event(155, 50, {"satisfaction_score": "good", "previous_value": "offered"}),
        event(155, 90, status("closed", "solved")), event(156, 95, create | {"subject": "Mouse"}), event(156, 96, status("hold", "new")),
    ]  # fmt: skip
    path = tmp_path / "ticket_events.json"
    path.write_text(
        json.dumps({"ticket_events": events, "next_page": None, "count": 13, "end_time": 1}), encoding="utf-8"
    )
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    done = import_file(workspace, path, now=NOW)
    assert (done.receipt.source, done.receipt.rows_loaded) == ("zendesk_events", 15)
    assert not done.receipt.rows_refused
    moments = logged(workspace, 'case_id, kind, CAST((epoch("at") - 1767600000) / 60 AS INTEGER)', "ORDER BY 1, 3, 2")
    assert moments == [
        ("155", "asked", 0), ("155", "assigned", 3), ("155", "handed_over", 6), ("155", "paused", 8), ("155", "resumed", 9),
        ("155", "resolved", 20), ("155", "surveyed", 20), ("155", "reopened", 30), ("155", "resolved", 40), ("155", "rated", 50),
        ("156", "asked", 95), ("156", "held", 96),
    ]  # fmt: skip
    assert logged(workspace, "from_team, team", "WHERE kind = 'handed_over'") == [("5", "6")]
    assert "do not say whether an agent or the customer" in done.receipt.cannot["replied"]
    assert import_file(workspace, path, now=NOW).receipt.moments_new == 0
    (stock,) = ask_measures(workspace, MeasureQuestion((find_measure("still_open"),)))
    assert stock.value == (1,)


def test_chatwoot_s_ratings_are_read_beside_its_events(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "rating": 5, "feedback_message": "Great", "conversation_id": 11, "message_id": 4, "account_id": 1, "created_at": 1767950000, "contact": {"id": 3, "name": "Kim"}, "assigned_agent": {"id": 9}},
        {"id": 2, "rating": 2, "feedback_message": None, "conversation_id": 12, "message_id": 5, "account_id": 1, "created_at": 1767960000, "contact": {"id": 4, "name": "Lee"}, "assigned_agent": None},
    ]  # fmt: skip
    path = tmp_path / "csat.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    workspace = create_workspace(tmp_path / "home", "Europe/Berlin")
    done = import_file(workspace, path, now=NOW)
    assert (done.receipt.source, done.receipt.rows_loaded) == ("chatwoot", 2)
    wanted = [("11", "rated", 5.0, "csat5", "3", 1767950000), ("12", "rated", 2.0, "csat5", "4", 1767960000)]
    assert (
        logged(workspace, 'case_id, kind, score, scale, customer_id, CAST(epoch("at") AS BIGINT)', "ORDER BY 1")
        == wanted
    )
