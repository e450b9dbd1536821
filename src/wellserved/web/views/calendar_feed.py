"""One's own days to keep, as a calendar that other programs subscribe to (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions.contract_ledger import contract_lines
from wellserved.actions.promise_ledger import LedgerPromise, ledger
from wellserved.journal.handle import Journal
from wellserved.store.access import AccessScope
from wellserved.store.models import Person, token_digest
from wellserved.value.contracts import WARNING_DAYS, due_decisions
from wellserved.web.access_middleware import OPEN, required_permission

_STAMP = "%Y%m%dT%H%M%SZ"
_DAYS_AHEAD = 800  # of contracts' decisions


@required_permission(OPEN)
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """One's own promises, and the days by which contracts that one looks after are decided; its secret address is the key, and
    opens nothing else."""
    person = Person.objects.filter(feed=token_digest(token), is_active=True).exclude(feed="").first() if token else None
    if person is None:
        raise Http404
    now, scope = timezone.now(), AccessScope(person)
    journal = Journal(person.pk, settings.SECRET_KEY.encode())
    journal.unlock_by_feed(token)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//wellserved//promises//EN", "CALSCALE:GREGORIAN"]
    for promise in ledger(scope, journal, now):
        if promise.mine and promise.state.due:
            lines += _promise_event(promise, now)
    if person.feed_has_contracts:
        lines += _decision_events(scope, now)
    body = "\r\n".join([*(folded_line for line in lines for folded_line in _fold_line(line)), "END:VCALENDAR", ""])
    return HttpResponse(body, content_type="text/calendar; charset=utf-8")


def _promise_event(promise: LedgerPromise, now: datetime) -> list[str]:
    """A promise as a to-do's due time (3.6.1)."""
    assert promise.state.due is not None
    due = promise.state.due.astimezone(UTC)
    words = " ".join(text for text in (promise.customer, promise.text) if text)
    return ["BEGIN:VEVENT", f"UID:{promise.id}@wellserved", f"DTSTAMP:{now.astimezone(UTC):{_STAMP}}",
            f"DTSTART:{due - timedelta(minutes=15):{_STAMP}}", f"DTEND:{due:{_STAMP}}", f"SUMMARY:{_escape(words)}", "END:VEVENT"]  # fmt: skip


def _decision_events(scope: AccessScope, now: datetime) -> Iterator[str]:
    """Whole days by which contracts are decided, with a reminder 90, 30 and 7 days before."""
    for number, decision in enumerate(
        due_decisions(contract_lines(scope.accounts()), timezone.localdate(now), _DAYS_AHEAD)
    ):
        words = _("%(account)s decides about its contract") % {"account": decision.line.account}
        yield from (
            "BEGIN:VEVENT", f"UID:contract-{number}-{decision.line.terms.starts}-{decision.decides_on}@wellserved", f"DTSTAMP:{now.astimezone(UTC):{_STAMP}}",
            f"DTSTART;VALUE=DATE:{_day(decision.decides_on)}", f"DTEND;VALUE=DATE:{_day(decision.decides_on + timedelta(days=1))}",
            f"SUMMARY:{_escape(words)}",
        )  # fmt: skip
        for days in WARNING_DAYS:
            yield from (
                "BEGIN:VALARM",
                "ACTION:DISPLAY",
                f"TRIGGER:-P{days}D",
                f"DESCRIPTION:{_escape(words)}",
                "END:VALARM",
            )
        yield "END:VEVENT"


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"


def _escape(words: str) -> str:
    return words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\r", "").replace("\n", "\\n")


def _fold_line(line: str) -> list[str]:
    """At most 75 octets a line, the rest on lines that begin with a blank (RFC 5545, 3.1)."""
    folded_lines, folded_line = [], ""
    for letter in line:
        if len((folded_line + letter).encode()) > 74:
            folded_lines.append(folded_line)
            folded_line = " "
        folded_line += letter
    return [*folded_lines, folded_line]
