"""One's week by mail: sent, planned, taken back, and stopped by its readers."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from wellserved.actions import outgoing, weekly_mail
from wellserved.errors import RequestError
from wellserved.store.models import WeeklyMail
from wellserved.web.access_middleware import OPEN, journal_of, person_of, required_permission
from wellserved.web.forms import WeeklyMailForm
from wellserved.web.views.weekly import MAX_WEEK_LETTERS, monday_of


@required_permission("own", "POST")
def send_week(request: HttpRequest, week: str) -> HttpResponseBase:
    """Send the week's report as its author has it before them, to whom they name; it is kept so."""
    monday_of(week)
    person, text = person_of(request), request.POST.get("text", "").replace("\r\n", "\n")
    if not text.strip() or len(text) > MAX_WEEK_LETTERS:
        raise RequestError(
            "There is no report to send, or it is too long.",
            f"Write it first, with {MAX_WEEK_LETTERS:,} letters at most.",
        )
    addresses = weekly_mail.read_addresses(request.POST.get("recipients", "")[:1_000])
    journal_of(request).keep_draft(week, text)
    with_pdf = request.POST.get("with_pdf") == "on"
    count, left_out = weekly_mail.send_week(person, week, text, addresses, with_pdf, timezone.now())
    for problem in left_out:
        messages.error(request, problem)
    if count:
        messages.success(request, _("On its way: below it says what became of it."))
    return redirect("week", week)


@required_permission("own", "POST")
def mail_deed(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Send a mail again that may not have arrived, or take back one that has not left."""
    row = get_object_or_404(weekly_mail.week_mails(person_of(request)), pk=id_)
    deed = outgoing.send_again if request.POST.get("do") == "again" else outgoing.cancel_mail
    deed(person_of(request), row)
    return redirect("week", row.period)


@required_permission("own", "GET", "POST")
def mail_schedule(request: HttpRequest) -> HttpResponseBase:
    """To whom one's week goes every week, and when."""
    person = person_of(request)
    schedule = WeeklyMail.objects.filter(owner=person).first()
    if request.method == "POST" and request.POST.get("do") == "stop":
        weekly_mail.stop_schedule(person)
        messages.success(request, _("Nothing is sent every week any more."))
        return redirect("reports")
    form = WeeklyMailForm(request.POST or None, instance=schedule)
    if request.method == "POST" and form.is_valid():
        try:
            weekly_mail.keep_schedule(person, **form.cleaned_data)
        except RequestError as error:
            form.add_error(None, f"{error.problem} {error.remedy}")
        else:
            messages.success(request, _("Saved."))
            return redirect("reports")
    return render(request, "mail_schedule.html", {"form": form, "schedule": schedule})


@csrf_exempt
@required_permission(OPEN, "GET", "POST")
def stop_mails(request: HttpRequest, token: str) -> HttpResponseBase:
    """Stop somebody's mails, for whoever holds the address in one of them: a GET asks, since scanners follow links (RFC 8058)."""
    unsubscription = outgoing.find_unsubscription(token)
    if unsubscription is None:
        raise Http404
    if request.method == "POST":
        outgoing.stop_mails(unsubscription)
    is_stopped = outgoing.is_stopped(unsubscription.owner, unsubscription.address)
    return render(
        request, "stop_mails.html", {"sender": unsubscription.owner.called, "is_stopped": is_stopped, "ways": ()}
    )
