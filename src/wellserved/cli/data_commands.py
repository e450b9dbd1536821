"""Commands that bring records in: init, inspect, import, and samples of made and real ones."""

from __future__ import annotations

import tempfile
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
from wellserved.mapping import load_mapping
from wellserved.render.clean import one_line
from wellserved.render.formats import terminal
from wellserved.scales import load_scales
from wellserved.storage.workspace import create_workspace, default_folder, open_workspace

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


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A delimited text file; gzip and zip are unpacked.")],
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Look at a file: its shape, its columns, what is to be checked, and a first mapping to correct."""
    from wellserved.actions.inspection import inspect_file
    from wellserved.render.tables import receipts

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
    from wellserved.render.tables import receipts

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
