"""The demonstration: three real exports, imported and reported."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from wellserved.actions import asking, imports
from wellserved.log import Receipt
from wellserved.render import html
from wellserved.report import Report
from wellserved.sources.bytes import Progress
from wellserved.workspace import create_workspace

WHOLE = {  # file of a whole export -> the slice shipped in its place
    "boston311_2015.csv.gz": "boston311_slice.csv.gz",
    "servicenow_incident_events.csv.gz": "servicenow_slice.csv.gz",
    "cfpb_complaints.csv.gz": "cfpb_slice.csv.gz",
}
ZONE = "America/New_York"


@dataclass(frozen=True)
class Made:
    """One sample's import and report."""

    receipt: Receipt
    report: Report
    page: Path


def run(folder: Path, data: Path | None, told: Progress) -> list[Made]:
    """Import each sample into a fresh workspace under `folder` and write its page, and an index of them.

    data: a folder with the whole exports; also taken from WELLSERVED_DATA. Without it, the slices that
    come with wellserved are used.
    """
    named = os.environ.get("WELLSERVED_DATA")
    whole = data or (Path(named) if named else None)
    home = folder / "workspace"
    shutil.rmtree(home, ignore_errors=True)
    workspace = create_workspace(home, ZONE)
    samples = resources.files("wellserved") / "samples"
    made = []
    for file, slice_ in WHOLE.items():
        chosen = whole / file if whole and (whole / file).exists() else None
        with resources.as_file(samples / slice_) as shipped:
            done = imports.import_file(workspace, chosen or shipped, told=told)
        report = asking.service_report(workspace, done.receipt.source, told=told)
        page = folder / f"{done.receipt.source}.html"
        page.write_text(html.report_page(report), encoding="utf-8")
        made.append(Made(done.receipt, report, page))
    index = html.index_page([(one.page.name, one.report) for one in made])
    (folder / "index.html").write_text(index, encoding="utf-8")
    return made
