"""Something to do today, by mail, for whoever asked for it: on working days, at their hour, and nothing private in it.

The mail says what kind of thing waits, and where; the words and names of it stand on the page alone. It looks at what was
shared and at what is nobody's secret: a journal is not opened for it.
"""

from __future__ import annotations

import logging
from datetime import datetime, time, timedelta
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions.mail_settings import MailSettings, load_settings
from wellserved.actions.outgoing import PreparedMail, is_stopped, queue_mail
from wellserved.actions.prompts import BY_MAIL, mail_answers_of, shared_situation
from wellserved.errors import WellservedError
from wellserved.journal.models import PromptRest
from wellserved.people.prompts import PROMPT_RULES, prompt_of_the_day
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Outgoing, Person, Unsubscription

LATEST: Final = timedelta(hours=2)  # after the hour that was asked for; later it is left out, not caught up


def queue_due_prompts(workspace: Workspace, now: datetime) -> int:
    """Put the mails of today on their way to whom they are due; how many. One that fails keeps no other from being sent."""
    sender = load_settings(workspace)
    if sender is None or not sender.url:
        return 0
    people = Person.objects.filter(is_active=True, prompt_mail_at__isnull=False).exclude(email="")
    count = 0
    for person in people.select_related("team"):
        try:
            count += _queue_prompt(workspace, person, sender, now)
        except WellservedError as error:
            logging.getLogger(__name__).warning("No prompt for %s leaves: %s", person.username, error)
    return count


def ask_for_prompts(person: Person) -> None:
    """Whoever asks for these mails at an address of their own takes back that they stopped them there."""
    if person.prompt_mail_at is not None:
        stops = Unsubscription.objects.filter(owner=person, address=person.email.casefold())
        stops.exclude(stopped=None).update(stopped=None)


def _last_hour(at: time, now: datetime) -> datetime:
    """The latest instant at which it was their hour, in the workspace's zone."""
    local = now.astimezone(ZoneInfo(django_settings.TIME_ZONE))
    due = datetime.combine(local.date(), at, local.tzinfo)
    return due if due <= local else datetime.combine(local.date() - timedelta(days=1), at, local.tzinfo)


def _queue_prompt(workspace: Workspace, person: Person, sender: MailSettings, now: datetime) -> bool:
    if person.prompt_mail_at is None or is_stopped(person, person.email):
        return False
    due = _last_hour(person.prompt_mail_at, now)
    period, not_after = f"{due:%Y-%m-%d}", due + LATEST
    if due.weekday() >= 5 or now > not_after or Outgoing.objects.filter(owner=person, period=period).exists():
        return False
    situation = shared_situation(workspace, AccessScope(person), now)
    prompt = prompt_of_the_day(situation, mail_answers_of(person.pk, timezone.localdate(now)))
    if prompt is None:
        return False
    question = next(rule.question for rule in PROMPT_RULES if rule.name == prompt.rule)
    mail = _mail(_(question), f"{sender.url}/prompt", not_after)
    if queue_mail(person, period, person.email, mail, sender, now, is_automatic=True) is None:
        return False
    PromptRest.objects.get_or_create(
        owner=person.pk,
        rule=f"{BY_MAIL}{prompt.rule}",
        subject=prompt.subject,
        deed="shown",
        on=timezone.localdate(now),
    )
    return True


def _mail(question: str, address: str, not_after: datetime) -> PreparedMail:
    title, waits = _("Something to do today"), _("What waits for you: %(what)s.") % {"what": question}
    note = _("Names and words are not in this mail; they stand on your page.")
    text = f"{waits}\n\n{address}\n\n{note}\n"
    html = (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        f'<body style="font-family:sans-serif;color:#17212b"><p>{escape(waits)}</p>'
        f'<p><a href="{escape(address)}">{escape(address)}</a></p><p style="color:#56626f">{escape(note)}</p></body></html>'
    )
    return PreparedMail(title, text, html, not_after=not_after)
