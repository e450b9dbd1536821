"""Which sources can answer a measure, and why the others cannot.

A source whose export never says that a case was reopened does not show that none was. Beside another source that
records it, its cases would count as never reopened; so they are left out of that measure, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from wellserved.measure.case_table import CaseTable, fill_sql, filter_sql
from wellserved.measure.measure import Measure
from wellserved.measure.series import MeasureQuestion

PRIVATE_COLUMNS = ("customer_id", "account_id", "person_id")  # whose values a message does not spell out
MAX_SUGGESTIONS = 3  # names offered in place of one that matches nothing


@dataclass(frozen=True)
class Coverage:
    """The sources that a question is about, and what each cannot answer."""

    sources: tuple[str, ...]  # that have cases among those asked about
    gaps: Mapping[str, Mapping[str, str]]  # measure -> source -> why it cannot answer

    def reason(self, measure: Measure, sources: Sequence[str]) -> str:
        """Why none of these sources can answer a measure; empty: at least one can, or there are none."""
        gaps = self.gaps.get(measure.name, {})
        if not sources or not set(sources) <= set(gaps):
            return ""
        reasons = {gaps[name]: None for name in sources}
        return next(iter(reasons)) if len(reasons) == 1 else "; ".join(f"{name}: {gaps[name]}" for name in sources)

    def remark(self, measure: Measure, sources: Sequence[str]) -> str:
        """What an answer over some sources leaves out, in words; empty: nothing."""
        gaps = self.gaps.get(measure.name, {})
        return "; ".join(f"without {name}: {gaps[name]}" for name in sources if name in gaps)


def missing_moment_reason(case_table: CaseTable, relies_on: Sequence[str], source: str) -> str:
    """Why a source cannot tell one of the moments that something rests on; empty: nothing says that it cannot."""
    cannot = case_table.cannot.get(source, {})
    return next((cannot[kind] for kind in relies_on if kind in cannot), "")


def coverage_of(case_table: CaseTable, measures: Sequence[Measure], sources: Sequence[str]) -> Coverage:
    """Ask each source once for what each measure needs; the first case that has it ends the search."""
    has_need: dict[tuple[str, str], bool] = {}
    gaps: dict[str, dict[str, str]] = {}
    for measure in measures:
        for source in sources:
            reason = missing_moment_reason(case_table, measure.relies_on, source)
            if not reason and measure.needs:
                if (source, measure.needs) not in has_need:
                    has_need[source, measure.needs] = _has_case(case_table, measure.needs, source)
                reason = "" if has_need[source, measure.needs] else f"the record holds no {measure.lacking}"
            if reason:
                gaps.setdefault(measure.name, {})[source] = reason
    return Coverage(tuple(sources), gaps)


def _has_case(case_table: CaseTable, needs: str, source: str) -> bool:
    source_filter = "" if len(case_table.as_of) <= 1 else f" AND source = {case_table.engine.quote_text(source)}"
    return bool(
        case_table.engine.query(
            f"SELECT 1 FROM {case_table.table} WHERE ({fill_sql(needs, case_table)}){source_filter} LIMIT 1"
        ).num_rows
    )


def restrict_measure(case_table: CaseTable, measure: Measure, coverage: Coverage) -> Measure:
    """The measure over the cases of those sources alone that can answer it."""
    gaps = coverage.gaps.get(measure.name, {})
    if not gaps or not set(gaps) < set(coverage.sources):
        return measure
    source_filter = f"source NOT IN ({', '.join(map(case_table.engine.quote_text, sorted(gaps)))})"
    if measure.kind == "wait":
        return replace(
            measure, event=f"({measure.event}) AND {source_filter}", waiting=f"({measure.waiting}) AND {source_filter}"
        )
    return replace(measure, population=f"({measure.population}) AND {source_filter}")


def unmatched_reason(case_table: CaseTable, question: MeasureQuestion) -> str:
    """Why no case matches the question's filters, with the nearest names; empty: some case does."""
    if _has_match(case_table, question):
        return ""
    filter_text = " and ".join(f"{column} {value!r}" for column, value in question.where)
    return unknown_names(case_table, question) or f"No case has {filter_text} together."


def unknown_names(case_table: CaseTable, question: MeasureQuestion) -> str:
    """Which of the question's filters no case at all answers to, with the nearest names; empty: each has cases."""
    if _has_match(case_table, question):
        return ""
    columns = dict.fromkeys(column for column, _ in question.where)
    return " ".join(filter(None, (_unknown_values(case_table, question, column) for column in columns)))


def _has_match(case_table: CaseTable, question: MeasureQuestion) -> bool:
    where, values = filter_sql(case_table, question)
    sql = f"SELECT 1 FROM {case_table.table} WHERE {where} LIMIT 1"
    return not question.where or bool(case_table.engine.query(sql, values).num_rows)


def _unknown_values(case_table: CaseTable, question: MeasureQuestion, column: str) -> str:
    """That no case has any of the values asked for in one column, and which values come near; empty: some case has."""
    values = [value for name, value in question.where if name == column]
    distinct_values = case_table.engine.query(
        f"SELECT DISTINCT CAST({column} AS {case_table.engine.string}) AS v FROM {case_table.table}"
    )
    names = sorted(name for name in distinct_values["v"].to_pylist() if name is not None)
    if set(names) & set(values):
        return ""
    sentence = f"No case has {column} {' or '.join(map(repr, values))}."
    if column in PRIVATE_COLUMNS or not names:
        return sentence
    name_by_casefold = {name.casefold(): name for name in names}
    nearest_names = [
        name_by_casefold[name]
        for value in values
        for name in get_close_matches(value.casefold(), name_by_casefold, MAX_SUGGESTIONS, 0.4)
    ]
    return (
        f"{sentence} The nearest: {', '.join(dict.fromkeys(nearest_names))}."
        if nearest_names
        else f"{sentence} {_example_names(column, names)}"
    )


def _example_names(column: str, names: Sequence[str]) -> str:
    return f"There {'is' if len(names) == 1 else 'are'} {', '.join(names[:MAX_SUGGESTIONS])}{' ...' if len(names) > MAX_SUGGESTIONS else ''}."
