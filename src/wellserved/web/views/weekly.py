"""One's own week: looked through, edited, and taken along."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import weekly
from wellserved.moments import EARLIEST_DATE, LATEST_DATE
from wellserved.storage import log
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of

MAX_WEEK_LETTERS = 20_000  # letters of a week's report; settings.py lets a form of so many come
WEEK_FORMATS = {"txt": "text/plain", "html": "text/html", "pdf": "application/pdf", "eml": "message/rfc822"}


@required_permission("own")
def reports(request: HttpRequest) -> HttpResponse:
    """Service reports by source, and one's own by week."""
    weeks = weekly.recent_weeks(timezone.localdate(), 12)
    sources = sorted({receipt.source for receipt in log.receipts(settings.WORKSPACE)})
    return render(request, "reports.html", {"weeks": weeks, "sources": sources})


def _monday(week: str) -> date:
    try:
        monday = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    except ValueError:
        raise Http404 from None
    if not EARLIEST_DATE.year <= monday.year <= LATEST_DATE.year:
        raise Http404
    return monday


@required_permission("own", "GET", "POST")
def week(request: HttpRequest, week: str) -> HttpResponseBase:
    """The week's report: drafted here, edited by its author."""
    monday, journal = _monday(week), journal_of(request)
    if request.method == "POST":
        new_text = request.POST.get("text", "").replace("\r\n", "\n")
        if len(new_text) > MAX_WEEK_LETTERS:
            message = _("Nothing was saved: the report has %(many)s letters, and can have %(most)s. Shorten it.")
            messages.error(request, message % {"many": f"{len(new_text):,}", "most": f"{MAX_WEEK_LETTERS:,}"})
            context = {"week": week, "text": new_text, "edited": True, "forms": WEEK_FORMATS}
            return render(request, "week.html", context, status=422)
        journal.keep_draft(week, new_text)
        messages.success(request, _("Saved."))
        return redirect("week", week)
    text, is_edited = weekly.week_text(journal, scope_of(request), monday)
    return render(request, "week.html", {"week": week, "text": text, "edited": is_edited, "forms": WEEK_FORMATS})


@required_permission("own")
def week_as(request: HttpRequest, week: str, form: str) -> HttpResponse:
    """The week's report to take along: text, page, PDF, or a draft for one's own mail program."""
    monday, journal = _monday(week), journal_of(request)
    if form not in WEEK_FORMATS:
        raise Http404
    text, _is_edited = weekly.week_text(journal, scope_of(request), monday)
    content = weekly.render_week(text, week, person_of(request).called, form)
    headers = {"Content-Disposition": f'attachment; filename="report-{week}.{form}"'}
    return HttpResponse(content, content_type=WEEK_FORMATS[form], headers=headers)
