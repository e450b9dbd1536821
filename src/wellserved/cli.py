"""The command line: thin over actions. Exit codes: 0 done, 1 done but rows were refused, 2 the request was wrong, 3 wellserved failed."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from wellserved import __version__, actions, demo, log, synth
from wellserved.chart import Chart, draw_up
from wellserved.errors import PeriodError, RequestError, WellservedError
from wellserved.mapping import load_mapping, presets
from wellserved.measure import MEASURES, Question, find_measure
from wellserved.measure.clocks import HOUSES, definition
from wellserved.moments import Every as EveryName
from wellserved.queueing.staffing import staffing
from wellserved.render import chains, clocks, data, html, markdown, pictures, promises, queues, svg, terminal
from wellserved.render.clean import one_line
from wellserved.render.pictures import Picture
from wellserved.render.table import csv_text
from wellserved.report import Report
from wellserved.report import Table as ReportTable
from wellserved.workspace import Workspace, create_workspace, default_folder, open_workspace

app = typer.Typer(
    help="Service numbers you can stand behind: from a helpdesk export to a report that tells the truth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done; 1 done, but rows were refused; 2 the request was wrong; 3 wellserved failed.",
)
out, err = Console(), Console(stderr=True)


class Every(StrEnum):
    """Periods to split by."""

    day = "day"
    week = "week"
    month = "month"
    quarter = "quarter"


class Format(StrEnum):
    """Forms of output; text is for reading, the others for files and programs."""

    text = "text"
    html = "html"
    md = "md"
    json = "json"
    csv = "csv"
    svg = "svg"


class Rules(StrEnum):
    """Sets of chart rules."""

    anhoej = "anhoej"
    nhs = "nhs"


Home = Annotated[
    Path | None, typer.Option("--home", help="Workspace folder; otherwise WELLSERVED_HOME, or your data folder.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of the screen.")]
FormatOption = Annotated[
    Format, typer.Option("--format", "-f", help="text, html, md, json, csv or svg, where they make sense.")
]
EveryOption = Annotated[
    Every | None, typer.Option("--every", help="Split by day, week, month or quarter, in the workspace's time zone.")
]
Since = Annotated[str | None, typer.Option("--since", help="First day, YYYY-MM-DD.")]
Until = Annotated[str | None, typer.Option("--until", help="First day no longer included, YYYY-MM-DD.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Which source; needed where there are several.")]
Where = Annotated[list[str] | None, typer.Option("--where", help="COLUMN=VALUE; repeat for more.")]
RulesOption = Annotated[Rules, typer.Option("--rules", help="Chart rules: anhoej or nhs.")]


def _workspace(home: Path | None) -> Workspace:
    return open_workspace(home or default_folder())


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on a terminal, silence in a pipe."""
    if not err.is_terminal:
        yield actions.silent
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Starting", total=None)

        def told(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        yield told


def _day(value: str | None, option: str) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise PeriodError(f"{option} {value!r} is no date.", "Write it as 2015-03-31.") from error


def _pairs(where: list[str] | None) -> tuple[tuple[str, str], ...]:
    pairs = []
    for one in where or []:
        column, equals, value = one.partition("=")
        if not equals:
            raise RequestError(f"--where {one!r} names no value.", "Write it as --where team=Billing.")
        pairs.append((column.strip(), value))
    return tuple(pairs)


def _every(every: Every | None) -> EveryName | None:
    return every.value if every else None


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    output.write_text(text, encoding="utf-8")
    err.print(f"Wrote {output}.", markup=False, highlight=False)


def _show(content: RenderableType, output: Path | None) -> None:
    if output is None and out.is_terminal:
        out.print(content)
    else:
        _write(terminal.plain_text(content), output)


@app.command()
def init(
    home: Home = None,
    zone: Annotated[
        str, typer.Option("--zone", help="Time zone of days, weeks and months, such as Europe/Berlin.")
    ] = "UTC",
) -> None:
    """Make a workspace, or change the time zone of one."""
    workspace = create_workspace(home or default_folder(), zone)
    err.print(f"Workspace {workspace.folder}, time zone {workspace.zone}.", markup=False, highlight=False)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A delimited text file; gzip and zip are unpacked.")],
    output: Output = None,
) -> None:
    """Look at a file: its shape, its columns, and a first mapping to correct."""
    with tempfile.TemporaryDirectory() as scratch, _progress() as told:
        raw, found, preset = actions.inspect_file(file, Path(scratch), told)
    columns = ("column", "filled", "different", "dates", "examples")
    lines = [
        (
            one.name,
            one.filled,
            one.distinct,
            "day or month first?" if one.ambiguous else one.dates.in_words() if one.dates else "",
            ", ".join(one.examples),
        )
        for one in found.columns
    ]
    shape = f"{raw.rows_read} rows, {len(raw.broken)} of them unreadable; {raw.text.encoding}, delimiter {raw.dialect.delimiter!r}"
    title = one_line(f"{file.name}: {shape}")
    err.print(terminal.plain_text(terminal.grid(title, columns, lines)), markup=False, highlight=False)
    if preset:
        err.print(
            f"The preset {preset.name} reads this file: `wellserved import {file}`.", markup=False, highlight=False
        )
    _write(found.toml, output)
    if output:
        err.print(f"Correct it, then: wellserved import {file} --mapping {output}", markup=False, highlight=False)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A delimited text file; gzip and zip are unpacked.")],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mapping file (TOML); otherwise a preset that fits.")
    ] = None,
    home: Home = None,
) -> None:
    """Read a file into the log; the same file twice changes nothing."""
    workspace = _workspace(home)
    with _progress() as told:
        done = actions.import_file(workspace, file, load_mapping(mapping) if mapping else None, told=told)
    one = done.receipt
    lines = [
        f"{one.rows_read:,} rows read = {one.rows_loaded:,} loaded + {one.rows_refused:,} refused.",
        f"{one.moments:,} moments: {one.moments_new:,} new, {one.moments_known:,} known already"
        + (f", {one.moments_corrected:,} correct an earlier one." if one.moments_corrected else "."),
    ]
    lines += [f"{count:,} {what}." for what, count in one.notes.items()]
    lines += [f"{one.mended_lines:,} lines were not UTF-8 and were read as Windows-1252."] if one.mended_lines else []
    lines += [f"Read row by row: {one.careful}."] if one.careful else []
    for line in lines:
        out.print(line, markup=False, highlight=False)
    if done.refusals:
        out.print(
            f"Refused rows, with reasons, to be mended and imported again: {done.refusals}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)


@app.command()
def measures(format_: FormatOption = Format.text) -> None:
    """List the measures and what they ask."""
    if format_ is Format.json:
        _write(data.as_json([data.definition(one) for one in MEASURES]), None)
        return
    columns = ("name", "version", "question", "unit", "better", "in a period by")
    lines = [(one.name, one.version, one.question, one.unit, one.better, one.anchor) for one in MEASURES]
    if format_ is Format.csv:
        _write(csv_text(columns, lines), None)
    elif format_ is Format.md:
        _write("\n".join(markdown.table(columns, lines)), None)
    else:
        _show(terminal.grid("Measures", columns, lines), None)


def _question(
    names: list[str], by: str | None, every: Every | None, since: str | None, until: str | None, where: list[str] | None
) -> Question:
    chosen = tuple(find_measure(name) for name in names)
    return Question(chosen, by, _every(every), _day(since, "--since"), _day(until, "--until"), _pairs(where))


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
    question = _question(names, by, every, since, until, where)
    workspace = _workspace(home)
    with _progress() as told:
        if house and house != "ours":
            many = actions.ask_as(workspace, question, house, told)
        else:
            many = actions.ask_measures(workspace, question, told)
    if format_ is Format.text:
        _show(terminal.series_lines(many), output)
        return
    made = {
        Format.csv: lambda: data.series_csv(many),
        Format.json: lambda: data.as_json(data.series_rows(many)),
        Format.md: lambda: markdown.series_text(many),
        Format.html: lambda: html.series_page(many),
    }
    if format_ not in made:
        raise RequestError("A measure is no picture.", "Use `wellserved chart NAME --format svg`.")
    _write(made[format_](), output)


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
    workspace = _workspace(home)
    with _progress() as told:
        found = actions.explain_case(workspace, name, case_id, source, told)
    _show_tables(clocks.explained_tables(found, workspace.zone), format_, output)


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
    rules = (definition(name, house), definition(name, other))
    with _progress() as told:
        found = actions.compare_rules(_workspace(home), rules, source, told)
    _show_tables(clocks.compared_tables(*rules, found), format_, output)


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
    question = _question(list(promises.ASKED), by, None, since, until, where)
    with _progress() as told:
        many = actions.ask_measures(_workspace(home), question, told)
    _show_tables([promises.promise_table(many, by)], format_, output)


@app.command("chain")
def chain_(
    source: SourceOption = None, format_: FormatOption = Format.text, output: Output = None, home: Home = None
) -> None:
    """Follow hand-overs: who is whose supplier, where time is lost, and whose cases fail downstream."""
    with _progress() as told:
        found = actions.follow_chain(_workspace(home), source, told)
    title = "Hand-overs: where cases lie, and whose fail downstream"
    _show_tables(chains.chain_tables(found), format_, output, title, [pictures.lying_picture(found)])


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
    question = _question([], None, None, since, until, where)
    time, length = _seconds(within, "--within"), _seconds(slot, "--slot")
    with _progress() as told:
        found = actions.ask_queue(_workspace(home), question, time, length, told)
    tables = queues.queue_tables(found)
    if handling is not None:
        lines = staffing(found, length, _seconds(handling, "--handling"), goal, servers)
        tables.append(queues.staffing_table(lines, goal, servers is not None))
    title = "The queue: who was served, who left, who waits"
    _show_tables(tables, format_, output, title, [pictures.waiting_picture(found)])


def _seconds(length: str, option: str) -> int:
    """90s, 5m, 4h, 2d in seconds."""
    found = re.fullmatch(r"(\d{1,7})([smhd])", length.strip())
    if not found:
        raise RequestError(f"{option} {length!r} is no length of time.", "Write it as 20s, 5m, 4h or 2d.")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]]


