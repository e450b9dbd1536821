"""The commands that import, measure, explain and report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.serving import write_line
from wellserved.cli.shared import (
    Every,
    EveryOption,
    Format,
    FormatOption,
    Home,
    Output,
    Rules,
    RulesOption,
    Since,
    SourceOption,
    Until,
    Where,
    app,
    day_of,
    err,
    every_name,
    out,
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
from wellserved.measure.clocks import HOUSES, definition
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
    home: Home = None,
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
    err.print(f"Workspace {workspace.folder}, time zone {workspace.zone}.", markup=False, highlight=False)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A delimited text file; gzip and zip are unpacked.")],
    output: Output = None,
    home: Home = None,
) -> None:
    """Look at a file: its shape, its columns, what is to be checked, and a first mapping to correct."""
    from wellserved.actions.inspection import inspect_file
    from wellserved.render import receipts

    folder = home or default_folder()
    zone = open_workspace(folder).zone if home or (folder / "workspace.toml").exists() else None
    with tempfile.TemporaryDirectory() as scratch, progress() as told:
        raw, found, preset = inspect_file(file, Path(scratch), zone, told=told)
    columns = ("column", "filled", "different", "dates", "examples")
    lines = [
        (
            one.name,
            one.filled,
            one.distinct,
            "?" if one.undecided else one.dates.in_words() if one.dates else "",
            ", ".join(one.examples),
        )
        for one in found.columns
    ]
    shape = f"{raw.rows_read} rows, {len(raw.broken)} of them unreadable; {raw.text.encoding}, delimiter {raw.dialect.delimiter!r}"
    title = one_line(f"{file.name}: {shape}")
    err.print(terminal.plain_text(terminal.grid(title, columns, lines)), markup=False, highlight=False)
    if preset:
        said = [f"The preset {preset.name} reads this file: `wellserved import {file}`.", *receipts.lacking(preset)]
    else:
        said = _inspected(found)
    for line in said:
        err.print(one_line(line), markup=False, highlight=False, soft_wrap=True)
    write(found.toml, output)
    if output:
        err.print(f"Correct it, then: wellserved import {file} --mapping {output}", markup=False, highlight=False)


def _inspected(found: Inspection) -> list[str]:
    """What a reader of the first mapping must be told."""
    said = ["Please check:", *(f"- {question}" for question in found.questions)] if found.questions else []
    said += [f"Not used, though they look like {what}: {', '.join(names)}." for what, names in found.unused.items()]
    return said + (
        ["An import by this mapping would say:", *(f"- {note}" for note in found.notes)] if found.notes else []
    )


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A delimited text file; gzip and zip are unpacked.")],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mapping file (TOML); otherwise a preset that fits.")
    ] = None,
    home: Home = None,
) -> None:
    """Read a file into the log; the same file twice changes nothing."""
    from wellserved.actions import imports
    from wellserved.render import receipts

    workspace = workspace_at(home)
    with progress() as told:
        done = imports.import_file(
            workspace, file, load_mapping(mapping, load_scales(workspace.folder)) if mapping else None, told=told
        )
    for line in receipts.lines(done.receipt):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if done.refusals:
        said = "Rows that were refused or lost a moment, with reasons, to be mended and imported again"
        out.print(f"{said}: {done.refusals}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def scales(format_: FormatOption = Format.text, output: Output = None, home: Home = None) -> None:
    """List the scales of ratings, and the workspace's own (scales.toml) as they were understood."""
    show_tables([scale_table(load_scales(workspace_at(home).folder))], format_, output)


@app.command()
def measures(format_: FormatOption = Format.text, home: Home = None) -> None:
    """List the measures and what they ask, and the scales of ratings that the workspace declares."""
    if format_ is Format.json:
        write(data.as_json([data.definition(one) for one in MEASURES]), None)
        return
    columns = ("name", "version", "question", "unit", "better", "in a period by")
    lines = [(one.name, one.version, one.question, one.unit, one.better, one.anchor) for one in MEASURES]
    if format_ is Format.csv:
        write(csv_text(columns, lines), None)
    elif format_ is Format.md:
        write("\n".join([*markdown.table(columns, lines), *_own_scales(format_, home)]), None)
    else:
        show(terminal.grid("Measures", columns, lines), None)
        _own_scales(format_, home)


