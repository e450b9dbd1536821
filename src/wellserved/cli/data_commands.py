"""The commands that import, measure, explain and report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.server_commands import write_line
from wellserved.cli.shared import (
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
    console,
    error_console,
    granularity_name,
    parse_day,
    progress,
    question_of,
    seconds_of,
    show,
    show_tables,
    workspace_at,
    write,
)
from wellserved.errors import RequestError
from wellserved.mapping import load_mapping, presets
from wellserved.measure import MEASURES
from wellserved.measure.vendor_rules import VENDORS, find_vendor_rule
from wellserved.render import data, markdown, terminal
from wellserved.render.clean import one_line
from wellserved.render.scales import scale_table
from wellserved.render.table import csv_text
from wellserved.report import Report
from wellserved.scales import load_scales
from wellserved.workspace import create_workspace, default_folder, open_workspace

if TYPE_CHECKING:
    from wellserved.chart import Chart
    from wellserved.sources.infer import Inspection


@app.command()
def init(
    home: HomeOption = None,
    zone: Annotated[
        str | None,
        typer.Option("--zone", help="Time zone of days, weeks and months, such as Europe/Berlin; UTC unless named."),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option("--dates", help="In typed lines, 12/5 has the day or the month first; asked unless named."),
    ] = None,
) -> None:
    """Make a workspace, or change the settings of one."""
    workspace = create_workspace(home or default_folder(), zone, dates)
    error_console.print(f"Workspace {workspace.folder}, time zone {workspace.zone}.", markup=False, highlight=False)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A delimited text file; gzip and zip are unpacked.")],
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Look at a file: its shape, its columns, what is to be checked, and a first mapping to correct."""
    from wellserved.actions.inspection import inspect_file
    from wellserved.render import receipts

    folder = home or default_folder()
    zone = open_workspace(folder).zone if home or (folder / "workspace.toml").exists() else None
    with tempfile.TemporaryDirectory() as scratch, progress() as on_progress:
        raw, inspection, preset = inspect_file(file, Path(scratch), zone, on_progress=on_progress)
    columns = ("column", "filled", "different", "dates", "examples")
    rows = [
        (
            column.name,
            column.filled_count,
            column.distinct_count,
            "?" if column.undecided_reason else column.dates.in_words() if column.dates else "",
            ", ".join(column.examples),
        )
        for column in inspection.columns
    ]
    shape = f"{raw.rows_read} rows, {len(raw.broken_rows)} of them unreadable; {raw.text.encoding}, delimiter {raw.dialect.delimiter!r}"
    title = one_line(f"{file.name}: {shape}")
    error_console.print(terminal.plain_text(terminal.grid(title, columns, rows)), markup=False, highlight=False)
    if preset:
        advice = [f"The preset {preset.name} reads this file: `wellserved import {file}`.", *receipts.gap_lines(preset)]
    else:
        advice = _mapping_advice(inspection)
    for line in advice:
        error_console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)
    write(inspection.toml, output)
    if output:
        error_console.print(
            f"Correct it, then: wellserved import {file} --mapping {output}", markup=False, highlight=False
        )


