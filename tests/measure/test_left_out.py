"""A column that an export leaves out changes no number that does not need it; those that do say what is missing."""

from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import NOW
from wellserved.actions import questions
from wellserved.actions.imports import import_file
from wellserved.mapping import parse_mapping
from wellserved.measure import MEASURES, MeasureQuestion
from wellserved.moments import NotComputable
from wellserved.storage.workspace import create_workspace

MOMENTS = {
    "Solved": 'kind = "resolved"\nat = "Solved"',
    "Replied": 'kind = "replied"\nat = "Replied"',
    "Due": 'kind = "promised"\nat = "Opened"\ndue = "Due"',
    "Reopened": 'kind = "reopened"\nat = "Reopened"',
    "Score": 'kind = "rated"\nat = "Rated"\nscore = "Score"\nscale = "stars5"',
    "Moved": 'kind = "handed_over"\nat = "Moved"',
}
PROMISES = ("promise_kept", "promise_late", "promise_broken", "days_late", "closed_late", "first_promise_kept")
CLOSING = (
    *("resolved", "still_open", "open_age", "time_to_resolution", "time_to_resolution_p90", "time_to_full_resolution"),
    *("requester_wait", "agent_work", "reopen_rate", "first_contact_resolution", "time_to_first_handover"),
    *(*PROMISES, "promise_running", "promise_to_keep_90"),
)
RATINGS = ("rating_good", "rating_bad", "rating_net", "rating_mean", "rating_good_least", "rating_good_most")
NEEDED_BY = {  # column -> the measures whose numbers it enters
    "Solved": {*CLOSING, *RATINGS[4:], "response_rate", "rated_rate", "time_to_first_reply", "time_to_first_reply_p90"},
    "Replied": {"time_to_first_reply", "time_to_first_reply_p90", "answered_within_a_minute"},
    "Due": {*PROMISES, "promise_running", "promise_to_keep_90", "promised_time"},
    "Reopened": {*CLOSING, "time_to_first_reply", "time_to_first_reply_p90"},
    "Score": {*RATINGS, "response_rate", "rated_rate"},
    "Moved": {"time_to_first_handover", "handovers", "first_contact_resolution"},
    "Team": set(),
}
SAID = {  # column -> what is said of the measures that are nothing without it
    "Solved": (
        "no column says when a case was resolved",
        ("resolved", "time_to_resolution", "time_to_full_resolution"),
    ),
    "Replied": (
        "the record holds no replies by a person",
        ("time_to_first_reply", "time_to_first_reply_p90", "answered_within_a_minute"),
    ),
    "Due": ("the record holds no due times", (*PROMISES, "promise_running", "promised_time")),
    "Reopened": ("the record holds no reopenings", ("reopen_rate",)),
    "Score": ("the record holds no ratings", (*RATINGS, "response_rate", "rated_rate")),
    "Moved": ("the record holds no hand-overs", ("time_to_first_handover", "handovers")),
    "Team": ("", ()),
}


def tickets() -> list[dict[str, str]]:
    """60 tickets with everything that a column can say; the last one is opened after all else has happened."""
    chance, lines = random.Random(20261129), []
    for number in range(60):
        opened = datetime(2026, 1, 5, 9) + timedelta(hours=5 * number)

        def later(hours: int, share: float, since: datetime = opened) -> str:
            return f"{since + timedelta(hours=hours):%Y-%m-%d %H:%M:%S}" if chance.random() < share else ""

        lines.append(
            {
                "ID": str(number), "Opened": later(0, 1), "Replied": later(2, 0.8), "Moved": later(3, 0.3), "Rated": later(60, 1),
                "Solved": later(30, 0.8), "Due": later(40 if number % 2 else 20, 0.7), "Reopened": later(50, 0.2),
                "Score": chance.choice(["", "1", "4", "5"]), "Team": chance.choice("AB"),
            }
        )  # fmt: skip
    return [*lines, {"ID": "last", "Opened": "2026-03-01 09:00:00", "Team": "A"}]


@cache
def answers(without: str) -> dict[str, object]:
    """Every measure's number, or why there is none, of the file without one column."""
    blocks = [f"[[moment]]\n{block}" for column, block in MOMENTS.items() if column != without]
    facts = "" if without == "Team" else '[columns]\nteam = "Team"\n'
    asked = '[[moment]]\nkind = "asked"\nat = "Opened"\nrequired = true\n'
    mapping = parse_mapping(f'name = "desk"\ncase = "ID"\n{facts}{asked}' + "\n".join(blocks), "desk.toml")
    lines = tickets()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "desk.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            columns = [column for column in lines[0] if column != without]
            writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(lines)
        workspace = create_workspace(Path(folder) / "home", "UTC")
        import_file(workspace, path, mapping, now=NOW)
        series = questions.ask_measures(workspace, MeasureQuestion(MEASURES))
    return {
        one.measure.name: one.value[0].reason if isinstance(one.value[0], NotComputable) else (one.value[0], one.n[0])
        for one in series
    }


@pytest.mark.parametrize("column", NEEDED_BY)
def test_a_column_left_out_changes_no_number_that_does_not_need_it(column: str) -> None:
    whole, less = answers(""), answers(column)
    computed = {name for name in whole if not (isinstance(whole[name], str) and isinstance(less[name], str))}
    changed = {name for name in computed if whole[name] != less[name]}
    assert changed <= NEEDED_BY[column], {name: (whole[name], less[name]) for name in changed - NEEDED_BY[column]}


@pytest.mark.parametrize("column", SAID)
def test_what_cannot_be_computed_without_a_column_says_what_is_missing(column: str) -> None:
    reason, measures = SAID[column]
    less = answers(column)
    assert {name: less[name] for name in measures} == dict.fromkeys(measures, reason)
    assert all(answers("")[name] != reason for name in measures), "the whole file tells them"
