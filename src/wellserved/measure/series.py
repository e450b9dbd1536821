"""A Series: one measure over periods and segments, every number with its n and interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from wellserved.errors import PeriodError, UnknownNameError
from wellserved.measure.measure import Measure
from wellserved.moments import PROBLEM, SEGMENTS, Granularity, NotComputable, Period

FILTER_COLUMNS = (*SEGMENTS, PROBLEM, "promised", "scale", "closed")
Value = float | NotComputable


def about_condition(about: str) -> tuple[tuple[str, str], ...]:
    """The column and value that a problem is told by; nothing where it is told by words."""
    column, is_value, value = about.partition("=")
    return ((column, value),) if is_value else ()


def is_told_in_words(about: str) -> bool:
    """The problem is one that was found in customers' words."""
    return bool(about) and not about_condition(about)


def problem_needed(about: str, columns: Iterable[str | None]) -> str | None:
    """What the cases have to be opened with, so that they tell their problems: the one in question, "" for their own alone;
    None: no problem is asked about."""
    return about if about or PROBLEM in columns else None


@dataclass(frozen=True)
class MeasureQuestion:
    """What is asked: measures, split by a segment, over periods, of some of the cases."""

    measures: tuple[Measure, ...]
    by: str | None = None  # a segment column
    granularity: Granularity | None = None  # None: one period over everything
    since: date | None = None  # first local day
    until: date | None = None  # first local day after
    where: tuple[tuple[str, str], ...] = ()  # column, value; several of one column: any of them
    about: str = ""  # of a problem: its id, or a value of a column (category=Billing); what problem_share is about

    @property
    def conditions(self) -> tuple[tuple[str, str], ...]:
        """All columns and values that the question names, for who asks whether it may be asked."""
        return (*self.where, *about_condition(self.about))

    @property
    def problem(self) -> str | None:
        """What the cases have to be opened with, so that they tell their problems."""
        return problem_needed(self.about, (self.by, *(column for column, _ in self.where)))

    def __post_init__(self) -> None:
        for column in (self.by, *(column for column, _ in self.where)):
            if column is not None and column not in FILTER_COLUMNS:
                raise UnknownNameError("segment", column, FILTER_COLUMNS)
        if self.since and self.until and self.until <= self.since:
            raise PeriodError(
                f"The end, {self.until}, is not after the beginning, {self.since}.",
                "Swap or correct them (--since, --until).",
            )


@dataclass(frozen=True)
class Series:
    """One measure's answer; the columns run in parallel, sorted by segment, then period."""

    measure: Measure
    question: MeasureQuestion
    zone: str  # of the periods
    as_of: int  # epoch second up to which the cases are known
    log_version: int
    periods: tuple[Period | None, ...]
    segments: tuple[str | None, ...]
    is_over: tuple[bool, ...]  # the period had ended at as_of
    n: tuple[int, ...]  # cases that the number is about
    count: tuple[int | None, ...]  # share: cases in the numerator
    open: tuple[int | None, ...]  # wait: cases still waiting
    value: tuple[Value, ...]  # in the measure's unit
    low: tuple[Value, ...]  # 95% interval
    high: tuple[Value, ...]
    remark: tuple[str, ...]  # what to know of the number: a source left out, or known to an earlier day; empty: nothing

    def __len__(self) -> int:
        return len(self.n)

    def of_segment(self, segment: str | None) -> Series:
        """The part about one segment."""
        indices = [index for index, name in enumerate(self.segments) if name == segment]
        return self.take(indices)

    def take(self, indices: Sequence[int]) -> Series:
        """Some of the rows, in the order given."""
        columns: dict[str, Any] = {
            name: tuple(getattr(self, name)[index] for index in indices)
            for name in ("periods", "segments", "is_over", "n", "count", "open", "value", "low", "high", "remark")
        }
        return replace(self, **columns)

    @property
    def as_of_local(self) -> datetime:
        """as_of in the workspace's zone."""
        return datetime.fromtimestamp(self.as_of, UTC).astimezone(ZoneInfo(self.zone))


SERIES_COLUMNS = (
    "measure",
    "version",
    "segment",
    "period",
    "n",
    "count",
    "open",
    "value",
    "low",
    "high",
    "unit",
    "note",
)


def series_records(series: Series) -> list[dict[str, object]]:
    """The series as records, the same for CSV, JSON and every table: full digits, a note where not computable."""
    records = []
    for index in range(len(series)):
        value, low, high = series.value[index], series.low[index], series.high[index]
        period = series.periods[index]
        notes = [] if series.is_over[index] else ["period not over"]
        notes += [value.reason] if isinstance(value, NotComputable) else []
        notes += [series.remark[index]] if series.remark[index] else []
        notes += (
            [f"upper bound {high.reason}"]
            if isinstance(high, NotComputable) and not isinstance(value, NotComputable)
            else []
        )
        records.append(
            {
                "measure": series.measure.name,
                "version": series.measure.version,
                "segment": series.segments[index],
                "period": period.label if period else None,
                "n": series.n[index],
                "count": series.count[index],
                "open": series.open[index],
                "value": None if isinstance(value, NotComputable) else value,
                "low": None if isinstance(low, NotComputable) else low,
                "high": None if isinstance(high, NotComputable) else high,
                "unit": series.measure.unit,
                "note": "; ".join(notes) or None,
            }
        )
    return records
