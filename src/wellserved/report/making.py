"""Runs the loop once over one source's cases, and returns the report on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from wellserved.chart import draw_up
from wellserved.errors import PeriodError, RequestError
from wellserved.log import Receipt
from wellserved.measure import MEASURES, Question
from wellserved.measure.ask import answer
from wellserved.measure.scope import Scope
from wellserved.moments import EARLIEST, LATEST, Every, Period, period_of
from wellserved.report import sections as write
from wellserved.report.contents import Asked, Report

CHARTED: Final = (
    "promise_kept",
    "promise_kept_by_source",
    "time_to_resolution",
    "time_to_first_reply",
    "time_to_first_handover",
    "still_open",
    "open_age",
    "asked",
    "resolved",
    "reopen_rate",
    "handovers",
    "contacts",
    "rating_good",
    "complaint_rate",
    "return_rate",
    "first_contact_resolution",
)
CHARTED_PERIODS = 60


def make_report(
    scope: Scope,
    source: str,
    receipts: Sequence[Receipt],
    version: str,
    every: Every | None = None,
    period: date | None = None,
    rule_set: str = "anhoej",
) -> Report:
    """The report on one source for a period (the last that is over, unless a day of another is given)."""
    _check_period(period)
    where = (("source", source),)
    span = scope.engine.ask(
        f"SELECT MIN(asked_s) AS a, MAX(asked_s) AS b FROM {scope.table} WHERE source = $source",
        {"source": source},
    ).to_pydict()
    if span["a"][0] is None:
        raise RequestError(f"There are no cases of {source!r}.", "Import a file of that source first.")
    zone = ZoneInfo(scope.zone)
    first, last = (datetime.fromtimestamp(span[end][0], UTC).astimezone(zone).date() for end in "ab")
    as_of = datetime.fromtimestamp(scope.as_of[source], UTC).astimezone(zone)
    every = every or _usual_every(first, min(last, as_of.date()))
    chosen = period_of(period, every) if period else _last_over(last, as_of.date(), every)
    horizon = _horizon(chosen, as_of.date(), every)
    shown = _back(chosen, every)
    over_time = answer(scope, Question(MEASURES, every=every, where=where, since=shown, until=horizon))
    asked = Asked(
        scope,
        source,
        every,
        chosen,
        whole=answer(scope, Question(MEASURES, where=where)),
        now=answer(scope, Question(MEASURES, where=where, since=chosen.start, until=chosen.end)),
        past=answer(scope, Question(MEASURES, where=where, until=chosen.start)),
        over_time=over_time,
        charts={
            name: draw_up(over_time[name], rule_set=rule_set) for name in CHARTED if write.charted(over_time[name])
        },
    )
    makers = (
        write.promises,
        write.waits,
        write.load,
        write.quality_of_service,
        write.signals,
        write.segments,
        write.causes,
        write.oldest,
    )
    sections = [section for maker in makers if (section := maker(asked)) is not None]
    sections = [write.short(sections), *sections, write.data_quality(asked, receipts)]
    head = receipts[-1] if receipts else None
    return Report(
        title=head.title if head else source,
        source=source,
        credit=head.credit if head else "",
        caution=head.caution if head else "",
        zone=scope.zone,
        every=every,
        period=chosen,
        first=first,
        as_of=as_of,
        log_version=scope.log_version,
        wellserved=version,
        sections=tuple(sections),
        definitions=MEASURES,
        series=tuple(over_time.values()),
    )


def _check_period(period: date | None) -> None:
    """A day of which a report can speak, and can look back from."""
    if period and not EARLIEST <= period < LATEST:
        raise PeriodError(
            f"There is no report on the period of {period}.",
            f"Give a day from {EARLIEST} to {LATEST - timedelta(days=1)}.",
        )


def _usual_every(first: date, last: date) -> Every:
    """The coarsest period that gives at least ten of them."""
    days = (last - first).days + 1
    if days >= 10 * 31:
        return "month"
    return "week" if days >= 10 * 7 else "day"


def _last_over(last: date, as_of: date, every: Every) -> Period:
    """The last period that was over at as-of and in which something was asked."""
    latest = period_of(last, every)
    if latest.end <= as_of:
        return latest
    return period_of(latest.start - timedelta(days=1), every)


def _back(chosen: Period, every: Every) -> date:
    """The start of the oldest period that charts still show."""
    days = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}[every]
    return period_of(chosen.start - timedelta(days=days * CHARTED_PERIODS), every).start


def _horizon(chosen: Period, as_of: date, every: Every) -> date:
    """One period more than the report's, if it has begun: what it shows so far is drawn as unfinished."""
    return max(chosen.end, min(period_of(as_of, every).end, period_of(chosen.end, every).end))