def _own_scales(format_: Format, home: Path | None) -> list[str]:
    """The scales that the workspace declares, if there is one and it does: as lines of Markdown, or shown."""
    folder = home or default_folder()
    if not (folder / "workspace.toml").exists():
        return []
    own = {name: scale for name, scale in load_scales(folder).items() if scale.own}
    if own and format_ is Format.text:
        show_tables([scale_table(own)], format_, None)
    if not own or format_ is not Format.md:
        return []
    table = scale_table(own)
    return ["", f"**{table.title}**", "", *markdown.table(table.columns, table.rows)]


@app.command()
def measure(
    names: Annotated[list[str], typer.Argument(help="Measures, as listed by `wellserved measures`.")],
    by: Annotated[str | None, typer.Option("--by", help="Split by a column: team, service, channel ...")] = None,
    every: EveryOption = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    house: Annotated[
        str | None, typer.Option("--as", help=f"Count waits by another house's rule: {', '.join(HOUSES[1:])}.")
    ] = None,
    format_: FormatOption = Format.text,
    output: Output = None,
    home: Home = None,
) -> None:
    """Compute measures, every number with its n and 95% interval."""
    from wellserved.actions import asking

    question = question_of(names, by, every, since, until, where)
    workspace = workspace_at(home)
    with progress() as told:
        if house and house != "ours":
            many = asking.ask_as(workspace, question, house, told)
        else:
            many = asking.ask_measures(workspace, question, told, must_match=True)
    if format_ is Format.text:
        show(terminal.series_lines(many), output)
        return
    from wellserved.render import html

    made = {
        Format.csv: lambda: data.series_csv(many),
        Format.json: lambda: data.as_json(data.series_rows(many)),
        Format.md: lambda: markdown.series_text(many),
        Format.html: lambda: html.series_page(many),
    }
    if format_ not in made:
        raise RequestError("A measure is no picture.", "Use `wellserved chart NAME --format svg`.")
    write(made[format_](), output)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A wait, such as time_to_resolution.")],
    case_id: Annotated[str, typer.Argument(help="The case's number in its source.")],
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: Output = None,
    home: Home = None,
) -> None:
    """Explain one case's number: its moments, and what each house's rule counts of them."""
    from wellserved.actions import asking
    from wellserved.render import clocks

    workspace = workspace_at(home)
    with progress() as told:
        found = asking.explain_case(workspace, name, case_id, source, told)
    show_tables(clocks.explained_tables(found, workspace.zone), format_, output)


@app.command()
def compare(
    name: Annotated[str, typer.Argument(help="A wait, such as time_to_resolution.")],
    house: Annotated[str, typer.Option("--as", help=f"One rule: {', '.join(HOUSES)}.")],
    other: Annotated[str, typer.Option("--with", help="The other rule.")] = "ours",
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: Output = None,
    home: Home = None,
) -> None:
    """Compare two rules for one wait: how many cases they count differently, and why."""
    from wellserved.actions import asking
    from wellserved.render import clocks

    rules = (definition(name, house), definition(name, other))
    with progress() as told:
        found = asking.compare_rules(workspace_at(home), rules, source, told)
    show_tables(clocks.compared_tables(*rules, found), format_, output)


@app.command("promises")
def promises_(
    by: Annotated[
        str | None, typer.Option("--by", help="Split by a column: service, team, promised (its length) ...")
    ] = "service",
    since: Since = None,
    until: Until = None,
    where: Where = None,
    format_: FormatOption = Format.text,
    output: Output = None,
    home: Home = None,
) -> None:
    """Set what is promised beside what came of it: kept, agreed anew, too late, and what would keep nine in ten."""
    from wellserved.actions import asking
    from wellserved.render import promises

    question = question_of(list(promises.ASKED), by, None, since, until, where)
    with progress() as told:
        many = asking.ask_measures(workspace_at(home), question, told, must_match=True)
    show_tables([promises.promise_table(many, by)], format_, output)