def _mapping_advice(inspection: Inspection) -> list[str]:
    """What a reader of the first mapping must be told."""
    advice = ["Please check:", *(f"- {question}" for question in inspection.questions)] if inspection.questions else []
    advice += [
        f"Not used, though they look like {kind}: {', '.join(names)}."
        for kind, names in inspection.unused_columns.items()
    ]
    return advice + (
        ["An import by this mapping would say:", *(f"- {note}" for note in inspection.notes)]
        if inspection.notes
        else []
    )


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A delimited text file; gzip and zip are unpacked.")],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mapping file (TOML); otherwise a preset that fits.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Read a file into the log; the same file twice changes nothing."""
    from wellserved.actions import imports
    from wellserved.render import receipts

    workspace = workspace_at(home)
    with progress() as on_progress:
        result = imports.import_file(
            workspace,
            file,
            load_mapping(mapping, load_scales(workspace.folder)) if mapping else None,
            on_progress=on_progress,
        )
    for line in receipts.receipt_lines(result.receipt):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if result.refusals:
        sentence = "Rows that were refused or lost a moment, with reasons, to be mended and imported again"
        console.print(f"{sentence}: {result.refusals}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def scales(format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None) -> None:
    """List the scales of ratings, and the workspace's own (scales.toml) as they were understood."""
    show_tables([scale_table(load_scales(workspace_at(home).folder))], format_, output)


@app.command()
def measures(format_: FormatOption = Format.text, home: HomeOption = None) -> None:
    """List the measures and what they ask, and the scales of ratings that the workspace declares."""
    if format_ is Format.json:
        write(data.as_json([data.measure_definition(measure) for measure in MEASURES]), None)
        return
    columns = ("name", "version", "question", "unit", "better", "in a period by")
    rows = [
        (measure.name, measure.version, measure.question, measure.unit, measure.better, measure.anchor)
        for measure in MEASURES
    ]
    if format_ is Format.csv:
        write(csv_text(columns, rows), None)
    elif format_ is Format.md:
        write("\n".join([*markdown.table(columns, rows), *_show_declared_scales(format_, home)]), None)
    else:
        show(terminal.grid("Measures", columns, rows), None)
        _show_declared_scales(format_, home)


def _show_declared_scales(format_: Format, home: Path | None) -> list[str]:
    """The scales that the workspace declares, if there is one and it does: as lines of Markdown, or shown."""
    folder = home or default_folder()
    if not (folder / "workspace.toml").exists():
        return []
    declared_scales = {name: scale for name, scale in load_scales(folder).items() if scale.is_own}
    if declared_scales and format_ is Format.text:
        show_tables([scale_table(declared_scales)], format_, None)
    if not declared_scales or format_ is not Format.md:
        return []
    table = scale_table(declared_scales)
    return ["", f"**{table.title}**", "", *markdown.table(table.columns, table.rows)]


@app.command()
def measure(
    names: Annotated[list[str], typer.Argument(help="Measures, as listed by `wellserved measures`.")],
    by: Annotated[str | None, typer.Option("--by", help="Split by a column: team, service, channel ...")] = None,
    granularity: GranularityOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    vendor: Annotated[
        str | None, typer.Option("--as", help=f"Count waits by another house's rule: {', '.join(VENDORS[1:])}.")
    ] = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Compute measures, every number with its n and 95% interval."""
    from wellserved.actions import questions

    question = question_of(names, by, granularity, since, until, where)
    workspace = workspace_at(home)
    with progress() as on_progress:
        if vendor and vendor != "ours":
            series = questions.ask_by_vendor(workspace, question, vendor, on_progress)
        else:
            series = questions.ask_measures(workspace, question, on_progress, must_match=True)
    if format_ is Format.text:
        show(terminal.series_lines(series), output)
        return
    from wellserved.render import html

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
def explain(
    name: Annotated[str, typer.Argument(help="A wait, such as time_to_resolution.")],
    case_id: Annotated[str, typer.Argument(help="The case's number in its source.")],
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Explain one case's number: its moments, and what each house's rule counts of them."""
    from wellserved.actions import questions
    from wellserved.render import clocks

    workspace = workspace_at(home)
    with progress() as on_progress:
        explanation = questions.explain_case(workspace, name, case_id, source, on_progress)
    show_tables(clocks.explained_tables(explanation, workspace.zone), format_, output)


@app.command()
def compare(
    name: Annotated[str, typer.Argument(help="A wait, such as time_to_resolution.")],
    vendor: Annotated[str, typer.Option("--as", help=f"One rule: {', '.join(VENDORS)}.")],
    other_vendor: Annotated[str, typer.Option("--with", help="The other rule.")] = "ours",
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Compare two rules for one wait: how many cases they count differently, and why."""
    from wellserved.actions import questions
    from wellserved.measure import find_measure
    from wellserved.render import clocks

    measure = find_measure(name)
    rules = (find_vendor_rule(measure, vendor), find_vendor_rule(measure, other_vendor))
    with progress() as on_progress:
        differences = questions.compare_rules(workspace_at(home), rules, source, on_progress)
    show_tables(clocks.compared_tables(*rules, differences), format_, output)


@app.command("promises")
def promises_(
    by: Annotated[
        str | None, typer.Option("--by", help="Split by a column: service, team, promised (its length) ...")
    ] = "service",
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Set what is promised beside what came of it: kept, agreed anew, too late, and what would keep nine in ten."""
    from wellserved.actions import questions
    from wellserved.render import promises

    question = question_of(list(promises.PROMISE_MEASURES), by, None, since, until, where)
    with progress() as on_progress:
        series = questions.ask_measures(workspace_at(home), question, on_progress, must_match=True)
    show_tables([promises.promise_table(series, by)], format_, output)


@app.command("chain")
def chain_(
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Follow hand-overs: who is whose supplier, where time is lost, and whose cases fail downstream."""
    from wellserved.actions import questions
    from wellserved.render import chains, pictures

    with progress() as on_progress:
        chain = questions.follow_chain(workspace_at(home), source, on_progress)
    title = "Hand-overs: where cases lie, and whose fail downstream"
    show_tables(chains.chain_tables(chain), format_, output, title, [pictures.team_time_picture(chain)])


@app.command("queue")
def queue_(
    target: Annotated[str, typer.Option("--within", help="The time within which to serve: 20s, 5m, 4h, 2d.")] = "1h",
    slot: Annotated[str, typer.Option("--slot", help="Length of an interval of the day: 30m, 1h.")] = "1h",
    handling: Annotated[
        str | None, typer.Option("--handling", help="Mean time of work a case (240s, 10m): adds what it would take.")
    ] = None,
    goal: Annotated[float, typer.Option("--goal", help="Share to be served within the time.")] = 0.8,
    servers: Annotated[
        int | None, typer.Option("--servers", help="How many serve, to compare the formula with.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show a queue: who is served, who leaves, who waits, by time of day, and what it would take."""
    from wellserved.actions import questions
    from wellserved.queueing.staffing import staffing
    from wellserved.render import pictures, queues

    question = question_of([], None, None, since, until, where)
    target_seconds, slot_seconds = seconds_of(target, "--within"), seconds_of(slot, "--slot")
    with progress() as on_progress:
        queue = questions.ask_queue(workspace_at(home), question, target_seconds, slot_seconds, on_progress)
    tables = queues.queue_tables(queue)
    if handling is not None:
        staffing_rows = staffing(queue, slot_seconds, seconds_of(handling, "--handling"), goal, servers)
        tables.append(queues.staffing_table(staffing_rows, goal, servers is not None))
    title = "The queue: who was served, who left, who waits"
    show_tables(tables, format_, output, title, [pictures.waiting_picture(queue)])


@app.command()
def hours(format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None) -> None:
    """Show the opening hours of calendars.toml as they were understood."""
    from wellserved.actions import questions
    from wellserved.render import clocks

    workspace = workspace_at(home)
    tables = clocks.calendar_tables(questions.opening_hours(workspace))
    if not tables:
        raise RequestError(
            "There are no opening hours; all waits count around the clock.",
            f"Write them into {workspace.calendars}; docs/clocks.md shows how.",
        )
    show_tables(tables, format_, output)


@app.command()
def chart(
    name: Annotated[str, typer.Argument(help="A measure, as listed by `wellserved measures`.")],
    granularity: GranularityOption = GranularityChoice.month,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
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

    question = question_of([name], None, granularity or GranularityChoice.month, since, until, where)
    phases = [day for text in phase or [] if (day := parse_day(text, "--phase"))]
    with progress() as on_progress:
        (series,) = questions.ask_measures(workspace_at(home), question, on_progress, must_match=True)
    control_chart = compute_chart(series, kind, rules.value, phases, parse_day(baseline, "--baseline"), screen)  # type: ignore[arg-type]
    _write_chart(control_chart, format_, output)


def _write_chart(control_chart: Chart, format_: Format, output: Path | None) -> None:
    if format_ is Format.text:
        show(terminal.chart_lines(control_chart), output)
        return
    from wellserved.render import html, svg

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
    from wellserved.render import html

    writers = {
        Format.html: lambda: html.report_page(service_report),
        Format.md: lambda: markdown.report_text(service_report),
        Format.json: lambda: data.as_json(data.report_data(service_report)),
        Format.csv: lambda: data.series_csv(service_report.series),
    }
    if format_ not in writers:
        raise RequestError("A report is no single picture.", "Use --format html, which holds its charts.")
    return writers[format_]()


@app.command("log")
def log_(
    line: Annotated[
        list[str] | None,
        typer.Argument(
            help="A line for your own journal; without one, the log's versions are shown. Put it in quotes where it "
            "holds a mark that your shell keeps for itself, such as # $ & or *."
        ),
    ] = None,
    imports: Annotated[bool, typer.Option("--imports", help="List the imports.")] = False,
    refusals: Annotated[
        bool, typer.Option("--refusals", help="Name the files of rows that were refused or lost a moment.")
    ] = False,
    user_name: Annotated[str | None, typer.Option("--as", help="Whose journal, where people log in.")] = None,
    home: HomeOption = None,
) -> None:
    """Write a line into your journal; or show the log's versions, its imports, and what was refused."""
    if line:
        write_line(" ".join(line), home, user_name)
        return
    from wellserved import log

    workspace = workspace_at(home)
    if imports or refusals:
        shown_receipts = [
            receipt for receipt in log.receipts(workspace) if imports or receipt.rows_refused or receipt.moments_refused
        ]
        columns = ("import", "when", "file", "source", "read", "loaded", "refused", "new moments")
        rows = [
            (receipt.import_id, receipt.recorded_at, receipt.file, receipt.source, receipt.rows_read, receipt.rows_loaded, receipt.rows_refused, receipt.moments_new)
            for receipt in shown_receipts
        ]  # fmt: skip
        show(terminal.grid("Imports" if imports else "Refusals", columns, rows), None)
        for receipt in shown_receipts:
            if receipt.rows_refused or receipt.moments_refused:
                file = workspace.imports / receipt.import_id / "refusals.csv"
                console.print(f"Refused by {receipt.import_id}: {file}", markup=False, highlight=False, soft_wrap=True)
        return
    version_rows = [
        (version["version"], version["at"], version["moments"], version["import_id"])
        for version in log.history(workspace)
    ]
    show(terminal.grid("Versions of the log", ("version", "written", "moments added", "import"), version_rows), None)


@app.command("demo")
def demo_(
    folder: Annotated[Path, typer.Option("--folder", help="Where to put the reports and their workspace.")] = Path(
        "demo"
    ),
    data_folder: Annotated[
        Path | None, typer.Option("--data", help="Whole exports to use instead of the shipped slices.")
    ] = None,
) -> None:
    """Import three real samples and write their service reports."""
    from wellserved import demo

    with progress() as on_progress:
        sample_reports = demo.run_demo(folder, data_folder, on_progress)
    for sample_report in sample_reports:
        console.print(terminal.safe_text(sample_report.report.title, "bold"))
        receipt = sample_report.receipt
        console.print(
            f"  {receipt.rows_read:,} rows read = {receipt.rows_loaded:,} loaded + {receipt.rows_refused:,} refused",
            markup=False,
            highlight=False,
        )
        for finding in sample_report.report.sections[0].findings[:3]:
            console.print(terminal.safe_text(f"  - {finding.text}"))
    console.print(f"\nOpen {(folder / 'index.html').resolve().as_uri()}", markup=False, highlight=False, soft_wrap=True)


@app.command("synth")
def synth_(
    cases: Annotated[int, typer.Argument(help="How many cases to make.", min=1, max=1_000_000_000)] = 100_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same cases.", min=0)] = 1,
    home: HomeOption = None,
) -> None:
    """Make cases with known truths (an effect, gaming, a fault, a leak), to try any measure against an answer."""
    from wellserved import synth
    from wellserved.actions import synthetic

    with progress() as on_progress:
        moment_count = synthetic.make_cases(workspace_at(home), cases, seed, on_progress)
    console.print(
        f"{moment_count:,} moments of {cases:,} made cases are new in the log. What is true of them:", highlight=False
    )
    write(data.as_json(synth.TRUTHS), None)


@app.command("presets")
def presets_() -> None:
    """List the sources that need no mapping."""
    show(
        terminal.grid(
            "Presets", ("name", "source", "about"), [(preset.name, preset.title, preset.about) for preset in presets()]
        ),
        None,
    )
