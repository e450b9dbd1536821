"""A file of labels that people gave cases, beside the problems that were found."""

from __future__ import annotations

from pathlib import Path

from wellserved.actions.open_cases import open_case_table
from wellserved.errors import RequestError
from wellserved.listen.book import open_book
from wellserved.listen.score import ScoredFile, score_labels
from wellserved.progress import ProgressCallback, no_progress
from wellserved.small_csv import csv_rows
from wellserved.storage.workspace import Workspace

CASE_COLUMN, LABEL_COLUMN = "case", "label"


def score_file(workspace: Workspace, file: Path, on_progress: ProgressCallback = no_progress) -> ScoredFile:
    """Score a CSV file with the columns `case` and `label`."""
    open_book(workspace)  # raises where nobody has listened
    table = csv_rows(file.read_bytes())
    header = [name.casefold() for name in table[0]] if table else []
    if CASE_COLUMN not in header or LABEL_COLUMN not in header:
        raise RequestError("The file has no columns `case` and `label`.", "Name them so in its first row.")
    case_index, label_index = header.index(CASE_COLUMN), header.index(LABEL_COLUMN)
    with open_case_table(workspace, on_progress, about="") as case_table:
        rows = case_table.engine.query(
            f"SELECT case_id, problem FROM {case_table.table} WHERE told = 1", {}
        ).to_pylist()
    problem_by_case = {str(row["case_id"]): row["problem"] for row in rows}
    if len(problem_by_case) < len(rows):
        raise RequestError("Two sources have cases of one number.", "Score a workspace of one source.")
    labels: dict[str, str] = {}
    refused = []
    for number, row in enumerate(table[1:], 2):
        if not any(row):
            continue
        case, label = (row[index] if index < len(row) else "" for index in (case_index, label_index))
        if reason := _refusal(case, label, labels, problem_by_case):
            refused.append((number, reason))
        else:
            labels[case] = label
    score = score_labels(list(labels.values()), [problem_by_case[case] for case in labels])
    return ScoredFile(score, len(labels) + len(refused), tuple(refused))


def _refusal(case: str, label: str, labels: dict[str, str], problems: dict[str, object]) -> str:
    if not label:
        return "no label"
    if case not in problems:
        return f"no case {case[:40]} whose customer used words"
    return f"case {case[:40]} has a label already" if case in labels else ""
