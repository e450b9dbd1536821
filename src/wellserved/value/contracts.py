"""When must we act on a contract? The day by which notice has to be given, not the day on which it ends.

Days are whole local days; `ends` is a contract's last day. Notice counts back from the end of that day, as civil codes
count (BGB §188: a period of months that would end on a day that the month lacks ends on its last day).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Final, Literal

from wellserved.errors import RequestError
from wellserved.measure.interval import wilson_interval
from wellserved.moments import EARLIEST_DATE, LATEST_DATE, NotComputable, month_start

NoticeUnit = Literal["day", "month"]
NoticeTo = Literal["none", "month", "quarter", "year"]  # the end of which a notice takes effect at, before the end
ContractEnd = Literal["renewed", "left_at_end", "left_early", "notice_given"]

WARNING_DAYS: Final = (90, 30, 7)  # days before the decision date
DAYS_AHEAD: Final = 180
YEAR_DAYS: Final = (330, 400)  # lengths of a contract that runs for a year
MAX_NOTICE: Final = {"day": 1_100, "month": 36}
FEWEST_DECISIONS: Final = 10  # contracts that came to a decision, for a rate


@dataclass(frozen=True)
class ContractTerms:
    """What a contract says of its end."""

    starts: date
    ends: date | None  # the last day; None: it runs until notice is given
    notice_value: int = 0
    notice_unit: NoticeUnit = "month"
    notice_to: NoticeTo = "none"
    renews_itself: bool = False

    def __post_init__(self) -> None:
        last = self.ends or self.starts
        if last < self.starts:
            raise RequestError(f"The contract ends ({last}) before it begins ({self.starts}).", "Correct a date.")
        if self.starts < EARLIEST_DATE or last >= LATEST_DATE:
            raise RequestError("That is no time of a contract.", "Give days between 1900 and 2199.")
        if not 0 <= self.notice_value <= MAX_NOTICE[self.notice_unit]:
            raise RequestError(
                f"A notice of {self.notice_value} {self.notice_unit}s cannot be right.",
                f"Give 0 to {MAX_NOTICE[self.notice_unit]:,} {self.notice_unit}s.",
            )

    @cached_property
    def decision_date(self) -> date | None:
        """The last day on which notice can be given for the contract to end when it says; None: it names no end."""
        return notice_date(self.ends, self) if self.ends else None

    def leaving_date(self, notice_on: date) -> date:
        """The last day of a contract whose notice is given on a day: an end that the terms allow, never before the notice is over."""
        earliest = _after_notice(notice_on, self)
        if self.notice_to == "none":
            return max(self.ends, earliest) if self.ends else earliest
        day = _period_end(earliest, self.notice_to)
        return min(day, self.ends) if self.ends and self.ends >= earliest else day

    @cached_property
    def runs_a_year(self) -> bool:
        """It is of a year, so that a renewal is a year more."""
        return self.ends is not None and YEAR_DAYS[0] <= (self.ends - self.starts).days + 1 <= YEAR_DAYS[1]

    def rolled(self, today: date) -> ContractTerms:
        """The term that is to be decided about: one that goes on by itself does so where nobody gave notice in time."""
        terms = self
        while terms.renews_itself and terms.ends and (terms.decision_date or terms.ends) < today:
            terms = replace(terms, starts=terms.ends + timedelta(days=1), ends=_next_end(terms))
        return terms


def _after_notice(notice_on: date, terms: ContractTerms) -> date:
    """The day on which a notice is over."""
    if terms.notice_unit == "day":
        return notice_on + timedelta(days=terms.notice_value)
    first = month_start(notice_on, terms.notice_value)
    return first.replace(day=min(notice_on.day, _days_in_month(first)))


def _next_end(terms: ContractTerms) -> date:
    """The end of another term of the same length: whole months where it is of such."""
    assert terms.ends is not None
    days = (terms.ends - terms.starts).days + 1
    months = round(days / 30.4375)
    if months < 1:
        return terms.ends + timedelta(days=days)
    first = month_start(terms.ends, months)
    is_month_end = terms.ends.day == _days_in_month(terms.ends)
    return first.replace(day=_days_in_month(first) if is_month_end else min(terms.ends.day, _days_in_month(first)))


def notice_date(ends: date, terms: ContractTerms) -> date:
    """The last day of notice for an end on `ends`: 3 months before 2026-12-31 is 2026-09-30; 90 days, 2026-10-02."""
    if terms.notice_unit == "day":
        return ends - timedelta(days=terms.notice_value)
    is_month_end = ends.day == _days_in_month(ends)
    first = month_start(ends, -terms.notice_value)
    last_day = _days_in_month(first)
    return first.replace(day=last_day if is_month_end else min(ends.day, last_day))


def _days_in_month(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _period_end(day: date, length: NoticeTo) -> date:
    """The last day of the month, quarter or year that holds a day."""
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 3, "year": 12}[length]
    return date(day.year, month, calendar.monthrange(day.year, month)[1])


@dataclass(frozen=True)
class ContractEvent:
    """What became of a contract; `known_on`: the day on which we learnt it."""

    deed: ContractEnd
    on: date
    known_on: date


@dataclass(frozen=True)
class LedgerLine:
    """One contract of an account and what became of it."""

    account: str
    terms: ContractTerms
    value_year: float | None = None  # in `currency`; None: not typed in
    currency: str = ""
    events: tuple[ContractEvent, ...] = ()
    reference: str = ""

    def deeds_by(self, day: date) -> tuple[ContractEvent, ...]:
        """What was known on a day."""
        return tuple(event for event in self.events if event.known_on <= day)

    def is_settled(self, day: date) -> bool:
        """Renewed, left or under notice, as known on a day."""
        return bool(self.deeds_by(day))

    def outcome(self, day: date) -> ContractEnd | None:
        """How it ended, by a day; None: not yet. Under notice it has left once its end is over, or the day that the notice names."""
        if not self.events:
            return None
        ends = [event for event in self.deeds_by(day) if event.deed != "notice_given" and event.on <= day]
        if ends:
            return max(ends, key=lambda event: event.on).deed
        leaving = self.leaves_on(day)
        return "left_at_end" if leaving and leaving < day else None

    def leaves_on(self, day: date) -> date | None:
        """The last day of a contract under notice, as known on a day; None: no notice is known."""
        notices = [event.on for event in self.deeds_by(day) if event.deed == "notice_given"]
        return self.terms.leaving_date(min(notices)) if notices else None


@dataclass(frozen=True)
class DueDecision:
    """A decision that is due, and how many days are left; negative: it has passed."""

    line: LedgerLine
    decides_on: date
    days: int


def due_decisions(ledger: Iterable[LedgerLine], today: date, within: int = DAYS_AHEAD) -> list[DueDecision]:
    """Which contracts come to a decision, soonest first; those whose day has passed without a word come first of all."""
    decisions = []
    for line in ledger:
        terms = line.terms.rolled(today)
        decides_on, ends = terms.decision_date, terms.ends
        if decides_on is None or ends is None or ends < today or line.is_settled(today):
            continue
        if (days := (decides_on - today).days) <= within:
            decisions.append(DueDecision(line if terms is line.terms else replace(line, terms=terms), decides_on, days))
    return sorted(decisions, key=lambda decision: (decision.decides_on, decision.line.account))


def unclosed_contracts(ledger: Iterable[LedgerLine], today: date) -> list[LedgerLine]:
    """Contracts past their end of which nobody has said what became: without them every rate is wrong."""
    return [
        line for line in ledger
        if line.terms.ends and line.terms.ends < today and not line.terms.renews_itself and line.outcome(today) is None
    ]  # fmt: skip


@dataclass(frozen=True)
class CohortRates:
    """Of the contracts that ended in one year: how many were renewed, left at the end, left early; with 95% intervals (Wilson)."""

    cohort: str
    decided: int
    counts: dict[ContractEnd, int]
    unclosed: int  # past their end, nothing known: not in the rates
    value_kept: dict[str, float]  # by currency; of contracts with a value
    value_lost: dict[str, float]
    without_value: int

    def rate(self, deed: ContractEnd) -> tuple[float, float, float] | NotComputable:
        """Share, low, high."""
        if self.decided < FEWEST_DECISIONS:
            return NotComputable(f"{self.decided} contracts came to their end; a rate takes {FEWEST_DECISIONS}")
        low, high = wilson_interval(self.counts[deed], self.decided)
        return self.counts[deed] / self.decided, low, high


def cohort_rates(ledger: Sequence[LedgerLine], today: date) -> list[CohortRates]:
    """By the year in which they ended or were to end; who left early counts in the year of leaving."""
    cohorts: dict[int, list[LedgerLine]] = {}
    for line in ledger:
        outcome = line.outcome(today)
        days = [event.on for event in line.deeds_by(today) if event.deed == "left_early" and event.on <= today]
        ended = min(days) if days else line.terms.ends
        if ended is not None and ended < today and (outcome is not None or not line.terms.renews_itself):
            cohorts.setdefault(ended.year, []).append(line)
    return [_rates(str(year), lines, today) for year, lines in sorted(cohorts.items())]


def _rates(cohort: str, lines: Sequence[LedgerLine], today: date) -> CohortRates:
    outcomes = [(line, line.outcome(today)) for line in lines]
    deeds: tuple[ContractEnd, ...] = ("renewed", "left_at_end", "left_early")
    counts = {deed: sum(outcome == deed for _line, outcome in outcomes) for deed in deeds}
    sums: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for line, outcome in outcomes:
        if outcome and line.value_year is not None:
            total = sums[0 if outcome == "renewed" else 1]
            total[line.currency] = total.get(line.currency, 0.0) + line.value_year
    decided = sum(counts.values())
    without_value = sum(bool(outcome) and line.value_year is None for line, outcome in outcomes)
    return CohortRates(cohort, decided, counts, len(lines) - decided, *sums, without_value)


def renewals_of_account(lines: Sequence[LedgerLine], today: date, recorded_since: date) -> tuple[int, int, bool]:
    """(renewals made before the record began, renewals in all, left) of one account: what a model of renewals takes.

    Each renewal of a line of the ledger counts; `recorded_since`: from when on the ledger knows who left.
    """
    events = sorted(
        (event for line in lines for event in line.deeds_by(today) if event.deed != "notice_given"),
        key=lambda event: event.on,
    )
    renewals = [event for event in events if event.deed == "renewed"]
    before = sum(event.on < recorded_since for event in renewals)
    has_left = bool(events) and events[-1].deed in ("left_at_end", "left_early")
    return before, len(renewals), has_left
