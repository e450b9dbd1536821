"""From quote requests to the sentence, or to why there is none; and what becomes of it when records are corrected."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.claim.quotes import MAPPING, quote_rows, quote_workspace, write_quotes
from tests.forked import Commands
from wellserved.actions.claim_drafts import draft_from_improvement, draft_from_measure
from wellserved.actions.imports import import_file
from wellserved.errors import ClaimRefusedError
from wellserved.mapping import parse_mapping
from wellserved.storage.workspace import Workspace

Words = Callable[..., str]
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "claims.md"


def test_the_seed_s_sentence_comes_from_data_in_which_it_is_true(tmp_path: Path) -> None:
    workspace = quote_workspace(tmp_path, write_quotes(tmp_path / "q.csv", quote_rows(2, 2.5)))
    draft = draft_from_improvement(workspace, "triage", "owner")
    assert re.match(
        r"Reduced the typical \(median\) time to first reply to quote requests from 12-15 days to 2-3 days within \w+ months? "
        r"\(harm not excluded in \d+ of \d+ checks\)\.",
        draft.sentences["full"],
    )
    assert draft.predicate["verdict"] == "improved_harm_not_excluded"
    assert len(draft.rows) == sum(period.n for period in draft.windows.periods)
    idea = draft_from_improvement(workspace, "triage", "idea")
    assert "sources" in idea.facts
    assert idea.sentences["ratio"].startswith(
        "Proposed the change that reduced the typical (median) time to first reply"
    )


@pytest.mark.parametrize(
    ("days_since", "a_day", "keep_every", "reopen_since", "slow_stay_open", "reason"),
    [
        (13.4, 3, 1, 0.05, False, r"The verdict is "),  # the process did not change
        (13.4, 3, 1, 0.05, True, r"The verdict is "),  # slow cases are only still open
        (2.5, 9, 1, 0.35, False, r"Harm is shown: reopen_rate"),  # reopenings rose
        (2.5, 3, 7, 0.05, False, r"Nothing can be claimed yet: \d cases in the month|The verdict is "),  # nine a month
    ],
    ids=["nothing changed", "slow cases still open", "reopenings rose", "nine a month"],
)
def test_other_data_are_refused(
    tmp_path: Path,
    days_since: float,
    a_day: int,
    keep_every: int,
    reopen_since: float,
    slow_stay_open: bool,
    reason: str,
) -> None:
    rows = quote_rows(3, days_since, a_day)[::keep_every]
    path = write_quotes(tmp_path / "q.csv", rows, reopen_since, slow_stay_open)
    with pytest.raises(ClaimRefusedError, match=reason):
        draft_from_improvement(quote_workspace(tmp_path, path), "triage", "owner")


def test_a_measured_claim_names_no_cause(tmp_path: Path) -> None:
    workspace = quote_workspace(tmp_path, write_quotes(tmp_path / "q.csv", quote_rows(2, 2.5)))
    draft = draft_from_measure(workspace, "time_to_first_reply", date(2025, 10, 6))
    assert draft.sentences["full"].startswith(
        "The typical (median) time to first reply went from 12-15 days to 2-3 days"
    )
    with pytest.raises(ClaimRefusedError, match="overlap"):
        draft_from_measure(workspace, "rating_good", date(2025, 10, 6))


@pytest.fixture
def run(tmp_path: Path, commands: Commands) -> tuple[Workspace, Words]:
    """A workspace with the improvement, and the command line in it."""
    workspace = quote_workspace(tmp_path, write_quotes(tmp_path / "q.csv", quote_rows(2, 2.5)))

    def say(*words: str, code: int = 0) -> str:
        ended, said = commands.said(workspace.folder, *words)
        assert ended == code, said
        return said

    return workspace, say


def test_a_claim_from_the_draft_to_the_file_and_back(run: tuple[Workspace, Words], tmp_path: Path) -> None:
    _workspace, say = run
    drafted = say("claim", "draft", "triage")
    assert "Nothing is signed yet" in drafted
    shown = re.search(r"<!-- begin claim draft -->\n```\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert drafted.startswith(shown[1])  # what the document shows is what comes back
    assert "No claim is signed yet" in say("claim", "list")
    claim_id = re.search(r"Signed as (\w{12})\.", say("claim", "issue", "triage"))[1]  # type: ignore[index]
    key = say("claim", "keys").partition(" (since")[0]
    files = {name: tmp_path / f"{name}.json" for name in ("full", "ratio", "evidence", "states")}
    say(
        "claim", "export", claim_id, "--variant", "full", "-o", str(files["full"]), "--evidence", str(files["evidence"])
    )
    say("claim", "export", claim_id, "--variant", "ratio", "-o", str(files["ratio"]))
    say("claim", "states", "-o", str(files["states"]))
    checked = say(
        "claim",
        "verify",
        str(files["full"]),
        "--key",
        key,
        "--evidence",
        str(files["evidence"]),
        "--states",
        str(files["states"]),
    )
    assert "Genuine: these are the words and numbers that were signed." in checked
    assert "claimed by Kim (owner)" in checked
    assert "declared on 2025-10-01, for 2025-10-06; verdict: improved, harm not excluded" in checked
    assert "all numbers were recomputed from them" in checked
    assert "The employer's list shows it as current." in checked
    assert "compare these words" in say("claim", "verify", str(files["ratio"]), code=1)
    raw = files["ratio"].read_text()
    assert "12-15" not in raw
    files["ratio"].write_text(raw.replace("by 7", "by 9"))
    assert "NOT GENUINE" in say("claim", "verify", str(files["ratio"]), code=2)
    say("backup", str(tmp_path / "all.zip"))
    say("restore", str(tmp_path / "all.zip"), "--home", str(tmp_path / "other"))
    assert say("claim", "list", "--home", str(tmp_path / "other")).startswith(f"{claim_id}: current: Reduced")
    assert say("claim", "keys", "--home", str(tmp_path / "other")).startswith(key)
    say("claim", "keys", "--replace")
    say("claim", "states", "-o", str(files["states"]))
    new_key = say("claim", "keys").splitlines()[-1].partition(" (since")[0]
    assert new_key != key
    say("claim", "verify", str(files["full"]), "--key", key, "--states", str(files["states"]), code=2)
    say("claim", "verify", str(files["full"]), "--key", new_key, "--states", str(files["states"]))
    say("claim", "withdraw", claim_id)
    assert "withdrawn" in say("claim", "list")
    assert "is not handed out" in say("claim", "export", claim_id, "-o", str(files["full"]), code=2)


def test_a_corrected_record_turns_the_claim_and_time_alone_does_not(
    run: tuple[Workspace, Words], tmp_path: Path
) -> None:
    workspace, say = run
    say("claim", "issue", "triage")
    rows = list(csv.DictReader((tmp_path / "q.csv").read_text().splitlines()))

    def reread(name: str, at: datetime) -> str:
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        import_file(workspace, tmp_path / name, parse_mapping(MAPPING, "quotes"), at)
        return say("claim", "list")

    still_open = next(row for row in rows if not row["replied"])
    still_open["replied"] = datetime(
        2026, 4, 2, tzinfo=UTC
    ).isoformat()  # answered since: what was known then is the same
    assert ": current: " in reread("later.csv", datetime(2026, 4, 3, tzinfo=UTC))
    recent = [row for row in rows if "2025-12-10" < row["asked"] < "2026-01-31"]
    fastest = min(recent, key=lambda row: _instant(row["replied"]) - _instant(row["asked"]))
    fastest["replied"] = (_instant(fastest["asked"]) + timedelta(minutes=5)).isoformat()  # below the median, as before
    assert "added to; its numbers are the same" in reread("corrected.csv", datetime(2026, 4, 4, tzinfo=UTC))
    for row in recent:
        row["replied"] = (_instant(row["asked"]) + timedelta(minutes=5)).isoformat()
    listed = reread("all_faster.csv", datetime(2026, 4, 5, tzinfo=UTC))
    assert re.search(
        r"stale \(its records were corrected or added to: \d of \d+ months now have another number\)", listed
    )
    assert json.loads((workspace.folder / "keys" / "claims" / "0001.json").read_text())["until"] == ""


def _instant(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def test_a_measured_claim_without_filter_goes_the_whole_way(run: tuple[Workspace, Words], tmp_path: Path) -> None:
    _workspace, say = run
    words = ("--measure", "time_to_first_reply", "--since", "2025-10-06")
    claim_id = re.search(r"Signed as (\w{12})\.", say("claim", "issue", *words))[1]  # type: ignore[index]
    say("claim", "export", claim_id, "-o", str(tmp_path / "m.json"))
    checked = say("claim", "verify", str(tmp_path / "m.json"), code=1)
    assert "The typical (median) time to first reply fell by" in checked
    assert "claimed by" not in checked  # nobody is its cause
    assert "cannot be written" in say("claim", "export", claim_id, "-o", str(tmp_path / "none" / "x.json"), code=2)
    say("claim", "issue", *words)
    assert say("claim", "list").count("superseded") == 1


def test_what_came_after_the_last_look_is_not_claimed(tmp_path: Path) -> None:
    """A change on one day, a larger one that nobody declared later, and a last look between them."""
    rows = quote_rows(3, 8.0)
    rows = [
        (is_since, {**row, "replied": row["asked"] + (row["replied"] - row["asked"]) / 3.2})  # type: ignore[operator]
        if is_since and row["asked"] >= datetime(2025, 12, 1, tzinfo=UTC)  # type: ignore[operator]
        else (is_since, row)
        for is_since, row in rows
    ]
    workspace = quote_workspace(tmp_path, write_quotes(tmp_path / "q.csv", rows), ends="2025-12-01")
    with pytest.raises(ClaimRefusedError, match=r"whole months? since the change; three are needed|The verdict is"):
        draft_from_improvement(workspace, "triage", "owner")


def test_cases_of_another_source_turn_a_claim(run: tuple[Workspace, Words], tmp_path: Path) -> None:
    workspace, say = run
    say("claim", "issue", "triage")
    path = write_quotes(tmp_path / "other.csv", quote_rows(9, 40.0, 1))
    import_file(
        workspace, path, parse_mapping(MAPPING.replace('"quotes"', '"desk"'), "desk"), datetime(2026, 3, 16, tzinfo=UTC)
    )
    assert "stale (Cases of its months came from desk)" in say("claim", "list")


def test_a_month_in_which_the_record_begins_late_is_no_whole_one(tmp_path: Path) -> None:
    rows = [row for row in quote_rows(2, 2.5) if row[1]["asked"] >= datetime(2024, 10, 20, tzinfo=UTC)]  # type: ignore[operator]
    workspace = quote_workspace(tmp_path, write_quotes(tmp_path / "q.csv", rows))
    draft = draft_from_measure(workspace, "time_to_first_reply", date(2025, 10, 6))
    assert draft.windows.before[0].start == date(2024, 11, 1)
