"""Report, measures and charts on a terminal: rich where there is one, plain text where output is piped."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellserved.measure import Series, rows
from wellserved.measure.words import amount, between, number, period_name
from wellserved.moments import NotComputed
from wellserved.render.clean import one_line
from wellserved.report import Finding, Report
from wellserved.report import Table as ReportTable

if TYPE_CHECKING:
    from wellserved.chart import Chart

_MARKS = {"fact": ("•", ""), "signal": ("◆", "bold red"), "wobble": ("○", "green"), "cannot": ("?", "dim")}
_BARS = "▁▂▃▄▅▆▇█"


def words(text: object, style: str = "") -> Text:
    """Other people's words: never markup, never control characters."""
    return Text(one_line(str(text)), style=style)


def sparkline(values: Iterable[float]) -> str:
    """A line of bars; a blank where nothing is computable."""
    seen = list(values)
    known = [value for value in seen if math.isfinite(value)]
    if not known:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    return "".join(_BARS[round((value - low) / span * 7)] if math.isfinite(value) else " " for value in seen)


def _finding(one: Finding) -> RenderableType:
    mark, style = _MARKS[one.tone]
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(mark, style=style), words(one.text))
    return line


def grid(title: str, columns: Iterable[str], lines: Iterable[Iterable[object]]) -> RenderableType:
    """A table of plain values; numbers to the right."""
    table = Table(show_edge=False, pad_edge=False)
    listed = [list(line) for line in lines]
    for place, column in enumerate(columns):
        numeric = bool(listed) and all(isinstance(line[place], int | float) for line in listed)
        table.add_column(words(column), justify="right" if numeric else "left", overflow="fold")
    for line in listed:
        table.add_row(
            *(words(number(cell) if isinstance(cell, int | float) else "" if cell is None else cell) for cell in line)
        )
    return Group(words(title, "bold"), table) if title else table


def tables(many: Iterable[ReportTable]) -> RenderableType:
    """Several tables, one under the other."""
    parts: list[RenderableType] = []
    for one in many:
        parts += [_table(one), Text("")]
    return Group(*parts[:-1])


def _chart(chart: Chart) -> RenderableType:
    from wellserved.render.svg import describe

    return words(f"{sparkline(chart.values.tolist())}  {describe(chart)}", "dim")


def _table(one: ReportTable) -> RenderableType:
    shown = grid(one_line(one.title), one.columns, one.rows)
    return Group(shown, words(one.note, "dim")) if one.note else shown


def report_lines(report: Report) -> RenderableType:
    """The report for a terminal."""
    parts: list[RenderableType] = [
        words(report.title, "bold"),
        words(
            f"Service report for {period_name(report.period, report.every)}, against everything since {report.first}."
        ),
        words(
            f"Known up to {report.as_of:%Y-%m-%d %H:%M}, time zone {report.zone}; log version {report.log_version}.",
            "dim",
        ),
    ]
    if report.caution:
        parts.append(words(f"Before you quote this: {report.caution}", "yellow"))
    for section in report.sections:
        parts += [Text(""), words(section.title, "bold underline")]
        parts += [_finding(one) for one in section.findings]
        parts += [Padding(_chart(chart), (0, 0, 0, 2)) for chart in section.charts]
        parts += [Padding(_table(one), (1, 0, 0, 2)) for one in section.tables]
    return Group(*parts)


def series_lines(many: Iterable[Series]) -> RenderableType:
    """Measures over periods and segments."""
    parts: list[RenderableType] = []
    for series in many:
        lines = []
        for place, row in enumerate(rows(series)):
            value = series.value[place]
            shown = "" if isinstance(value, NotComputed) else amount(value, series.measure)
            lines.append(
                (
                    row["segment"],
                    row["period"],
                    row["n"],
                    shown,
                    between(series.low[place], series.high[place], series.measure),
                    row["note"],
                )
            )
        columns = ("segment", "period", "n", "value", "interval", "note")
        keep = [at for at in range(6) if at in (2, 3, 4) or any(line[at] is not None for line in lines)]
        title = f"{series.measure.question} ({series.measure.name}, version {series.measure.version})"
        parts.append(grid(title, [columns[at] for at in keep], [[line[at] for at in keep] for line in lines]))
        parts.append(
            words(
                f"Time zone {series.zone}; known up to {series.as_of_local:%Y-%m-%d %H:%M}; log version {series.log_version}.",
                "dim",
            )
        )
    return Group(*parts)


def chart_lines(chart: Chart) -> RenderableType:
    """A chart as a sparkline, its signals and its numbers."""
    lines = []
    for place, row in enumerate(rows(chart.series)):
        limits: tuple[object, ...] = ("", "", "")
        if not isinstance(chart.limits, NotComputed):
            limits = tuple(
                f"{float(line[place]):.4g}" for line in (chart.limits.lower, chart.limits.centre, chart.limits.upper)
            )
        fired = ", ".join(rule for rule, mask in chart.found.items() if mask[place])
        lines.append(
            (
                row["period"],
                row["n"],
                amount(chart.series.value[place], chart.series.measure),
                *limits,
                fired,
                row["note"],
            )
        )
    columns = ("period", "n", "value", "lower limit", "centre", "upper limit", "signals", "note")
    parts: list[RenderableType] = [words(chart.series.measure.question, "bold"), _chart(chart)]
    parts += [words(chart.screening, "dim")] if chart.screening else []
    parts += [words(chart.warning, "yellow")] if chart.warning else []
    return Group(*parts, grid("", columns, lines))


def plain_text(content: RenderableType, width: int = 110) -> str:
    """What a pipe gets: no colour, no boxes cut off."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(content)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
