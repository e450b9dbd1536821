"""Commands that bring records in: init, inspect, import, and samples of made and real ones."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.shared import (
    HomeOption,
    OutputOption,
    app,
    console,
    error_console,
    progress,
    workspace_at,
    write,
)
from wellserved.errors import WellservedError
from wellserved.mapping import Mapping, load_mapping
from wellserved.render.clean import one_line
from wellserved.render.formats import terminal
from wellserved.scales import load_scales
from wellserved.storage.workspace import Workspace, create_workspace, default_folder, open_workspace

if TYPE_CHECKING:
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


FileArgument = Annotated[
    Path,
    typer.Argument(help="A table of text, Excel workbook, JSON, Parquet or mailbox; packed ones, a folder, or - too."),
]
PartOption = Annotated[
    str, typer.Option("--part", help="Which sheet of a workbook, or which list of a JSON file, holds the rows.")
]
OwnOption = Annotated[
    list[str] | None, typer.Option("--own", help="An address of the house, of a mailbox; may be given again.")
]


@app.command()
def inspect(
    file: FileArgument,
    output: OutputOption = None,
    part: PartOption = "",
    own: OwnOption = None,
    home: HomeOption = None,
) -> None:
    """Look at a file: its shape, its columns, what is to be checked, and a first mapping to correct."""
    from wellserved.actions.inspection import inspect_file
    from wellserved.render.tables import receipts

    folder = home or default_folder()
    zone = open_workspace(folder).zone if home or (folder / "workspace.toml").exists() else None
    with _on_disk(file) as path, tempfile.TemporaryDirectory() as scratch, progress() as on_progress:
        raw, inspection, preset = inspect_file(
            path, Path(scratch), zone, on_progress=on_progress, part=part, own=own or []
        )
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
    shape = f"{raw.rows_read} rows, {len(raw.broken_rows)} of them unreadable; {raw.source.shape}"
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
    file: FileArgument,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mapping file (TOML); otherwise a preset that fits.")
    ] = None,
    part: PartOption = "",
    own: OwnOption = None,
    home: HomeOption = None,
) -> None:
    """Read a file into the log; the same file twice changes nothing."""
    from wellserved.sources.bundle import files_in

    workspace = workspace_at(home)
    file_mapping = load_mapping(mapping, load_scales(workspace.folder)) if mapping else None
    with _on_disk(file) as path, tempfile.TemporaryDirectory(dir=workspace.folder, prefix="files-") as folder:
        files = files_in(path, Path(folder))
        outcomes = [
            _import_and_say(workspace, source_file, file_mapping, part, own or [], len(files) > 1)
            for source_file in files
        ]
    if not all(outcomes):
        raise typer.Exit(1)


def _import_and_say(
    workspace: Workspace, file: Path, mapping: Mapping | None, part: str, own: list[str], is_among_others: bool
) -> bool:
    """Import a file and say what came of it; whether all of it was loaded. Among others, one that cannot be read stops none."""
    from wellserved.actions import imports
    from wellserved.render.tables import receipts

    if is_among_others:
        console.print(f"{file.name}:", markup=False, highlight=False, soft_wrap=True)
    try:
        with progress() as on_progress:
            result = imports.import_file(workspace, file, mapping, on_progress=on_progress, part=part, own=own)
    except WellservedError as error:
        if not is_among_others:
            raise
        console.print(
            one_line(f"Not read: {error.problem} {error.remedy}"), markup=False, highlight=False, soft_wrap=True
        )
        return False
    for line in receipts.receipt_lines(result.receipt):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if result.refusals:
        sentence = "Rows that were refused or lost a moment, with reasons, to be mended and imported again"
        console.print(f"{sentence}: {result.refusals}", markup=False, highlight=False, soft_wrap=True)
    return result.refusals is None


@contextmanager
def _on_disk(file: Path) -> Iterator[Path]:
    """The file that was named; what comes by standard input is kept in a temporary one, since it is read more than once."""
    if str(file) != "-":
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "standard-input"
        with target.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield target
