"""Report, measures and charts on a terminal: rich where there is one, plain text where output is piped."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellserved.measure import Series, series_records
from wellserved.moments import NotComputable
from wellserved.render.clean import one_line
from wellserved.report import BriefLine, Finding, Report
from wellserved.report import Table as ReportTable
from wellserved.wording import format_interval, format_number, format_value, period_name

if TYPE_CHECKING:
    from wellserved.chart import Chart

_MARKS = {"fact": ("•", ""), "signal": ("◆", "bold red"), "wobble": ("○", "green"), "cannot": ("?", "dim")}
_SIDES = {"worse": ("✕", "bold red"), "better": ("✓", "bold green"), "fact": ("•", "")}
_BARS = "▁▂▃▄▅▆▇█"


def safe_text(text: object, style: str = "") -> Text:
    """Other people's words: never markup, never control characters."""
    return Text(one_line(str(text)), style=style)


def sparkline(values: Iterable[float]) -> str:
    """A line of bars; a blank where nothing is computable."""
    numbers = list(values)
    finite_values = [value for value in numbers if math.isfinite(value)]
    if not finite_values:
        return ""
    low, span = min(finite_values), (max(finite_values) - min(finite_values)) or 1.0
    return "".join(_BARS[round((value - low) / span * 7)] if math.isfinite(value) else " " for value in numbers)


def _finding(finding: Finding) -> RenderableType:
    mark, style = _MARKS[finding.tone]
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(mark, style=style), safe_text(finding.text))
    if finding.small:
        line.add_row("", safe_text(finding.small, "dim"))
    return line


def _brief_line(brief_line: BriefLine) -> RenderableType:
    """The sentence, and under it its number and what it rests on."""
    mark, style = _SIDES[brief_line.tone]
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(mark, style=style), safe_text(brief_line.sentence))
    if brief_line.under:
        line.add_row("", safe_text(brief_line.under, "dim"))
    return line


def grid(title: str, columns: Iterable[str], lines: Iterable[Iterable[object]]) -> RenderableType:
    """A table of plain values; numbers to the right."""
    table = Table(show_edge=False, pad_edge=False)
    table_rows = [list(line) for line in lines]
    for position, column in enumerate(columns):
        is_numeric = bool(table_rows) and all(isinstance(line[position], int | float) for line in table_rows)
        table.add_column(safe_text(column), justify="right" if is_numeric else "left", overflow="fold")
    for line in table_rows:
        table.add_row(
            *(
                safe_text(format_number(cell) if isinstance(cell, int | float) else "" if cell is None else cell)
                for cell in line
            )
        )
    return Group(safe_text(title, "bold"), table) if title else table


def stacked_tables(report_tables: Iterable[ReportTable]) -> RenderableType:
    """Several tables, one under the other."""
    blocks: list[RenderableType] = []
    for table in report_tables:
        blocks += [_table(table), Text("")]
    return Group(*blocks[:-1])


def _chart(chart: Chart) -> RenderableType:
    from wellserved.render.charts.svg import describe

    return safe_text(f"{sparkline(chart.values.tolist())}  {describe(chart)}", "dim")


def _table(table: ReportTable) -> RenderableType:
    table_grid = grid(one_line(table.title), table.columns, table.rows)
    return Group(table_grid, safe_text(table.note, "dim")) if table.note else table_grid


def report_lines(report: Report) -> RenderableType:
    """The report for a terminal."""
    blocks: list[RenderableType] = [
        safe_text(report.title, "bold"),
        safe_text(
            f"Service report for {period_name(report.period, report.granularity)}, compared with everything since {report.first}."
        ),
        safe_text(
            f"Data up to {report.as_of:%Y-%m-%d %H:%M}, time zone {report.zone}; log version {report.log_version}.",
            "dim",
        ),
    ]
    if report.caution:
        blocks.append(safe_text(f"Before you quote this: {report.caution}", "yellow"))
    for part in report.brief:
        blocks += [Text(""), safe_text(part.title, "bold underline")]
        blocks += [_brief_line(line) for line in part.lines]
    blocks += [Text(""), safe_text("Details", "bold reverse")]
    for section in report.sections:
        blocks += [Text(""), safe_text(section.title, "bold underline")]
        blocks += [_finding(finding) for finding in section.findings]
        blocks += [Padding(_chart(chart), (0, 0, 0, 2)) for chart in section.charts]
        blocks += [Padding(_table(table), (1, 0, 0, 2)) for table in section.tables]
    return Group(*blocks)


def series_lines(series_list: Iterable[Series]) -> RenderableType:
    """Measures over periods and segments."""
    blocks: list[RenderableType] = []
    for series in series_list:
        lines = []
        for position, row in enumerate(series_records(series)):
            value = series.value[position]
            value_text = "" if isinstance(value, NotComputable) else format_value(value, series.measure.unit)
            lines.append(
                (
                    row["segment"],
                    row["period"],
                    row["n"],
                    value_text,
                    format_interval(series.low[position], series.high[position], series.measure.unit),
                    row["note"],
                )
            )
        columns = ("segment", "period", "n", "value", "interval", "note")
        kept_columns = [
            column for column in range(6) if column in (2, 3, 4) or any(line[column] is not None for line in lines)
        ]
        title = f"{series.measure.question} ({series.measure.name}, version {series.measure.version})"
        blocks.append(
            grid(
                title,
                [columns[column] for column in kept_columns],
                [[line[column] for column in kept_columns] for line in lines],
            )
        )
        blocks.append(
            safe_text(
                f"Time zone {series.zone}; known up to {series.as_of_local:%Y-%m-%d %H:%M}; log version {series.log_version}.",
                "dim",
            )
        )
    return Group(*blocks)


def chart_lines(chart: Chart) -> RenderableType:
    """A chart as a sparkline, its signals and its numbers."""
    lines = []
    for position, row in enumerate(series_records(chart.series)):
        limits: tuple[object, ...] = ("", "", "")
        if not isinstance(chart.limits, NotComputable):
            limits = tuple(
                f"{float(line[position]):.4g}" for line in (chart.limits.lower, chart.limits.centre, chart.limits.upper)
            )
        fired_rules = ", ".join(rule for rule, mask in chart.signal_masks.items() if mask[position])
        lines.append(
            (
                row["period"],
                row["n"],
                format_value(chart.series.value[position], chart.series.measure.unit),
                *limits,
                fired_rules,
                row["note"],
            )
        )
    columns = ("period", "n", "value", "lower limit", "centre", "upper limit", "signals", "note")
    blocks: list[RenderableType] = [safe_text(chart.series.measure.question, "bold"), _chart(chart)]
    blocks += [safe_text(chart.screening_note, "dim")] if chart.screening_note else []
    blocks += [safe_text(chart.warning, "yellow")] if chart.warning else []
    return Group(*blocks, grid("", columns, lines))


def plain_text(content: RenderableType, width: int = 110) -> str:
    """What a pipe gets: no colour, no boxes cut off."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(content)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
