"""Forty exports by somebody who did not know how they would be read, each of another kind: read rightly, or asked about.

Of each file it is known when every case was opened and closed, by the wall clock of Europe/Berlin. Where a file alone
cannot decide, the first mapping has to ask, in words that are held here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from wellserved.actions.imports import import_file
from wellserved.actions.inspection import inspect_file
from wellserved.errors import SourceError, WellservedError
from wellserved.mapping import parse_mapping
from wellserved.sources.draft import draft_mapping
from wellserved.sources.guess import Guess
from wellserved.sources.infer import Inspection
from wellserved.sources.roles import choose_roles, roles_of_guess, roles_of_mapping
from wellserved.storage import log
from wellserved.storage.workspace import create_workspace

FILES = Path(__file__).parent / "strange_files"
TRUTH: dict[str, list[list[str | None]]] = json.loads((FILES / "truth.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 12, 1, tzinfo=UTC)
PARTS = {"37_property_desk_workbook.xlsx": "Requests"}
ASKS = {  # files that alone cannot be read rightly -> what is asked, or why an import stops
    "05_servicenow_incident.csv": "'Opened', 'Created' could be meant as well",
    "20_front_desk_12h.csv": "if the export leaves out AM and PM, afternoons are read as nights",
    "24_objektbetreuung_jj.csv": "years of two digits, which may stand first or last",
    "25_requests_undecidable.csv": "every date makes sense day-first and month-first",
    "26_jobs_swapped_by_excel.xlsx": "a spreadsheet seems to have swapped day and month in 18 dates",
    "27_orders_ids_shortened.csv": "different ones became the same",
    "30_city_requests_status_only.csv": "no column says when",
    "31_zendesk_mixed_rating.csv": "looks like a rating",
    "32_hochschule_schulnoten.csv": "looks like a rating",
    "33_scores_ten_and_percent.csv": "'CSAT' looks like a rating too",
}
WRONG_ALONE = {name for name in ASKS if name[:2] in ("05", "20", "24", "25", "26", "30")}  # until somebody has answered
QUESTIONS = {  # of files that are read rightly all the same, where somebody should look
    "06_facility_minutes.csv": "how long after 'Logged' the case was resolved, in minutes",
    "07_reparatieverzoeken.csv": "in hours",
    "08_hotline_hmmss.csv": "in h:mm",
    "09_it_requests_word_durations.tsv": "in words",
    "13_klinik_it_monatsnamen.csv": "'noch offen' in 'Gelöst' was read as no date yet",
    "18_chamados_primeira_resposta.csv": "'Primeira resposta' was read as how long after 'Criado' the case was answered",
    "22_regie_immobiliere.csv": "were read together",
    "34_ticket_history_events.csv": "A case has several rows here, each one thing that happened",
    "38_metrics_seconds.csv": "in seconds",
    "39_interventi_scadenze.csv": "'Data prevista intervento', 'Fine stimata' could be meant as well",
    "40_patient_survey_stars.csv": "on the scale stars5",
}


def look(name: str, scratch: Path) -> Inspection:
    scratch.mkdir()
    return inspect_file(FILES / name, scratch, "Europe/Berlin", NOW, part=PARTS.get(name, ""))[1]


def times(name: str, inspection: Inspection, home: Path) -> list[list[str | None]]:
    """When each case was opened and last closed, in the order in which the file opens them."""
    workspace = create_workspace(home, "Europe/Berlin")
    mapping = parse_mapping(inspection.toml, name)
    import_file(workspace, FILES / name, mapping, NOW, part=PARTS.get(name, ""))
    db = duckdb.connect()
    db.execute("SET TimeZone = 'Europe/Berlin'")
    files = list(log.snapshot(workspace.log).files)
    case = "case_id" if inspection.roles.events else "source_row"
    rows = db.sql(
        f"SELECT strftime(CAST(min(\"at\") FILTER (kind = 'asked') AS TIMESTAMP), '%Y-%m-%d %H:%M:%S'), "
        f"strftime(CAST(max(\"at\") FILTER (kind = 'resolved') AS TIMESTAMP), '%Y-%m-%d %H:%M:%S') "
        f"FROM read_parquet({files}) GROUP BY {case} ORDER BY min(source_row)"
    ).fetchall()
    return [list(row) for row in rows]


def test_all_forty_kinds_are_here() -> None:
    assert {path.name for path in FILES.iterdir()} == {*TRUTH, "truth.json"}
    assert len(TRUTH) == 40
    assert {*ASKS, *QUESTIONS, *PARTS} <= TRUTH.keys()


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_strange_file_is_read_rightly_or_asked_about(name: str, tmp_path: Path) -> None:
    inspection = look(name, tmp_path / "scratch")
    said = " ".join([*inspection.questions, *inspection.notes])
    assert ASKS.get(name, "") in said
    assert QUESTIONS.get(name, "") in said
    if name in WRONG_ALONE:
        return
    assert times(name, inspection, tmp_path / "home") == TRUTH[name]


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_form_that_is_sent_as_it_was_shown_changes_nothing(name: str, tmp_path: Path) -> None:
    """What each column was guessed to be, chosen again by somebody, is the same mapping."""
    (tmp_path / "scratch").mkdir()
    raw, inspection, _ = inspect_file(
        FILES / name, tmp_path / "scratch", "Europe/Berlin", NOW, part=PARTS.get(name, "")
    )
    columns, guess = inspection.columns, inspection.roles
    scale = guess.rating.scale if guess.rating and guess.has_numeric_rating else ""
    chosen = choose_roles(columns, raw.rows_read, roles_of_guess(guess), scale)
    rows = inspection.rows

    def draft(roles: Guess) -> str:
        return draft_mapping("x", columns, rows, roles, "UTC", (), {})

    assert draft(chosen) == draft(guess)
    kept = parse_mapping(draft(guess), name) if guess.stamps else None
    if kept and not guess.kept_flag:
        orders = {rule.delay: str(rule.delay_unit) for rule in kept.moments if rule.delay}
        shown = choose_roles(columns, raw.rows_read, roles_of_mapping(kept), scale, orders)
        assert (shown.stamps, shown.clocks, shown.lengths, shown.events) == (
            guess.stamps,
            guess.clocks,
            guess.lengths,
            guess.events,
        )


@pytest.mark.parametrize("name", ["24_objektbetreuung_jj.csv", "25_requests_undecidable.csv"])
def test_what_nobody_can_tell_stops_the_import(name: str, tmp_path: Path) -> None:
    inspection = look(name, tmp_path / "scratch")
    with pytest.raises(WellservedError, match="Say which it is"):
        times(name, inspection, tmp_path / "home")


def test_several_sheets_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"3 sheets: Summary \(4 rows\), Requests \(34 rows\), Lists \(4 rows\)"):
        inspect_file(FILES / "37_property_desk_workbook.xlsx", tmp_path, "Europe/Berlin", NOW)