@app.command()
def hours(format_: FormatOption = Format.text, output: Output = None, home: Home = None) -> None:
    """Show the opening hours of calendars.toml as they were understood."""
    workspace = _workspace(home)
    tables = clocks.calendar_tables(actions.opening_hours(workspace))
    if not tables:
        raise RequestError(
            "There are no opening hours; all waits count around the clock.",
            f"Write them into {workspace.calendars}; docs/clocks.md shows how.",
        )
    _show_tables(tables, format_, output)


def _show_tables(
    tables: list[ReportTable], format_: Format, output: Path | None, title: str = "", drawn: Sequence[Picture] = ()
) -> None:
    """Tables, and their pictures, in any format that can hold them; CSV holds the last one, which has the numbers."""
    if format_ is Format.json:
        _write(data.as_json([asdict(one) for one in tables]), output)
    elif format_ is Format.csv:
        _write(csv_text(tables[-1].columns, tables[-1].rows), output)
    elif format_ is Format.md:
        parts = [
            [f"**{markdown.escape(one.title)}**", "", *markdown.table(one.columns, one.rows), ""] for one in tables
        ]
        _write("\n".join(line for part in parts for line in part), output)
    elif format_ is Format.text:
        _show(terminal.tables(tables), output)
    elif format_ is Format.html:
        _write(html.tables_page(title or tables[0].title, tables, drawn), output)
    else:
        raise RequestError("This is shown as text, html, md, json or csv.", "Choose one with --format.")