@app.command("chain")
def chain_(
    source: SourceOption = None, format_: FormatOption = Format.text, output: Output = None, home: Home = None
) -> None:
    """Follow hand-overs: who is whose supplier, where time is lost, and whose cases fail downstream."""
    from wellserved.actions import asking
    from wellserved.render import chains, pictures

    with progress() as told:
        found = asking.follow_chain(workspace_at(home), source, told)
    title = "Hand-overs: where cases lie, and whose fail downstream"
    show_tables(chains.chain_tables(found), format_, output, title, [pictures.lying_picture(found)])


@app.command("queue")
def queue_(
    within: Annotated[str, typer.Option("--within", help="The time within which to serve: 20s, 5m, 4h, 2d.")] = "1h",
    slot: Annotated[str, typer.Option("--slot", help="Length of an interval of the day: 30m, 1h.")] = "1h",
    handling: Annotated[
        str | None, typer.Option("--handling", help="Mean time of work a case (240s, 10m): adds what it would take.")
    ] = None,
    goal: Annotated[float, typer.Option("--goal", help="Share to be served within the time.")] = 0.8,
    servers: Annotated[
        int | None, typer.Option("--servers", help="How many serve, to compare the formula with.")
    ] = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    format_: FormatOption = Format.text,
    output: Output = None,
    home: Home = None,
) -> None:
    """Show a queue: who is served, who leaves, who waits, by time of day, and what it would take."""
    from wellserved.actions import asking
    from wellserved.queueing.staffing import staffing
    from wellserved.render import pictures, queues

    question = question_of([], None, None, since, until, where)
    time, length = seconds_of(within, "--within"), seconds_of(slot, "--slot")
    with progress() as told:
        found = asking.ask_queue(workspace_at(home), question, time, length, told)
    tables = queues.queue_tables(found)
    if handling is not None:
        lines = staffing(found, length, seconds_of(handling, "--handling"), goal, servers)
        tables.append(queues.staffing_table(lines, goal, servers is not None))
    title = "The queue: who was served, who left, who waits"
    show_tables(tables, format_, output, title, [pictures.waiting_picture(found)])


@app.command()
def hours(format_: FormatOption = Format.text, output: Output = None, home: Home = None) -> None:
    """Show the opening hours of calendars.toml as they were understood."""
    from wellserved.actions import asking
    from wellserved.render import clocks

    workspace = workspace_at(home)
    tables = clocks.calendar_tables(asking.opening_hours(workspace))
    if not tables:
        raise RequestError(
            "There are no opening hours; all waits count around the clock.",
            f"Write them into {workspace.calendars}; docs/clocks.md shows how.",
        )
    show_tables(tables, format_, output)


@app.command()
def chart(
    name: Annotated[str, typer.Argument(help="A measure, as listed by `wellserved measures`.")],
    every: EveryOption = Every.month,
    since: Since = None,
    until: Until = None,
    where: Where = None,
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
    output: Output = None,
    home: Home = None,
) -> None:
    """Draw the control chart of a measure: signals told from wobbles."""
    from wellserved.actions import asking
    from wellserved.chart import draw_up

    question = question_of([name], None, every or Every.month, since, until, where)
    phases = [day for one in phase or [] if (day := day_of(one, "--phase"))]
    with progress() as told:
        (series,) = asking.ask_measures(workspace_at(home), question, told, must_match=True)
    drawn = draw_up(series, kind, rules.value, phases, day_of(baseline, "--baseline"), screen)  # type: ignore[arg-type]
    _write_chart(drawn, format_, output)


def _write_chart(drawn: Chart, format_: Format, output: Path | None) -> None:
    if format_ is Format.text:
        show(terminal.chart_lines(drawn), output)
        return
    from wellserved.render import html, svg

    made = {
        Format.svg: lambda: svg.control_chart(drawn, svg.WIDE) + "\n",
        Format.csv: lambda: data.chart_csv(drawn),
        Format.json: lambda: data.as_json(data.chart_data(drawn)),
        Format.md: lambda: "\n".join(markdown.chart_text(drawn)),
        Format.html: lambda: html.chart_page(drawn),
    }
    write(made[format_](), output)


