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
from wellserved.actions.job_journal import job_journal as write_job_journal
from wellserved.actions.mail_settings import load_settings
from wellserved.actions.team_week import draft_team_week, leads_team
from wellserved.actions.week_page import render_week
from wellserved.actions.week_problems import NO_WEEK_PROBLEMS, WeekProblems, problems_of_week, with_headlines
from wellserved.errors import PeriodError
from wellserved.moments import EARLIEST_DATE, LATEST_DATE
from wellserved.storage import log
from wellserved.store.access import AccessScope, has_permission
from wellserved.store.models import WeeklyMail
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records

MAX_WEEK_LETTERS = 20_000  # letters of a week's report; settings.py lets a form of so many come
WEEK_FORMATS = {"txt": "text/plain", "html": "text/html", "pdf": "application/pdf", "eml": "message/rfc822"}


@required_permission("own")
def reports(request: HttpRequest) -> HttpResponse:
    """Service reports by source, and one's own by week."""
    weeks = weekly.recent_weeks(timezone.localdate(), 12)
    sources = sorted({receipt.source for receipt in log.receipts(settings.WORKSPACE)})
    schedule = WeeklyMail.objects.filter(owner=person_of(request)).first()
    context = {
        "weeks": weeks,
        "sources": sources,
        "schedule": schedule,
        "books": weekly.recent_months(timezone.localdate(), 12),
    }
    return render(request, "reports.html", context)


def monday_of(week: str) -> date:
    """The first day of a week in an address; Http404 where there is none."""
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
    monday, journal = monday_of(week), journal_of(request)
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
    scope = scope_of(request)
    if request.GET.get("of") == "team" and leads_team(scope):
        text, is_edited = draft_team_week(scope, monday, _week_problems(scope, monday)), False
    else:
        text, is_edited = weekly.week_text(journal, scope, monday)
    context = {
        "week": week, "text": text, "edited": is_edited, "forms": WEEK_FORMATS, "leads_team": leads_team(scope),
    }  # fmt: skip
    if load_settings(settings.WORKSPACE) is not None:
        schedule = WeeklyMail.objects.filter(owner=scope.person).first()
        context |= {"sends_mail": True, "schedule": schedule, "mails": scope.outgoing().filter(period=week)}
    return render(request, "week.html", context)


def _week_problems(scope: AccessScope, monday: date) -> WeekProblems:
    """What customers kept telling in a week, as far as whoever drafts may know it."""
    if not has_permission(scope.person, "read_measures") or not has_records():
        return NO_WEEK_PROBLEMS
    week = cached_answer(problems_of_week, monday, scope.person.team.name if scope.person.team else "")
    return with_headlines(settings.WORKSPACE, week)


@required_permission("own")
def job_journal(request: HttpRequest) -> HttpResponse:
    """A month or a year of one's journal, to keep."""
    period, form = request.GET.get("period", ""), request.GET.get("form", "pdf")
    if form not in WEEK_FORMATS or form == "eml":
        raise Http404
    try:
        report = write_job_journal(journal_of(request), period, person_of(request).called)
    except PeriodError as error:
        raise Http404 from error
    headers = {"Content-Disposition": f'attachment; filename="job-journal-{period}.{form}"'}
    return HttpResponse(report.as_form(form), content_type=WEEK_FORMATS[form], headers=headers)


@required_permission("own")
def week_as(request: HttpRequest, week: str, form: str) -> HttpResponse:
    """The week's report to take along: text, page, PDF, or a draft for one's own mail program."""
    monday, journal = monday_of(week), journal_of(request)
    if form not in WEEK_FORMATS:
        raise Http404
    text, _is_edited = weekly.week_text(journal, scope_of(request), monday)
    content = render_week(text, week, person_of(request).called, form)
    headers = {"Content-Disposition": f'attachment; filename="report-{week}.{form}"'}
    return HttpResponse(content, content_type=WEEK_FORMATS[form], headers=headers)