@app.command()
def chart(
    name: Annotated[str, typer.Argument(help="A measure, as listed by `wellserved measures`.")],
    every: EveryOption = Every.month,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    rules: RulesOption = Rules.anhoej,
    kind: Annotated[
        str | None, typer.Option("--kind", help="xmr, p, p', u, u' or c; otherwise the one that fits.")
    ] = None,
    phase: Annotated[
        list[str] | None, typer.Option("--phase", help="New limits from this day; repeat for more.")
    ] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", help="Limits from the periods before this day.")] = None,
    format_: FormatOption = Format.text,
    output: Output = None,
    home: Home = None,
) -> None:
    """Draw the control chart of a measure: signals told from wobbles."""
    question = _question([name], None, every or Every.month, since, until, where)
    phases = [day for one in phase or [] if (day := _day(one, "--phase"))]
    with _progress() as told:
        (series,) = actions.ask_measures(_workspace(home), question, told)
    drawn = draw_up(series, kind, rules.value, phases, _day(baseline, "--baseline"))  # type: ignore[arg-type]
    _write_chart(drawn, format_, output)


def _write_chart(drawn: Chart, format_: Format, output: Path | None) -> None:
    if format_ is Format.text:
        _show(terminal.chart_lines(drawn), output)
        return
    made = {
        Format.svg: lambda: svg.control_chart(drawn, svg.WIDE) + "\n",
        Format.csv: lambda: data.chart_csv(drawn),
        Format.json: lambda: data.as_json(data.chart_data(drawn)),
        Format.md: lambda: "\n".join(markdown.chart_text(drawn)),
        Format.html: lambda: html.chart_page(drawn),
    }
    _write(made[format_](), output)


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
    with _progress() as told:
        made = actions.service_report(
            _workspace(home), source, _every(every), _day(period, "--period"), rules.value, told
        )
    if format_ is Format.text:
        _show(terminal.report_lines(made), output)
        return
    _write(_report_as(made, format_), output)