@app.command()
def report(
    source: SourceOption = None,
    every: EveryOption = None,
    period: Annotated[
        str | None, typer.Option("--period", help="A day of the period; otherwise the last that is over.")
    ] = None,
    rules: RulesOption = Rules.anhoej,
    format_: FormatOption = Format.text,
    output: Output = None,
    home: Home = None,
) -> None:
    """Write the service report of a period against its past."""
    from wellserved.actions import asking

    with progress() as told:
        made = asking.service_report(
            workspace_at(home), source, every_name(every), day_of(period, "--period"), rules.value, told
        )
    if format_ is Format.text:
        show(terminal.report_lines(made), output)
        return
    write(_report_as(made, format_), output)


def _report_as(made: Report, format_: Format) -> str:
    from wellserved.render import html

    forms = {
        Format.html: lambda: html.report_page(made),
        Format.md: lambda: markdown.report_text(made),
        Format.json: lambda: data.as_json(data.report_data(made)),
        Format.csv: lambda: data.series_csv(made.series),
    }
    if format_ not in forms:
        raise RequestError("A report is no single picture.", "Use --format html, which holds its charts.")
    return forms[format_]()


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
    who: Annotated[str | None, typer.Option("--as", help="Whose journal, where people log in.")] = None,
    home: Home = None,
) -> None:
    """Write a line into your journal; or show the log's versions, its imports, and what was refused."""
    if line:
        write_line(" ".join(line), home, who)
        return
    from wellserved import log

    workspace = workspace_at(home)
    if imports or refusals:
        kept = [one for one in log.receipts(workspace) if imports or one.rows_refused or one.moments_refused]
        columns = ("import", "when", "file", "source", "read", "loaded", "refused", "new moments")
        lines = [
            (one.import_id, one.recorded_at, one.file, one.source, one.rows_read, one.rows_loaded, one.rows_refused, one.moments_new)
            for one in kept
        ]  # fmt: skip
        show(terminal.grid("Imports" if imports else "Refusals", columns, lines), None)
        for one in kept:
            if one.rows_refused or one.moments_refused:
                file = workspace.imports / one.import_id / "refusals.csv"
                out.print(f"Refused by {one.import_id}: {file}", markup=False, highlight=False, soft_wrap=True)
        return
    lines_ = [(one["version"], one["at"], one["moments"], one["import_id"]) for one in log.history(workspace)]
    show(terminal.grid("Versions of the log", ("version", "written", "moments added", "import"), lines_), None)


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

    with progress() as told:
        made = demo.run(folder, data_folder, told)
    for one in made:
        out.print(terminal.words(one.report.title, "bold"))
        receipt = one.receipt
        out.print(
            f"  {receipt.rows_read:,} rows read = {receipt.rows_loaded:,} loaded + {receipt.rows_refused:,} refused",
            markup=False,
            highlight=False,
        )
        for finding in one.report.sections[0].findings[:3]:
            out.print(terminal.words(f"  - {finding.text}"))
    out.print(f"\nOpen {(folder / 'index.html').resolve().as_uri()}", markup=False, highlight=False, soft_wrap=True)


@app.command("synth")
def synth_(
    cases: Annotated[int, typer.Argument(help="How many cases to make.", min=1, max=1_000_000_000)] = 100_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same cases.", min=0)] = 1,
    home: Home = None,
) -> None:
    """Make cases with known truths (an effect, gaming, a fault, a leak), to try any measure against an answer."""
    from wellserved import synth
    from wellserved.actions import synthetic

    with progress() as told:
        made = synthetic.make_cases(workspace_at(home), cases, seed, told)
    out.print(f"{made:,} moments of {cases:,} made cases are new in the log. What is true of them:", highlight=False)
    write(data.as_json(synth.TRUTHS), None)


@app.command("presets")
def presets_() -> None:
    """List the sources that need no mapping."""
    show(
        terminal.grid("Presets", ("name", "source", "about"), [(one.name, one.title, one.about) for one in presets()]),
        None,
    )
