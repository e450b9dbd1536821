"""Files brought in by hand, and what was refused of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved.actions import imports
from wellserved.errors import StorageError, WellservedError
from wellserved.render.formats.csv import csv_text
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.access import record_event
from wellserved.web.access_middleware import person_of, required_permission
from wellserved.web.forms import FileForm

UPLOAD_PREFIX = "upload-"  # folders of files that are being read


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
