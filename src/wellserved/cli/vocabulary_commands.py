"""Commands that show what there is: measures, scales, presets, opening hours."""

from __future__ import annotations

from pathlib import Path

from wellserved.cli.shared import (
    Format,
    FormatOption,
    HomeOption,
    OutputOption,
    app,
    show,
    show_tables,
    workspace_at,
    write,
)
from wellserved.errors import RequestError
from wellserved.mapping import presets
from wellserved.measure import MEASURES
from wellserved.render.formats import data, markdown, terminal
from wellserved.render.formats.csv import csv_text
from wellserved.render.tables.scales import scale_table
from wellserved.scales import load_scales
from wellserved.storage.workspace import default_folder


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
def scales(format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None) -> None:
    """List the scales of ratings, and the workspace's own (scales.toml) as they were understood."""
    show_tables([scale_table(load_scales(workspace_at(home).folder))], format_, output)


@app.command()
def hours(format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None) -> None:
    """Show the opening hours of calendars.toml as they were understood."""
    from wellserved.actions import open_cases
    from wellserved.render.tables import clocks

    workspace = workspace_at(home)
    tables = clocks.calendar_tables(open_cases.opening_hours(workspace))
    if not tables:
        raise RequestError(
            "There are no opening hours; all waits count around the clock.",
            f"Write them into {workspace.calendars}; docs/clocks.md shows how.",
        )
    show_tables(tables, format_, output)


@app.command("presets")
def presets_() -> None:
    """List the sources that need no mapping."""
    show(
        terminal.grid(
            "Presets", ("name", "source", "about"), [(preset.name, preset.title, preset.about) for preset in presets()]
        ),
        None,
    )
