"""One's week by mail: sent when its author says so, or on a day of the week by itself, to whom they name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import typst
from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions.mail_settings import MailSettings, check_address, load_settings, required_settings
from wellserved.actions.outgoing import PreparedMail, is_stopped, queue_mail
from wellserved.actions.team_week import draft_shared_week, leads_team
from wellserved.actions.week_page import OWN_JUDGEMENT, WrittenReport, week_title
from wellserved.errors import RequestError
from wellserved.moments import period_of
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import MailState, Outgoing, Person, WeeklyMail

MAX_READERS = 20


def read_addresses(text: str) -> list[str]:
    """The addresses of a text, one a line or with commas between them, each once; raises for what is none."""
    addresses = [check_address(part) for part in text.replace(",", "\n").splitlines() if part.strip()]
    unique = list({address.casefold(): address for address in addresses}.values())
    if not 0 < len(unique) <= MAX_READERS:
        raise RequestError(f"A report has 1 to {MAX_READERS} readers.", "Name them one a line.")
    return unique


def prepare_week(report: WrittenReport, with_pdf: bool, week: str) -> PreparedMail:
    """A week's report as a mail."""
    attachments = ((f"report-{week}.pdf", "application/pdf", report.as_form("pdf")),) if with_pdf else ()
    html, text = report.as_form("html").decode(), report.as_form("txt").decode()
    return PreparedMail(f"{report.title}, {report.author}", text, html, attachments)


def send_week(
    person: Person, week: str, text: str, addresses: Sequence[str], with_pdf: bool, now: datetime
) -> tuple[int, list[str]]:
    """Put a week's report, as its author has just seen it, on its way to each reader; how many, and who gets none, and why.

    A reader gets a week once; one who has stopped these mails gets none.
    """
    sender = required_settings(django_settings.WORKSPACE)
    if _(OWN_JUDGEMENT) in text:
        raise RequestError(
            "Your own judgement still stands in it, marked to be taken out.",
            "Take it out, or give it another title, and send it then.",
        )
    report = WrittenReport(week_title(week), person.called, text)
    mail, left_out = prepare_week(report, with_pdf, week), []
    for address in addresses:
        if is_stopped(person, address):
            left_out.append(_("%(address)s has stopped your mails.") % {"address": address})
        elif queue_mail(person, week, address, mail, sender, now, is_automatic=False) is None:
            row = Outgoing.objects.get(owner=person, period=week, reader=address.casefold())
            facts = {"address": address, "state": row.get_state_display()}
            left_out.append(_("There is a mail of this week to %(address)s already: %(state)s.") % facts)
    count = len(addresses) - len(left_out)
    if count:
        record_event(person, "sent a week's report", week)
    return count, left_out


def last_due(schedule: WeeklyMail, now: datetime) -> datetime:
    """The latest instant at which a schedule was due, in the workspace's zone."""
    local = now.astimezone(ZoneInfo(django_settings.TIME_ZONE))
    day = local.date() - timedelta(days=(local.weekday() - schedule.weekday) % 7)
    due = datetime.combine(day, schedule.at, local.tzinfo)
    return due if due <= local else datetime.combine(day - timedelta(days=7), schedule.at, local.tzinfo)


def week_of(due: datetime) -> str:
    """The week that is reported at an instant: from Friday on the present one, before the one that is over."""
    day = due.date() if due.weekday() >= 4 else due.date() - timedelta(days=7)
    return period_of(day, "week").label


def queue_due_weeks(workspace: Workspace, now: datetime) -> int:
    """Draft and queue what is due by itself: of everybody the newest seven days alone, once, however long nothing ran.

    What goes out by itself tells only what was shared: nothing private leaves without its author having seen it. One schedule
    that fails keeps no other from being sent.
    """
    sender = load_settings(workspace)
    schedules = (
        WeeklyMail.objects.filter(by_itself=True, owner__is_active=True).select_related("owner__team") if sender else []
    )
    count = 0
    for schedule in schedules:
        try:
            count += _queue_schedule(schedule, sender, now) if sender else 0
        except (RequestError, typst.TypstError) as error:
            logging.getLogger(__name__).warning("No weekly mail of %s leaves: %s", schedule.owner.username, error)
            WeeklyMail.objects.filter(pk=schedule.pk).update(handled=last_due(schedule, now))  # said once
    return count


