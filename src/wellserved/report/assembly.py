"""Runs the loop once over one source's cases, and returns the report on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from wellserved.errors import PeriodError, RequestError
from wellserved.measure import MEASURES
from wellserved.measure.case_table import CaseTable
from wellserved.moments import EARLIEST_DATE, LATEST_DATE, Granularity, Period, period_of
from wellserved.report import sections as write
from wellserved.report.answers import ask_all
from wellserved.report.brief import write_brief
from wellserved.report.contents import Report
from wellserved.storage.log import Receipt

MAX_CHARTED_PERIODS = 60


def make_report(
    case_table: CaseTable,
    source: str,
    receipts: Sequence[Receipt],
    version: str,
    granularity: Granularity | None = None,
    period: date | None = None,
    rule_set: str = "anhoej",
) -> Report:
    """The report on one source for a period (the last that is over, unless a day of another is given)."""
    _check_period(period)
    bounds = case_table.engine.query(
        f"SELECT MIN(asked_s) AS a, MAX(asked_s) AS b FROM {case_table.table} WHERE source = $source",
        {"source": source},
    ).to_pydict()
    if bounds["a"][0] is None:
        raise RequestError(f"There are no cases of {source!r}.", "Import a file of that source first.")
    zone = ZoneInfo(case_table.zone)
    first, last = (datetime.fromtimestamp(bounds[end][0], UTC).astimezone(zone).date() for end in "ab")
    as_of = datetime.fromtimestamp(case_table.as_of[source], UTC).astimezone(zone)
    granularity = granularity or _usual_granularity(first, min(last, as_of.date()))
    chosen_period = period_of(period, granularity) if period else _last_complete_period(last, as_of.date(), granularity)
    horizon = _horizon(chosen_period, as_of.date(), granularity)
    first_charted_day = _first_charted_day(chosen_period, granularity)
    answers = ask_all(
        case_table, source, granularity, chosen_period, (first, as_of), (first_charted_day, horizon), rule_set
    )
    makers = (
        write.overview_section,
        write.promise_section,
        write.wait_section,
        write.load_section,
        write.quality_section,
        write.segment_section,
        write.cause_section,
        write.oldest_section,
    )
    sections = [section for maker in makers if (section := maker(answers)) is not None]
    sections.append(write.data_section(answers, receipts))
    last_receipt = receipts[-1] if receipts else None
    return Report(
        title=last_receipt.title if last_receipt else source,
        source=source,
        credit=last_receipt.credit if last_receipt else "",
        caution=last_receipt.caution if last_receipt else "",
        zone=case_table.zone,
        granularity=granularity,
        period=chosen_period,
        first=first,
        as_of=as_of,
        log_version=case_table.log_version,
        wellserved_version=version,
        brief=write_brief(answers),
        sections=tuple(sections),
        definitions=MEASURES,
        series=tuple(answers.over_time.values()),
    )


def _check_period(period: date | None) -> None:
    """A day of which a report can speak, and can look back from."""
    if period and not EARLIEST_DATE <= period < LATEST_DATE:
        raise PeriodError(
            f"There is no report on the period of {period}.",
            f"Give a day from {EARLIEST_DATE} to {LATEST_DATE - timedelta(days=1)}.",
        )


def _usual_granularity(first: date, last: date) -> Granularity:
    """The coarsest period that gives at least ten of them."""
    days = (last - first).days + 1
    if days >= 10 * 31:
        return "month"
    return "week" if days >= 10 * 7 else "day"


def _last_complete_period(last: date, as_of: date, granularity: Granularity) -> Period:
    """The last period that was over at as-of and in which something was asked."""
    latest = period_of(last, granularity)
    if latest.end <= as_of:
        return latest
    return period_of(latest.start - timedelta(days=1), granularity)


def _first_charted_day(chosen_period: Period, granularity: Granularity) -> date:
    """The start of the oldest period that charts still show."""
    days = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}[granularity]
    return period_of(chosen_period.start - timedelta(days=days * MAX_CHARTED_PERIODS), granularity).start


def _horizon(chosen_period: Period, as_of: date, granularity: Granularity) -> date:
    """One period more than the report's, if it has begun: what it shows so far is drawn as unfinished."""
    return max(chosen_period.end, min(period_of(as_of, granularity).end, period_of(chosen_period.end, granularity).end))
