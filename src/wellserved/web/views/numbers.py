"""Measures, cases, improvements, service reports and the data they come from: the same numbers as everywhere else."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from csp.constants import NONE, UNSAFE_INLINE
from csp.decorators import csp
from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved import log
from wellserved.actions import imports, looking
from wellserved.errors import StorageError, WellservedError
from wellserved.improvement import records
from wellserved.measure import SUBJECTS, Question, find_measure
from wellserved.measure.series import FILTERS
from wellserved.render import html
from wellserved.render.table import csv_text
from wellserved.store.access import note
from wellserved.web.analysis import asked
from wellserved.web.asking import EVERY, day_in, every_in, question_in
from wellserved.web.door import deed, person_of, scope_of
from wellserved.web.forms import FileForm
from wellserved.web.shown import drawn
from wellserved.workspace import Workspace

UPLOAD = "upload-"  # folders of files that are being read


def _question(request: HttpRequest, name: str) -> Question:
    """The question on a page, where whoever asks may ask it."""
    question = question_in(request.GET, name)
    scope_of(request).require_numbers(question.by, question.where)
    return question


@deed("read_measures")
def measures(request: HttpRequest) -> HttpResponse:
    """All measures, by what they ask."""
    return render(request, "measures.html", {"subjects": SUBJECTS, "empty": log.latest(settings.WORKSPACE) < 0})


@deed("read_measures")
def measure(request: HttpRequest, name: str) -> HttpResponseBase:
    """One measure over any filter: a chart where there are periods, and always its table."""
    form = request.GET.get("format", "html")
    question = _question(request, name)
    if form in ("csv", "json"):
        text = asked(looking.told, question, form)
        return HttpResponse(text, content_type="text/csv; charset=utf-8" if form == "csv" else "application/json")
    page = asked(looking.measured, question)
    given = {
        "name": name, "page": drawn(page), "question": question, "filters": FILTERS, "every": EVERY, "asked": request.GET.urlencode(),
        "where": [f"{column}={value}" for column, value in question.where], "cases": scope_of(request).case_filter() is not None,
    }  # fmt: skip
    return render(request, "measure.html", given)


@deed("read_cases")
def cases(request: HttpRequest, name: str) -> HttpResponse:
    """The cases behind a number, newest first."""
    question = _question(request, name)
    found = asked(looking.cases_behind, _seen(request, question))
    return render(request, "cases.html", {"found": found, "name": name, "question": question})


def _seen(request: HttpRequest, question: Question) -> Question:
    """The question about those cases alone that somebody can see one by one."""
    only = scope_of(request).case_filter()
    if only is None:
        raise Http404
    for column, value in only:
        asked_for = [one for one in question.where if one[0] == column]
        if asked_for and (column, value) not in asked_for:
            raise Http404
        question = replace(question, where=(*(one for one in question.where if one[0] != column), (column, value)))
    return question


@deed("read_cases")
def case(request: HttpRequest, name: str, source: str, case_id: str) -> HttpResponse:
    """What each house's rule counts of one case."""
    only = _seen(request, Question((find_measure(name),), where=(("source", source),)))
    tables = asked(looking.explained, name, source, case_id, only.where)
    return render(
        request, "bare.html", {"title": case_id, "page": drawn(html.tables_page(case_id, tables, layout=html.BARE))}
    )


@deed("read_measures")
def improvements(request: HttpRequest) -> HttpResponse:
    """What was changed, and whether it worked."""
    known = records(settings.WORKSPACE)
    return render(request, "improvements.html", {"records": known})


@deed("read_measures")
def improvement(request: HttpRequest, name: str) -> HttpResponse:
    """The verdict on one improvement; looking at it is kept on record."""
    page = asked(looking.proved, name)
    return render(request, "bare.html", {"title": name, "page": drawn(page)})


@deed("read_measures")
@csp({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": ["data:"]})  # type: ignore[arg-type]
def service_report(request: HttpRequest, source: str) -> HttpResponseBase:
    """The service report of the last period that is over, as a page of its own."""
    form = request.GET.get("format", "html")
    every = every_in(request.GET)
    made = asked(looking.reported, source, every, day_in(request.GET, "period"), form)
    kinds = {"html": "text/html", "csv": "text/csv", "json": "application/json"}
    return HttpResponse(made, content_type=f"{kinds[form]}; charset=utf-8")


@deed("change_data", "GET", "POST")
def data_(request: HttpRequest) -> HttpResponseBase:
    """Files that were read, what was refused of them, and the next one."""
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            _import(form.cleaned_data["file"], request)
        except StorageError:
            raise
        except WellservedError as error:
            messages.error(request, f"{error.what} {error.do}")
        return redirect("data")
    workspace: Workspace = settings.WORKSPACE
    receipts = list(reversed(log.receipts(workspace)))
    return render(request, "data.html", {"receipts": receipts, "form": form})


def _named(given: str) -> str:
    """What an uploaded file is called in the list: at most 100 bytes, of a name alone."""
    return Path(given.replace("\0", "")).name.encode()[-100:].decode(errors="ignore") or "file"


def _sweep_uploads() -> None:
    """Take away what a process that was killed left of an upload; a day is more than any takes."""
    for folder in settings.WORKSPACE.folder.glob(f"{UPLOAD}*"):
        if time.time() - folder.stat().st_mtime > 86_400:
            shutil.rmtree(folder, ignore_errors=True)


def _import(given: Any, request: HttpRequest) -> None:
    """Read an uploaded file as any other; its name decides nothing but what it is called in the list."""
    _sweep_uploads()
    with tempfile.TemporaryDirectory(dir=settings.WORKSPACE.folder, prefix=UPLOAD) as folder:
        target = Path(folder) / _named(given.name)
        with target.open("wb") as out:
            for chunk in given.chunks():
                out.write(chunk)
        done = imports.import_file(settings.WORKSPACE, target)
    note(person_of(request), "imported a file", done.receipt.import_id)
    messages.success(request, _("%(read)d rows read: %(loaded)d loaded, %(refused)d refused.") % {
        "read": done.receipt.rows_read, "loaded": done.receipt.rows_loaded, "refused": done.receipt.rows_refused})  # fmt: skip
    if lost := done.receipt.moments_refused:
        messages.warning(request, _("%(lost)d moments of loaded rows were left out.") % {"lost": lost})


@deed("change_data")
def refusals(request: HttpRequest, import_id: str) -> HttpResponseBase:
    """The rows of a file that were refused, with their reasons, to be mended."""
    if import_id not in {one.import_id for one in log.receipts(settings.WORKSPACE)}:
        raise Http404
    file = settings.WORKSPACE.imports / import_id / "refusals.csv"
    if not file.exists():
        return HttpResponse(csv_text(("row", "reason"), []), content_type="text/csv")
    note(person_of(request), "took refused rows along", import_id)
    return FileResponse(file.open("rb"), as_attachment=True, filename=f"refusals-{import_id}.csv")
