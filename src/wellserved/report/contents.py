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
    small: str = ""  # the interval, n, and what it was before


@dataclass(frozen=True)
class BriefLine:
    """One sentence for somebody who has two minutes, and what it rests on in small."""

    sentence: str
    number: str = ""
    small: str = ""
    tone: Literal["worse", "better", "fact"] = "fact"
    measure: Measure | None = None

    @property
    def under(self) -> str:
        """What stands under the sentence: its number, where the sentence does not name it, and what it rests on."""
        number = "" if self.number in self.sentence else self.number
        return "; ".join(note for note in (number, self.small) if note)


@dataclass(frozen=True)
class BriefPart:
    """One of the five things that a boss wants to know, the most important line first."""

    key: Literal["worse", "better", "failed", "promised", "next"]
    title: str
    lines: tuple[BriefLine, ...]


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
    brief: tuple[BriefPart, ...]
    sections: tuple[Section, ...]
    definitions: tuple[Measure, ...]
    series: tuple[Series, ...] = field(repr=False)  # every number over time that the report rests on