def _queue_schedule(schedule: WeeklyMail, sender: MailSettings, now: datetime) -> int:
    """The seven days up to the instant at which it was due, so that nothing falls between two mails."""
    due = last_due(schedule, now)
    if due < schedule.begins or schedule.handled == due:
        return 0
    if schedule.covers_team and not leads_team(AccessScope(schedule.owner)):
        raise RequestError(f"{schedule.owner.username} leads no team any more.", "Plan the weekly mail anew.")
    week, start = week_of(due), due - timedelta(days=7)
    text = draft_shared_week(AccessScope(schedule.owner), start, due, schedule.covers_team)
    title = _("Seven days to %(day)s") % {"day": f"{due:%d %b %Y, %H:%M}"}
    team = schedule.owner.team.name if schedule.covers_team and schedule.owner.team else ""
    author = f"{schedule.owner.called}, {_('team')} {team}" if team else schedule.owner.called
    source = _("Sent by itself, from what was shared. Nobody has looked it through.")
    report = WrittenReport(title, author, f"{source}\n\n{text}")
    mail = prepare_week(report, schedule.with_pdf, week) if text else None
    with transaction.atomic():
        if not WeeklyMail.objects.filter(pk=schedule.pk, handled=schedule.handled).update(handled=due) or mail is None:
            return 0
        rows = [
            queue_mail(schedule.owner, week, address, mail, sender, now, is_automatic=True)
            for address in read_addresses(schedule.recipients)
            if not is_stopped(schedule.owner, address)
            and not Outgoing.objects.filter(owner=schedule.owner, period=week, reader=address.casefold()).exists()
        ]
    return sum(row is not None for row in rows)


def waits_to_be_sent(person: Person, now: datetime) -> str:
    """The week that its author is to look at and send today; empty: none."""
    schedule = WeeklyMail.objects.filter(owner=person, by_itself=False).first()
    if schedule is None or (due := last_due(schedule, now)) < schedule.begins or now - due > timedelta(days=3):
        return ""
    week = week_of(due)
    mails = Outgoing.objects.filter(owner=person, period=week).exclude(state=MailState.failed)
    reached = set(mails.values_list("reader", flat=True))
    return "" if all(address.casefold() in reached for address in read_addresses(schedule.recipients)) else week


def keep_schedule(
    person: Person, recipients: str, weekday: int, at: str, by_itself: bool, covers_team: bool, with_pdf: bool
) -> WeeklyMail:
    """Say to whom one's week goes, and when; what goes by itself needs a way to stop it."""
    addresses = read_addresses(recipients)
    if covers_team and not leads_team(AccessScope(person)):
        raise RequestError("Only whoever leads a team can report on it.", "Leave that out.")
    sender = required_settings(django_settings.WORKSPACE)
    if by_itself and not sender.url:
        raise RequestError(
            "Mails that leave by themselves need an address at which their readers can stop them.",
            "Whoever runs wellserved gives it: `wellserved mail setup --url https://...`.",
        )
    facts: dict[str, Any] = {
        "recipients": "\n".join(addresses), "weekday": weekday, "at": at, "by_itself": by_itself, "covers_team": covers_team,
        "with_pdf": with_pdf,
    }  # fmt: skip
    old = WeeklyMail.objects.filter(owner=person).first()
    if old is None or any(getattr(old, name) != value for name, value in facts.items() if name != "with_pdf"):
        facts["begins"] = timezone.now()  # what was due by another plan is not caught up by this one
    return WeeklyMail.objects.update_or_create(owner=person, defaults=facts)[0]


def week_mails(person: Person) -> QuerySet[Outgoing]:
    """Mails of somebody's weeks, sent or waiting; prompts, whose period is a day, are others."""
    return Outgoing.objects.filter(owner=person, period__contains="-W")


def stop_schedule(person: Person) -> int:
    """Send one's week by itself no more, and take back what waits of it; how many mails that were."""
    WeeklyMail.objects.filter(owner=person).delete()
    waiting = week_mails(person).filter(state=MailState.queued, is_automatic=True)
    return waiting.update(state=MailState.cancelled, content=b"", changed=timezone.now())
