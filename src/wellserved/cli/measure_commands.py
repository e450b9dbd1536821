"""Commands that answer with a measure: its numbers, its rules, its chart, and the service report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.shared import (
    AboutOption,
    Format,
    FormatOption,
    GranularityChoice,
    GranularityOption,
    HomeOption,
    OutputOption,
    Rules,
    RulesOption,
    SinceOption,
    SourceOption,
    UntilOption,
    WhereOption,
    app,
    granularity_name,
    parse_day,
    progress,
    question_of,
    show,
    workspace_at,
    write,
)
from wellserved.errors import RequestError
from wellserved.measure.vendor_rules import VENDORS
from wellserved.render.formats import data, markdown, terminal
from wellserved.report import Report

if TYPE_CHECKING:
    from wellserved.chart import Chart


@app.command()
def measure(
    names: Annotated[list[str], typer.Argument(help="Measures, as listed by `wellserved measures`.")],
    by: Annotated[str | None, typer.Option("--by", help="Split by a column: team, service, channel ...")] = None,
    granularity: GranularityOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    about: AboutOption = None,
    vendor: Annotated[
        str | None, typer.Option("--as", help=f"Count waits by another house's rule: {', '.join(VENDORS[1:])}.")
    ] = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Compute measures, every number with its n and 95% interval."""
    from wellserved.actions import questions, vendor_questions

    question = question_of(names, by, granularity, since, until, where, about)
    workspace = workspace_at(home)
    with progress() as on_progress:
        if vendor and vendor != "ours":
            series = vendor_questions.ask_by_vendor(workspace, question, vendor, on_progress)
        else:
            series = questions.ask_measures(workspace, question, on_progress, must_match=True)
    if format_ is Format.text:
        show(terminal.series_lines(series), output)
        return
    from wellserved.render.formats import html

    writers = {
        Format.csv: lambda: data.series_csv(series),
        Format.json: lambda: data.as_json(data.series_rows(series)),
        Format.md: lambda: markdown.series_text(series),
        Format.html: lambda: html.series_page(series),
    }
    if format_ not in writers:
        raise RequestError("A measure is no picture.", "Use `wellserved chart NAME --format svg`.")
    write(writers[format_](), output)


@app.command()
def chart(
    name: Annotated[str, typer.Argument(help="A measure, as listed by `wellserved measures`.")],
    granularity: GranularityOption = GranularityChoice.month,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    about: AboutOption = None,
    rules: RulesOption = Rules.anhoej,
    kind: Annotated[
        str | None, typer.Option("--kind", help="xmr, p, p', u, u', c, t, xbar or ewma; otherwise the one that fits.")
    ] = None,
    phase: Annotated[
        list[str] | None, typer.Option("--phase", help="New limits from this day; repeat for more.")
    ] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", help="Limits from the periods before this day.")] = None,
    screen: Annotated[
        bool,
        typer.Option(
            "--screen",
            help="XmR: limits without moving ranges of 3.267 times their mean or more, left out once; the chart says how many, and how much narrower that makes it.",
        ),
    ] = False,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Draw the control chart of a measure: signals told from wobbles."""
    from wellserved.actions import questions
    from wellserved.chart import compute_chart

    question = question_of([name], None, granularity or GranularityChoice.month, since, until, where, about)
    phases = [day for text in phase or [] if (day := parse_day(text, "--phase"))]
    with progress() as on_progress:
        (series,) = questions.ask_measures(workspace_at(home), question, on_progress, must_match=True)
    control_chart = compute_chart(series, kind, rules.value, phases, parse_day(baseline, "--baseline"), screen)  # type: ignore[arg-type]
    _write_chart(control_chart, format_, output)


def _write_chart(control_chart: Chart, format_: Format, output: Path | None) -> None:
    if format_ is Format.text:
        show(terminal.chart_lines(control_chart), output)
        return
    from wellserved.render.charts import svg
    from wellserved.render.formats import html

    writers = {
        Format.svg: lambda: svg.draw_control_chart(control_chart, svg.WIDE) + "\n",
        Format.csv: lambda: data.chart_csv(control_chart),
        Format.json: lambda: data.as_json(data.chart_data(control_chart)),
        Format.md: lambda: "\n".join(markdown.chart_text(control_chart)),
        Format.html: lambda: html.chart_page(control_chart),
    }
    write(writers[format_](), output)


@app.command()
def report(
    source: SourceOption = None,
    granularity: GranularityOption = None,
    period: Annotated[
        str | None, typer.Option("--period", help="A day of the period; otherwise the last that is over.")
    ] = None,
    rules: RulesOption = Rules.anhoej,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Write the service report of a period against its past."""
    from wellserved.actions import questions

    with progress() as on_progress:
        service_report = questions.service_report(
            workspace_at(home),
            source,
            granularity_name(granularity),
            parse_day(period, "--period"),
            rules.value,
            on_progress,
        )
    if format_ is Format.text:
        show(terminal.report_lines(service_report), output)
        return
    write(_report_text(service_report, format_), output)


def _report_text(service_report: Report, format_: Format) -> str:
    from wellserved.render.formats import html

    writers = {
        Format.html: lambda: html.report_page(service_report),
        Format.md: lambda: markdown.report_text(service_report),
        Format.json: lambda: data.as_json(data.report_data(service_report)),
        Format.csv: lambda: data.series_csv(service_report.series),
    }
    if format_ not in writers:
        raise RequestError("A report is no single picture.", "Use --format html, which holds its charts.")
    return writers[format_]()
