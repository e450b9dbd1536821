"""Questions whose answers are whole pages or tables: each runs from end to end in the analysing process, without Django."""

from __future__ import annotations

import tempfile
from datetime import date
from importlib import resources
from pathlib import Path

from wellserved.actions import imports, improvements, questions
from wellserved.chart import compute_chart
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion
from wellserved.moments import Granularity, NotComputable
from wellserved.render.formats import data, html
from wellserved.render.formats.proof_page import proof_page
from wellserved.storage.workspace import Workspace, create_workspace


def measure_page(workspace: Workspace, question: MeasureQuestion) -> str:
    """A measure to stand within a page: its chart and numbers where there are periods and one segment, else its table."""
    answers = questions.ask_measures(workspace, question)
    reasons = [str(value) for series in answers for value in series.value if isinstance(value, NotComputable)]
    if len(reasons) == sum(map(len, answers)):  # nothing is computable: said once, with its reason
        return html.reason_page(answers[0].measure, reasons[0] if reasons else "no cases", html.BARE_LAYOUT)
    if question.granularity and question.by is None and len(answers[0]):
        return html.chart_page(compute_chart(answers[0]), html.BARE_LAYOUT)
    return html.series_page(answers, html.BARE_LAYOUT)


def measure_text(workspace: Workspace, question: MeasureQuestion, form: str) -> str:
    """A measure's numbers as csv or json, as the command line writes them."""
    answers = questions.ask_measures(workspace, question)
    return data.series_csv(answers) if form == "csv" else data.as_json(data.series_rows(answers))


def improvement_page(workspace: Workspace, name: str) -> str:
    """The verdict on an improvement, to stand within a page."""
    proof, notes = improvements.prove_improvement(workspace, name)
    return proof_page(proof, notes, html.BARE_LAYOUT)


def render_report(
    workspace: Workspace, source: str, granularity: Granularity | None, period: date | None, form: str
) -> str:
    """A service report as html, csv or json."""
    if form not in ("html", "csv", "json"):
        raise RequestError(f"There is no form {form!r} of a report.", "Choose html, csv or json.")
    report = questions.service_report(workspace, source, granularity, period)
    if form == "html":
        return html.report_page(report)
    return data.series_csv(report.series) if form == "csv" else data.as_json(data.report_data(report))


def sample_report(workspace: Workspace) -> str:
    """The report on the shipped sample of a city's requests, made in a folder of its own that is gone afterwards."""
    sample = resources.files("wellserved") / "samples" / "boston311_slice.csv.gz"
    with (
        tempfile.TemporaryDirectory(dir=workspace.folder, prefix="sample-") as folder,
        resources.as_file(sample) as file,
    ):
        sample_workspace = create_workspace(Path(folder), "America/New_York")
        imports.import_file(sample_workspace, file)
        return html.report_page(questions.service_report(sample_workspace))
