"""One question put to the cases: its filters, and which source can say what until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wellserved.measure.case_table import CaseTable, filter_sql, period_sql, sources_of
from wellserved.measure.coverage import Coverage, coverage_of, unmatched_reason
from wellserved.measure.measure import Measure
from wellserved.measure.period_keys import period_key_sql
from wellserved.measure.series import MeasureQuestion, Value
from wellserved.measure.waits import GroupKey


@dataclass
class MeasureColumn:
    """One measure's numbers by period and segment, as they come from the engine."""

    n: dict[GroupKey, int] = field(default_factory=dict)
    count: dict[GroupKey, int] = field(default_factory=dict)
    open: dict[GroupKey, int] = field(default_factory=dict)
    value: dict[GroupKey, tuple[Value, Value, Value]] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """A question, the cases that it is put to, and what is known before any number is asked for."""

    case_table: CaseTable
    question: MeasureQuestion
    where: str  # SQL: the question's filters, their values bound
    values: Mapping[str, object]
    coverage: Coverage
    sources_by_segment: Mapping[str | None, tuple[str, ...]]  # of each segment's cases, where they may differ
    latest: int  # epoch second up to which any of the sources is known
    unmatched_reason: str  # why no case matches the filters; empty: some does

    @property
    def segment_sql(self) -> str:
        """SQL: the segment of a case."""
        return self.question.by or f"CAST(NULL AS {self.case_table.engine.string})"

    def group_sql(self, date_basis: str) -> str:
        """SQL: period and segment of a case."""
        return f"{period_key_sql(date_basis, self.question.granularity)} AS period, {self.segment_sql} AS segment"

    def case_sql(self, date_basis: str) -> str:
        """SQL: the cases of the question, in its span by one of their dates."""
        return f"FROM {self.case_table.table} WHERE {self.where} AND {period_sql(self.question, date_basis)}"

    def columns(self, sql: str) -> dict[str, list[Any]]:
        """What the engine answers, by column."""
        columns: dict[str, list[Any]] = self.case_table.engine.query(sql, self.values).to_pydict()
        return columns

    def sources(self, segment: str | None) -> tuple[str, ...]:
        """The sources of a segment's cases."""
        return self.sources_by_segment.get(segment, ()) if self.sources_by_segment else self.coverage.sources

    def able_sources(self, measure: Measure, segment: str | None) -> list[str]:
        """Those of them that can answer a measure."""
        gaps = self.coverage.gaps.get(measure.name, {})
        return [source for source in self.sources(segment) if source not in gaps]

    def known_until(self, measure: Measure, segment: str | None) -> int:
        """Epoch second up to which any of these is known."""
        as_of = self.case_table.as_of
        return max((as_of[source] for source in self.able_sources(measure, segment)), default=self.latest)


def prepare_query(case_table: CaseTable, question: MeasureQuestion) -> Query:
    """Find out which sources a question is about, and what each can answer."""
    where, values = filter_sql(case_table, question)
    sources = sources_of(case_table, where, values)
    sources_by_segment: dict[str | None, tuple[str, ...]] = {}
    if len(sources) > 1 and question.by:
        sql = f"SELECT DISTINCT {question.by} AS segment, source FROM {case_table.table} WHERE {where}"
        for pair in sorted(case_table.engine.query(sql, values).to_pylist(), key=lambda pair: str(pair["source"])):
            sources_by_segment[pair["segment"]] = (
                *sources_by_segment.get(pair["segment"], ()),
                str(pair["source"]),
            )
    return Query(
        case_table,
        question,
        where,
        values,
        coverage_of(case_table, question.measures, sources),
        sources_by_segment,
        max((case_table.as_of[source] for source in sources), default=max(case_table.as_of.values(), default=0)),
        unmatched_reason(case_table, question),
    )
