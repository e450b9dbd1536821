"""The report as Markdown: for a repository, a wiki, or a mail that shows no pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from wellserved.measure import Series, series_records
from wellserved.measure.series import SERIES_COLUMNS
from wellserved.measure.words import format_percent, period_name
from wellserved.render.clean import one_line
from wellserved.render.data import chart_rows
from wellserved.report import Report

if TYPE_CHECKING:
    from wellserved.chart import Chart

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#|~!&]|^[-+](?!\d))")
_NUMBERED = re.compile(r"^(\d{1,9})(?=\.\s)")  # would begin a list
_TONES = {"fact": "", "signal": "**Signal.** ", "wobble": "", "cannot": ""}


def escape(words: object) -> str:
    """Words as words: no mark in them becomes formatting, a link or a tag."""
    return _NUMBERED.sub(r"\1\\", _MARKS.sub(r"\\\1", one_line(str(words))))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else escape(value)


def table(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> list[str]:
    """A table as lines."""
    head = ["| " + " | ".join(map(escape, columns)) + " |", "|" + "---|" * len(columns)]
    return [*head, *("| " + " | ".join(map(_cell, line)) + " |" for line in lines), ""]


def series_text(series_list: Iterable[Series]) -> str:
    """Measures as tables."""
    lines = []
    for series in series_list:
        lines += [f"## {escape(series.measure.question)}", ""]
        lines += table(
            SERIES_COLUMNS[2:], ([row[column] for column in SERIES_COLUMNS[2:]] for row in series_records(series))
        )
    return "\n".join(lines)


def chart_text(chart: Chart) -> list[str]:
    """A chart in words and numbers."""
    from wellserved.render.svg import describe

    numbers = chart_rows(chart)
    columns = ["period", "n", "value", "low", "high", "lower_limit", "centre", "upper_limit", *chart.signal_masks]
    lines = [f"### {escape(chart.series.measure.question)}", "", escape(describe(chart)), ""]
    lines += [escape(chart.warning), ""] if chart.warning else []
    return lines + table(columns, ([row[column] for column in columns] for row in numbers))


def report_text(report: Report) -> str:
    """The whole report."""
    lines = [f"# {escape(report.title)}", ""]
    lines += [
        f"Service report for {period_name(report.period, report.granularity)}, against everything since {report.first}."
    ]
    lines += [
        f"Known up to {report.as_of:%Y-%m-%d %H:%M}, time zone {escape(report.zone)}; log version {report.log_version}.",
        "",
    ]
    lines += [f"> Before you quote this: {escape(report.caution)}", ""] if report.caution else []
    for section in report.sections:
        lines += [f"## {escape(section.title)}", ""]
        lines += [f"- {_TONES[finding.tone]}{escape(finding.text)}" for finding in section.findings]
        lines.append("")
        for chart in section.charts:
            lines += chart_text(chart)
        for funnel in section.funnels:
            funnel_columns = (funnel.column, "n", "share", "low", "high", "beyond chance", "stands out")
            shown_rows = [row for row in funnel.rows if row.beyond_chance][:20]
            lines += table(
                funnel_columns,
                (
                    (
                        r.segment,
                        r.n,
                        format_percent(r.share),
                        format_percent(r.low),
                        format_percent(r.high),
                        r.beyond_chance,
                        r.stands_out,
                    )
                    for r in shown_rows
                ),
            )
        for pareto in section.paretos:
            pareto_columns = (pareto.column, "misses", "share", "low", "high", "cumulative")
            lines += table(
                pareto_columns,
                (
                    (
                        r.segment,
                        r.count,
                        format_percent(r.share),
                        format_percent(r.low),
                        format_percent(r.high),
                        format_percent(r.cumulative),
                    )
                    for r in pareto.rows
                ),
            )
        for report_table in section.tables:
            lines += [f"### {escape(report_table.title)}", "", *table(report_table.columns, report_table.rows)]
            lines += [escape(report_table.note), ""] if report_table.note else []
    lines += ["## Definitions", ""]
    used_measures = {
        finding.measure.name for section in report.sections for finding in section.findings if finding.measure
    }
    for measure in report.definitions:
        if measure.name in used_measures:
            lines.append(
                f"- **{escape(measure.name)}** (version {measure.version}): {escape(measure.formula)}. Counted: {escape(measure.counted)}; left out: {escape(measure.exclusions)}."
            )
    return "\n".join([*lines, ""])
