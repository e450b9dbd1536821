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
from wellserved.actions import imports, rendering
from wellserved.errors import StorageError, WellservedError
from wellserved.improvement import list_records
from wellserved.measure import SUBJECTS, MeasureQuestion, find_measure
from wellserved.measure.series import FILTER_COLUMNS
from wellserved.render import html
from wellserved.render.table import csv_text
from wellserved.store.access import record_event
from wellserved.web.access_middleware import person_of, required_permission, scope_of
from wellserved.web.analysis import cached_answer
from wellserved.web.forms import FileForm
from wellserved.web.query_parameters import GRANULARITIES, day_in, granularity_in, question_in
from wellserved.web.template_filters import safe_html
from wellserved.workspace import Workspace

UPLOAD_PREFIX = "upload-"  # folders of files that are being read


def _question(request: HttpRequest, name: str) -> MeasureQuestion:
    """The question on a page, where whoever asks may ask it."""
    question = question_in(request.GET, name)
    scope_of(request).require_numbers(question.by, question.where)
    return question


@required_permission("read_measures")
def measures(request: HttpRequest) -> HttpResponse:
    """All measures, by what they ask."""
    return render(request, "measures.html", {"subjects": SUBJECTS, "empty": log.latest_version(settings.WORKSPACE) < 0})


@required_permission("read_measures")
def measure(request: HttpRequest, name: str) -> HttpResponseBase:
    """One measure over any filter: a chart where there are periods, and always its table."""
    form = request.GET.get("format", "html")
    question = _question(request, name)
    if form in ("csv", "json"):
        text = cached_answer(rendering.measure_text, question, form)
        return HttpResponse(text, content_type="text/csv; charset=utf-8" if form == "csv" else "application/json")
    page = cached_answer(rendering.measure_page, question)
    context = {
        "name": name, "page": safe_html(page), "question": question, "filters": FILTER_COLUMNS, "every": GRANULARITIES, "asked": request.GET.urlencode(),
        "where": [f"{column}={value}" for column, value in question.where], "cases": scope_of(request).case_filter() is not None,
    }  # fmt: skip
    return render(request, "measure.html", context)


@required_permission("read_cases")
def cases(request: HttpRequest, name: str) -> HttpResponse:
    """The cases behind a number, newest first."""
    question = _question(request, name)
    case_list = cached_answer(rendering.cases_behind, _visible_cases_question(request, question))
    return render(request, "cases.html", {"found": case_list, "name": name, "question": question})


def _visible_cases_question(request: HttpRequest, question: MeasureQuestion) -> MeasureQuestion:
    """The question about those cases alone that somebody can see one by one."""
    case_filter = scope_of(request).case_filter()
    if case_filter is None:
        raise Http404
    for column, value in case_filter:
        column_conditions = [condition for condition in question.where if condition[0] == column]
        if column_conditions and (column, value) not in column_conditions:
            raise Http404
        question = replace(
            question, where=(*(condition for condition in question.where if condition[0] != column), (column, value))
        )
    return question


@required_permission("read_cases")
def case(request: HttpRequest, name: str, source: str, case_id: str) -> HttpResponse:
    """What each vendor's rule counts of one case."""
    question = _visible_cases_question(request, MeasureQuestion((find_measure(name),), where=(("source", source),)))
    tables = cached_answer(rendering.explanation_tables, name, source, case_id, question.where)
    return render(
        request,
        "bare.html",
        {"title": case_id, "page": safe_html(html.tables_page(case_id, tables, layout=html.BARE_LAYOUT))},
    )


@required_permission("read_measures")
def improvements(request: HttpRequest) -> HttpResponse:
    """What was changed, and whether it worked."""
    improvement_records = list_records(settings.WORKSPACE)
    return render(request, "improvements.html", {"records": improvement_records})


@required_permission("read_measures")
def improvement(request: HttpRequest, name: str) -> HttpResponse:
    """The verdict on one improvement; looking at it is kept on record."""
    page = cached_answer(rendering.improvement_page, name)
    return render(request, "bare.html", {"title": name, "page": safe_html(page)})


@required_permission("read_measures")
@csp({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": ["data:"]})  # type: ignore[arg-type]
def service_report(request: HttpRequest, source: str) -> HttpResponseBase:
    """The service report of the last period that is over, as a page of its own."""
    form = request.GET.get("format", "html")
    granularity = granularity_in(request.GET)
    content = cached_answer(rendering.render_report, source, granularity, day_in(request.GET, "period"), form)
    kinds = {"html": "text/html", "csv": "text/csv", "json": "application/json"}
    return HttpResponse(content, content_type=f"{kinds[form]}; charset=utf-8")


@required_permission("change_data", "GET", "POST")
def data_(request: HttpRequest) -> HttpResponseBase:
    """Files that were read, what was refused of them, and the next one."""
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            _import_upload(form.cleaned_data["file"], request)
        except StorageError:
            raise
        except WellservedError as error:
            messages.error(request, f"{error.problem} {error.remedy}")
        return redirect("data")
    workspace: Workspace = settings.WORKSPACE
    receipts = list(reversed(log.receipts(workspace)))
    return render(request, "data.html", {"receipts": receipts, "form": form})


def _upload_name(name: str) -> str:
    """What an uploaded file is called in the list: at most 100 bytes, of a name alone."""
    return Path(name.replace("\0", "")).name.encode()[-100:].decode(errors="ignore") or "file"


def _sweep_uploads() -> None:
    """Take away what a process that was killed left of an upload; a day is more than any takes."""
    for folder in settings.WORKSPACE.folder.glob(f"{UPLOAD_PREFIX}*"):
        if time.time() - folder.stat().st_mtime > 86_400:
            shutil.rmtree(folder, ignore_errors=True)


def _import_upload(upload: Any, request: HttpRequest) -> None:
    """Read an uploaded file as any other; its name decides nothing but what it is called in the list."""
    _sweep_uploads()
    with tempfile.TemporaryDirectory(dir=settings.WORKSPACE.folder, prefix=UPLOAD_PREFIX) as folder:
        target = Path(folder) / _upload_name(upload.name)
        with target.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
        result = imports.import_file(settings.WORKSPACE, target)
    record_event(person_of(request), "imported a file", result.receipt.import_id)
    messages.success(request, _("%(read)d rows read: %(loaded)d loaded, %(refused)d refused.") % {
        "read": result.receipt.rows_read, "loaded": result.receipt.rows_loaded, "refused": result.receipt.rows_refused})  # fmt: skip
    if lost_count := result.receipt.moments_refused:
        messages.warning(request, _("%(lost)d moments of loaded rows were left out.") % {"lost": lost_count})


@required_permission("change_data")
def refusals(request: HttpRequest, import_id: str) -> HttpResponseBase:
    """The rows of a file that were refused, with their reasons, to be mended."""
    if import_id not in {receipt.import_id for receipt in log.receipts(settings.WORKSPACE)}:
        raise Http404
    file = settings.WORKSPACE.imports / import_id / "refusals.csv"
    if not file.exists():
        return HttpResponse(csv_text(("row", "reason"), []), content_type="text/csv")
    record_event(person_of(request), "took refused rows along", import_id)
    return FileResponse(file.open("rb"), as_attachment=True, filename=f"refusals-{import_id}.csv")
