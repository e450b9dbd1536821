"""What all commands share: the application, options, and how results are shown or written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from wellserved.errors import PeriodError, RequestError
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import Granularity
from wellserved.progress import ProgressCallback, no_progress
from wellserved.render.clean import one_line
from wellserved.render.formats import data, markdown, terminal
from wellserved.render.formats.csv import csv_text
from wellserved.report import Table as ReportTable
from wellserved.storage.workspace import Workspace, default_folder, open_workspace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wellserved.render.charts.svg import Picture

app = typer.Typer(
    help="Service numbers you can stand behind: from a helpdesk export to a report that tells the truth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done; 1 done, but rows were refused or lost a moment; 2 the request was wrong; 3 wellserved, or the disk, failed.",
)
console, error_console = Console(), Console(stderr=True)


class GranularityChoice(StrEnum):
    """Periods to split by."""

    day = "day"
    week = "week"
    month = "month"
    quarter = "quarter"
    year = "year"


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


HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Workspace folder; otherwise WELLSERVED_HOME, or your data folder.")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of the screen.")]
FormatOption = Annotated[
    Format, typer.Option("--format", "-f", help="text, html, md, json, csv or svg, where they make sense.")
]
GranularityOption = Annotated[
    GranularityChoice | None,
    typer.Option("--every", help="Split by day, week, month, quarter or year, in the workspace's time zone."),
]
PeriodLengthOption = Annotated[
    GranularityChoice, typer.Option("--every", help="Length of a period: day, week, month, quarter, year.")
]
SinceOption = Annotated[str | None, typer.Option("--since", help="First day, YYYY-MM-DD.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="First day no longer included, YYYY-MM-DD.")]
UserOption = Annotated[str | None, typer.Option("--as", help="Who asks, where people log in.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Which source; needed where there are several.")]
WhereOption = Annotated[list[str] | None, typer.Option("--where", help="COLUMN=VALUE; repeat for more.")]
AboutOption = Annotated[
    str | None,
    typer.Option("--about", help="A problem (p7), or a value of a column (category=Billing), for problem_share."),
]
RulesOption = Annotated[Rules, typer.Option("--rules", help="Chart rules: anhoej or nhs.")]


def workspace_at(home: Path | None) -> Workspace:
    """The workspace in this folder, or in the usual one."""
    return open_workspace(home or default_folder())


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """A progress bar on a terminal, silence in a pipe."""
    if not error_console.is_terminal:
        yield no_progress
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=error_console, transient=True) as progress_bar:
        task = progress_bar.add_task("Starting", total=None)

        def on_progress(description: str, position: int, total: int) -> None:
            progress_bar.update(task, description=description, completed=position, total=total or None)

        yield on_progress


def parse_day(value: str | None, option: str) -> date | None:
    """A day given on the command line; the option is named in the mistake."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise PeriodError(f"{option} {value!r} is no date.", "Write it as 2015-03-31.") from error


def parse_pairs(where: list[str] | None) -> tuple[tuple[str, str], ...]:
    """COLUMN=VALUE options as pairs."""
    pairs = []
    for text in where or []:
        column, equals, value = text.partition("=")
        if not equals:
            raise RequestError(f"--where {text!r} names no value.", "Write it as --where team=Billing.")
        pairs.append((column.strip(), value))
    return tuple(pairs)


def granularity_name(granularity: GranularityChoice | None) -> Granularity | None:
    """The period that was chosen."""
    return granularity.value if granularity else None


def write(text: str, output: Path | None) -> None:
    """Text to the file given, or to the screen."""
    if output is None:
        sys.stdout.write(text)
        return
    output.write_text(text, encoding="utf-8")
    error_console.print(f"Wrote {output}.", markup=False, highlight=False)


def say(text: str) -> None:
    """A line as it is, with what begins it."""
    indent = " " * (len(text) - len(text.lstrip(" ")))
    console.print(indent + one_line(text), markup=False, highlight=False, soft_wrap=True)


def read_file(file: Path) -> bytes:
    """The bytes of a file; raises where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}.", "Name a file.") from error


def write_file(file: Path, raw: bytes) -> None:
    """Write a file; raises where that cannot be."""
    try:
        file.write_bytes(raw)
    except OSError as error:
        raise RequestError(
            f"{file} cannot be written: {error.strerror}.", "Name a file in a folder that there is."
        ) from error


def show(content: RenderableType, output: Path | None) -> None:
    """What is for reading: rich on a terminal, plain in a pipe or a file."""
    if output is None and console.is_terminal:
        console.print(content)
    else:
        write(terminal.plain_text(content), output)


def show_tables(
    tables: list[ReportTable], format_: Format, output: Path | None, title: str = "", pictures: Sequence[Picture] = ()
) -> None:
    """Tables, and their pictures, in any format that can hold them; CSV holds the last one, which has the numbers."""
    if format_ is Format.json:
        write(data.as_json([asdict(table) for table in tables]), output)
    elif format_ is Format.csv:
        write(csv_text(tables[-1].columns, tables[-1].rows), output)
    elif format_ is Format.md:
        blocks = [
            [
                f"**{markdown.escape(table.title)}**",
                "",
                *markdown.table(table.columns, table.rows),
                "",
                *([markdown.escape(table.note), ""] if table.note else []),
            ]
            for table in tables
        ]
        write("\n".join(line for block in blocks for line in block), output)
    elif format_ is Format.text:
        show(terminal.stacked_tables(tables), output)
    elif format_ is Format.html:
        from wellserved.render.formats import html

        write(html.tables_page(title or tables[0].title, tables, pictures), output)
    else:
        raise RequestError("This is shown as text, html, md, json or csv.", "Choose one with --format.")


def seconds_of(length: str, option: str) -> int:
    """90s, 5m, 4h, 2d in seconds."""
    match = re.fullmatch(r"(\d{1,7})([smhd])", length.strip())
    if not match:
        raise RequestError(f"{option} {length!r} is no length of time.", "Write it as 20s, 5m, 4h or 2d.")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[match[2]]


def question_of(
    names: list[str],
    by: str | None,
    granularity: GranularityChoice | None,
    since: str | None,
    until: str | None,
    where: list[str] | None,
    about: str | None = None,
) -> MeasureQuestion:
    """A question from the options of a command."""
    measures = tuple(find_measure(name) for name in names)
    return MeasureQuestion(
        measures,
        by,
        granularity_name(granularity),
        parse_day(since, "--since"),
        parse_day(until, "--until"),
        parse_pairs(where),
        about or "",
    )
