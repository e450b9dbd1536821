"""What a report is made of: finished data, before any rendering."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from wellserved.measure import Measure, Series
from wellserved.measure.series import Value
from wellserved.moments import Granularity, Period

if TYPE_CHECKING:  # what is shown needs none of what computes it
    from wellserved.chart import Chart
    from wellserved.measure.case_table import CaseTable
    from wellserved.report.segments import Funnel, Pareto

Tone = Literal["fact", "signal", "wobble", "cannot"]


@dataclass(frozen=True)
class Finding:
    """One plain sentence; its measure's definition and its numbers are a click away."""

    text: str
    tone: Tone = "fact"
    measure: Measure | None = None
    n: int | None = None
    value: Value | None = None
    low: Value | None = None
    high: Value | None = None


@dataclass(frozen=True)
class Table:
    """Rows of plain values under named columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One question of the reader's, answered."""

    key: str
    title: str
    findings: tuple[Finding, ...] = ()
    charts: tuple[Chart, ...] = ()
    funnels: tuple[Funnel, ...] = ()
    paretos: tuple[Pareto, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything that the report says, and from what."""

    title: str
    source: str
    credit: str
    caution: str
    zone: str
    granularity: Granularity
    period: Period
    first: date  # first local day of the record
    as_of: datetime
    log_version: int
    wellserved_version: str
    sections: tuple[Section, ...]
    definitions: tuple[Measure, ...]
    series: tuple[Series, ...] = field(repr=False)  # every number over time that the report rests on


@dataclass(frozen=True)
class ReportAnswers:
    """The answers that the sections are written from."""

    case_table: CaseTable
    source: str
    granularity: Granularity
    period: Period
    all_time: dict[str, Series]
    this_period: dict[str, Series]
    earlier: dict[str, Series]
    over_time: dict[str, Series]
    charts: dict[str, Chart]
