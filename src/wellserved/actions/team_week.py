"""A week from what was shared: for mails that leave by themselves, and for whoever leads a team."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import sharing
from wellserved.actions.customer_worth import worth_lines
from wellserved.actions.week_course import course_lines, shared_counts
from wellserved.actions.week_page import text_of_sections
from wellserved.actions.week_problems import WeekProblem, WeekProblems
from wellserved.capture import readable_text
from wellserved.capture.promise import PromiseState
from wellserved.store.access import AccessScope
from wellserved.store.models import Audience, Role, Shared
from wellserved.wording import plural


def draft_shared_week(
    scope: AccessScope, start: datetime, end: datetime, covers_team: bool, shows_worth: bool = False
) -> str:
    """A report of a span from what was shared: one's own, or, for whoever leads a team, what its people shared with the team. Empty:
    nothing was. `shows_worth`: with what the customers are worth, for a draft that somebody reads before it leaves."""
    rows = _rows(scope, covers_team)
    span_rows = list(rows.filter(at__gte=start, at__lt=end).order_by("at"))
    visible = sharing.visible_promises(scope, min(end, timezone.now()), start - timedelta(days=365))
    told_ids = set(rows.filter(word="promise").values_list("pk", flat=True))
    promises = [(row, state) for row, state in visible if row.pk in told_ids]
    sections = {
        _("What went wrong, and what was done"): _failure_lines(scope, span_rows),
        _("Promises"): _promise_lines(promises, start, end),
        _("What customers said"): _lines(scope, span_rows, ("thanks", "complaint", "gap")),
        _("What went well"): _lines(scope, span_rows, ("exceeded", "met")),
        _("What these customers are worth"): _worth_lines(scope, span_rows) if shows_worth else [],
        _("The last eight weeks"): course_lines(shared_counts(rows, start)),
    }
    if not span_rows and not sections[_("Promises")]:
        return ""
    return text_of_sections(sections)


def draft_team_week(scope: AccessScope, monday: date, week: WeekProblems) -> str:
    """A calendar week of the team that somebody leads, with what its customers kept telling in it, to be edited."""
    start = datetime.combine(monday, time(0), ZoneInfo(settings.TIME_ZONE))
    end = datetime.combine(monday + timedelta(days=7), time(0), ZoneInfo(settings.TIME_ZONE))
    shared_text = draft_shared_week(scope, start, end, True, shows_worth=True)
    title = _("What customers kept telling") if week.team else _("What customers of the whole house kept telling")
    problem_text = text_of_sections({title: _problem_lines(week)}) if week.problems else ""
    return "\n".join(
        filter(None, [shared_text or f"{_('Nothing was shared with the team in this week.')}\n", problem_text])
    )


def leads_team(scope: AccessScope) -> bool:
    """Whether somebody may report on a team: its own lead."""
    return (scope.alone or scope.person.role == Role.lead) and scope.person.team_id is not None


def _rows(scope: AccessScope, covers_team: bool) -> QuerySet[Shared]:
    """What the report is about: of a team, what was shared with all of it; what was for its lead alone stays there."""
    if covers_team and leads_team(scope):
        return scope.visible_moments().filter(team=scope.person.team_id, audience=Audience.team)
    return scope.own_moments()


def _line(scope: AccessScope, row: Shared) -> str:
    """A moment on one line, with whom it was about as far as its sender may know."""
    words, customer = readable_text(row.text) or _(row.word), scope.customer_of(row)
    return f"{customer}: {words}" if customer and customer.casefold() not in words.casefold() else words


def _lines(scope: AccessScope, rows: Iterable[Shared], words: tuple[str, ...]) -> list[str]:
    return [_line(scope, row) for row in rows if row.word in words]


def _worth_lines(scope: AccessScope, rows: Iterable[Shared]) -> list[str]:
    rows_with_customer = (row for row in rows if row.customer and scope.knows_customer(row))
    return worth_lines(scope, [(row.word, row.customer.name) for row in rows_with_customer if row.customer])


def _failure_lines(scope: AccessScope, rows: list[Shared]) -> list[str]:
    """Failures, and whether they were made right in the week."""
    recovered = {row.thread: row for row in rows if row.word == "recovered"}
    lines = []
    for row in rows:
        if row.word == "missed":
            step = recovered.pop(row.thread, None)
            note = (
                f"{_('made right')}: {readable_text(step.text)}"
                if step
                else _("not yet made right")
                if row.open
                else _("made right")
            )
            lines.append(f"{_line(scope, row)} ({note})")
    return [*lines, *(f"{_('made right')}: {_line(scope, row)}" for row in recovered.values())]


def _promise_lines(promises: list[tuple[Shared, PromiseState]], start: datetime, end: datetime) -> list[str]:
    """What was promised before and what came of it; then what runs."""
    closed = [(row, state) for row, state in promises if state.closed and start <= state.closed < end]
    running = [
        (row, state) for row, state in promises if state.made_at < end and not (state.closed and state.closed < end)
    ]
    lines = [f"{_(state.fate)}: {readable_text(row.text)}" for row, state in closed]
    if running:
        overdue = sum(state.fate == "overdue" for _row, state in running)
        lines.append(f"{plural(len(running), _('promise runs'), _('promises run'))}, {overdue} {_('overdue')}")
    return lines


def _problem_lines(week: WeekProblems) -> list[str]:
    """A line a problem: how many customers, beside the week before, and what is done about it."""
    return [_problem_line(problem) for problem in week.problems]


def _problem_line(problem: WeekProblem) -> str:
    line = f"{problem.name}: {plural(problem.customers, _('customer'), _('customers'))}"
    if problem.customers_before is not None:
        line += f" ({_('the week before')}: {problem.customers_before})"
    words = [line]
    if problem.is_alarm:
        words.append(_("more than the weeks before lead one to expect"))
    elif problem.state != "steady":
        words.append(_(problem.state))
    if problem.improvement:
        verdict = _(problem.headline) if problem.headline else _("nobody has looked at its verdict yet")
        words.append(f"{problem.what} ({_('since')} {problem.since}): {verdict}")
    return "; ".join(words)
