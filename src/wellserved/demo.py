"""The demonstration: three real exports, imported and reported."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from wellserved.actions import imports, questions
from wellserved.progress import ProgressCallback
from wellserved.render.formats import html
from wellserved.report import Report
from wellserved.storage.log import Receipt
from wellserved.storage.workspace import create_workspace

SLICE_OF_EXPORT = {  # file of a whole export -> the slice shipped in its place
    "boston311_2015.csv.gz": "boston311_slice.csv.gz",
    "servicenow_incident_events.csv.gz": "servicenow_slice.csv.gz",
    "cfpb_complaints.csv.gz": "cfpb_slice.csv.gz",
}
ZONE = "America/New_York"


@dataclass(frozen=True)
class SampleReport:
    """One sample's import and report."""

    receipt: Receipt
    report: Report
    page: Path


def run_demo(folder: Path, data: Path | None, on_progress: ProgressCallback) -> list[SampleReport]:
    """Import each sample into a fresh workspace under `folder` and write its page, and an index of them.

    data: a folder with the whole exports; also taken from WELLSERVED_DATA. Without it, the slices that
    come with wellserved are used.
    """
    environment_folder = os.environ.get("WELLSERVED_DATA")
    export_folder = data or (Path(environment_folder) if environment_folder else None)
    home = folder / "workspace"
    shutil.rmtree(home, ignore_errors=True)
    workspace = create_workspace(home, ZONE)
    samples = resources.files("wellserved") / "samples"
    sample_reports = []
    for file, slice_name in SLICE_OF_EXPORT.items():
        export_path = export_folder / file if export_folder and (export_folder / file).exists() else None
        with resources.as_file(samples / slice_name) as slice_path:
            result = imports.import_file(workspace, export_path or slice_path, on_progress=on_progress)
        report = questions.service_report(workspace, result.receipt.source, on_progress=on_progress)
        page = folder / f"{result.receipt.source}.html"
        page.write_text(html.report_page(report), encoding="utf-8")
        sample_reports.append(SampleReport(result.receipt, report, page))
    index = html.index_page([(sample_report.page.name, sample_report.report) for sample_report in sample_reports])
    (folder / "index.html").write_text(index, encoding="utf-8")
    return sample_reports