def _report_as(made: Report, format_: Format) -> str:
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
    imports: Annotated[bool, typer.Option("--imports", help="List the imports.")] = False,
    refusals: Annotated[bool, typer.Option("--refusals", help="Name the files of refused rows.")] = False,
    home: Home = None,
) -> None:
    """Show the log's versions, its imports, and what was refused."""
    workspace = _workspace(home)
    if imports or refusals:
        kept = [one for one in log.receipts(workspace) if imports or one.rows_refused]
        columns = ("import", "when", "file", "source", "read", "loaded", "refused", "new moments")
        lines = [
            (one.import_id, one.recorded_at, one.file, one.source, one.rows_read, one.rows_loaded, one.rows_refused, one.moments_new)
            for one in kept
        ]  # fmt: skip
        _show(terminal.grid("Imports" if imports else "Refusals", columns, lines), None)
        for one in kept:
            if one.rows_refused:
                file = workspace.imports / one.import_id / "refusals.csv"
                out.print(f"Refused by {one.import_id}: {file}", markup=False, highlight=False, soft_wrap=True)
        return
    lines_ = [(one["version"], one["at"], one["moments"], one["import_id"]) for one in log.history(workspace)]
    _show(terminal.grid("Versions of the log", ("version", "written", "moments added", "import"), lines_), None)


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
    with _progress() as told:
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
    with _progress() as told:
        made = actions.make_cases(_workspace(home), cases, seed, told)
    out.print(f"{made:,} moments of {cases:,} made cases are new in the log. What is true of them:", highlight=False)
    _write(data.as_json(synth.TRUTHS), None)


@app.command("presets")
def presets_() -> None:
    """List the sources that need no mapping."""
    _show(
        terminal.grid("Presets", ("name", "source", "about"), [(one.name, one.title, one.about) for one in presets()]),
        None,
    )


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"wellserved {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Service numbers you can stand behind."""


def main() -> None:
    """Run a command; a mistake says what to do, and nothing ends in a traceback."""
    try:
        app()
    except WellservedError as error:
        err.print(one_line(error.what), style="bold red", markup=False, highlight=False, soft_wrap=True)
        err.print(one_line(error.do), markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("WELLSERVED_DEBUG"):
            traceback.print_exc()
        err.print(
            f"wellserved failed: {type(error).__name__}: {one_line(str(error))[:300]}", style="bold red", markup=False
        )
        err.print("Run it again with WELLSERVED_DEBUG=1 and report what it prints.", markup=False)
        sys.exit(3)


if __name__ == "__main__":
    main()
