"""The report as Markdown: for a repository, a wiki, or a mail that shows no pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from wellserved.measure import Series, series_records
from wellserved.measure.series import SERIES_COLUMNS
from wellserved.render.clean import one_line
from wellserved.render.formats.data import chart_rows
from wellserved.report import BriefLine, Report
from wellserved.wording import format_percent, period_name

if TYPE_CHECKING:
    from wellserved.chart import Chart
    from wellserved.report.segments import Funnel, Pareto

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#|~!&]|^[-+](?!\d))")
_NUMBERED = re.compile(r"^(\d{1,9})(?=\.\s)")  # would begin a list
_SIDES = {"worse": "✕ ", "better": "✓ ", "fact": ""}
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
    from wellserved.render.charts.svg import describe

    numbers = chart_rows(chart)
    columns = ["period", "n", "value", "low", "high", "lower_limit", "centre", "upper_limit", *chart.signal_masks]
    lines = [f"### {escape(chart.series.measure.question)}", "", escape(describe(chart)), ""]
    lines += [escape(chart.warning), ""] if chart.warning else []
    return lines + table(columns, ([row[column] for column in columns] for row in numbers))


def report_text(report: Report) -> str:
    """The whole report."""
    lines = [f"# {escape(report.title)}", ""]
    lines += [
        f"Service report for {period_name(report.period, report.granularity)}, compared with everything since {report.first}."
    ]
    lines += [
        f"Data up to {report.as_of:%Y-%m-%d %H:%M}, time zone {escape(report.zone)}; log version {report.log_version}.",
        "",
    ]
    lines += [f"> Before you quote this: {escape(report.caution)}", ""] if report.caution else []
    for part in report.brief:
        lines += [f"## {escape(part.title)}", "", *map(_brief_line, part.lines), ""]
    for section in report.sections:
        lines += [f"## {escape(section.title)}", ""]
        for finding in section.findings:
            small = f"  \n  {escape(finding.small)}" if finding.small else ""
            lines.append(f"- {_TONES[finding.tone]}{escape(finding.text)}{small}")
        lines.append("")
        for chart in section.charts:
            lines += chart_text(chart)
        for funnel in section.funnels:
            lines += _funnel_lines(funnel)
        for pareto in section.paretos:
            lines += _pareto_lines(pareto)
        for report_table in section.tables:
            lines += [f"### {escape(report_table.title)}", "", *table(report_table.columns, report_table.rows)]
            lines += [escape(report_table.note), ""] if report_table.note else []
    return "\n".join([*lines, "## Definitions", "", *_definition_lines(report), ""])


def _brief_line(line: BriefLine) -> str:
    """The sentence, and under it its number and what it rests on."""
    return f"- {_SIDES[line.tone]}{escape(line.sentence)}" + (f"  \n  {escape(line.under)}" if line.under else "")


def _funnel_lines(funnel: Funnel) -> list[str]:
    """The segments beyond chance, twenty at most."""
    columns = (funnel.column, "n", "share", "low", "high", "beyond chance", "stands out")
    rows = [row for row in funnel.rows if row.beyond_chance][:20]
    return table(
        columns,
        (
            (
                row.segment,
                row.n,
                *map(format_percent, (row.share, row.low, row.high)),
                row.beyond_chance,
                row.stands_out,
            )
            for row in rows
        ),
    )


def _pareto_lines(pareto: Pareto) -> list[str]:
    columns = (pareto.column, "misses", "share", "low", "high", "cumulative")
    rows = (
        (row.segment, row.count, *map(format_percent, (row.share, row.low, row.high, row.cumulative)))
        for row in pareto.rows
    )
    return table(columns, rows)


def _definition_lines(report: Report) -> list[str]:
    """Of the measures that a finding rests on."""
    findings = (finding for section in report.sections for finding in section.findings)
    used_measures = {finding.measure.name for finding in findings if finding.measure}
    return [
        f"- **{escape(measure.name)}** (version {measure.version}): {escape(measure.formula)}. Counted: {escape(measure.counted)}; left out: {escape(measure.exclusions)}."
        for measure in report.definitions
        if measure.name in used_measures
    ]
