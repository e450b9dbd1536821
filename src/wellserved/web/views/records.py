"""Files brought in by hand: sent, looked at, mapped, imported, and what was refused of them."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render

from wellserved.actions import live_sources, uploads
from wellserved.actions.mapping_form import MappingForm, mapping_form
from wellserved.actions.uploads import Upload
from wellserved.errors import StorageError, WellservedError
from wellserved.render.formats.csv import csv_text
from wellserved.render.tables.receipts import receipt_lines
from wellserved.scales import load_scales
from wellserved.sources.roles import DATE_ORDERS, ROLES
from wellserved.storage import log
from wellserved.storage.log import Receipt
from wellserved.store.access import has_permission, record_event
from wellserved.web.access_middleware import person_of, required_permission
from wellserved.web.forms import FileForm


@required_permission("change_data", "GET", "POST")
def data_(request: HttpRequest) -> HttpResponseBase:
    """Files that were read, what was refused of them, and the next one."""
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        return _keep(request, form)
    if request.method == "POST" and request.headers.get("Accept") == "application/json":
        return JsonResponse(
            {"problem": " ".join(str(error) for errors in form.errors.values() for error in errors)}, status=422
        )
    receipts = list(reversed(log.receipts(settings.WORKSPACE)))
    waiting = [upload for upload in uploads.all_uploads(settings.WORKSPACE) if upload.step != "imported"]
    context = {
        "receipts": receipts,
        "form": form,
        "waiting": waiting,
        "systems": live_sources.live_sources(settings.WORKSPACE),
        "may_set_up": has_permission(person_of(request), "change_systems"),
    }
    return render(request, "data.html", context)


def _keep(request: HttpRequest, form: FileForm) -> HttpResponseBase:
    """Keep a file that was sent, look at it at once if it is small, and lead to its page."""
    sent_file, now = form.cleaned_data["file"], datetime.now(UTC)
    wants_json = request.headers.get("Accept") == "application/json"
    try:
        kept = uploads.keep_upload(
            settings.WORKSPACE, sent_file.name, sent_file.chunks(), str(person_of(request).pk), now
        )
    except StorageError:
        raise
    except WellservedError as error:
        if wants_json:
            return JsonResponse({"problem": f"{error.problem} {error.remedy}"}, status=422)
        messages.error(request, f"{error.problem} {error.remedy}")
        return redirect("data")
    for upload in kept:
        record_event(person_of(request), "sent a file", upload.id)
        _go_on(upload)
    answer = redirect("upload", kept[0].id) if len(kept) == 1 else redirect("data")
    return JsonResponse({"url": answer["Location"]}) if wants_json else answer


@required_permission("change_data", "GET", "POST")
def upload(request: HttpRequest, id_: str) -> HttpResponseBase:
    """A file that was sent: how far it is, its mapping as a form, and at last its receipt."""
    sent_file = uploads.find_upload(settings.WORKSPACE, id_)
    if sent_file is None:
        raise Http404
    if request.method == "POST":
        return _change(request, sent_file)
    return _page(request, sent_file, None)


def _change(request: HttpRequest, sent_file: Upload) -> HttpResponseBase:
    """Preview another mapping, import, look again, or let the file go."""
    deed = request.POST.get("do", "")
    if deed == "discard":
        uploads.discard(settings.WORKSPACE, sent_file)
        record_event(person_of(request), "let a file go", sent_file.id)
        return redirect("data")
    if deed == "look":
        own = request.POST.get("own", "").replace(",", " ").split()
        _go_on(uploads.look_again(settings.WORKSPACE, sent_file, request.POST.get("part", "").strip(), own))
        return redirect("upload", sent_file.id)
    if deed not in ("preview", "import", "import as known"):
        raise Http404
    if sent_file.step != "looked at":  # somebody else was faster
        return redirect("upload", sent_file.id)
    form = None if deed == "import as known" else _form(sent_file, request)
    if deed == "preview" or (form is not None and form.problem):
        return _page(request, sent_file, form)
    record_event(person_of(request), "imported a file", sent_file.id)
    _go_on(uploads.choose_mapping(settings.WORKSPACE, sent_file, form.toml if form else ""))
    return redirect("upload", sent_file.id)


def _go_on(sent_file: Upload) -> None:
    """Do what waits at once, where that is soon done; else the worker does it."""
    if uploads.is_small(sent_file):
        uploads.advance(settings.WORKSPACE, sent_file)


def _form(sent_file: Upload, request: HttpRequest | None) -> MappingForm:
    with tempfile.TemporaryDirectory(dir=settings.WORKSPACE.folder, prefix="form-") as scratch:
        choices = {name: str(value) for name, value in request.POST.items()} if request else None
        return mapping_form(settings.WORKSPACE, sent_file, choices, datetime.now(UTC), Path(scratch))


def _page(request: HttpRequest, sent_file: Upload, form: MappingForm | None) -> HttpResponse:
    is_looked_at = sent_file.step == "looked at"
    has_form = is_looked_at and (not sent_file.known_as or "change" in request.GET)
    context = {
        "upload": sent_file,
        "progress": uploads.progress_of(settings.WORKSPACE, sent_file),
        "mapping": form or (_form(sent_file, None) if is_looked_at else None),
        "has_form": has_form or form is not None,
        "roles": ROLES,
        "orders": DATE_ORDERS,
        "scales": list(load_scales(settings.WORKSPACE.folder)),
        "zones": [settings.WORKSPACE.zone, "UTC"],
    }
    if sent_file.step == "imported" and (receipt := _receipt(sent_file.import_id)):
        context |= {"receipt": receipt, "lines": receipt_lines(receipt), "is_repeat": not receipt.moments_new}
    template = "preview.html" if request.headers.get("X-Fragment") else "upload.html"
    return render(request, template, context)


def _receipt(import_id: str) -> Receipt | None:
    return next((receipt for receipt in log.receipts(settings.WORKSPACE) if receipt.import_id == import_id), None)


@required_permission("change_data")
def refusals(request: HttpRequest, import_id: str) -> HttpResponseBase:
    """The rows of a file that were refused, with their reasons, to be mended."""
    if _receipt(import_id) is None:
        raise Http404
    file = settings.WORKSPACE.imports / import_id / "refusals.csv"
    if not file.exists():
        return HttpResponse(csv_text(("row", "reason"), []), content_type="text/csv")
    record_event(person_of(request), "took refused rows along", import_id)
    return FileResponse(file.open("rb"), as_attachment=True, filename=f"refusals-{import_id}.csv")
