"""The line, typed at a terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import HomeOption, app, console, show, workspace_at
from wellserved.render.clean import one_line
from wellserved.render.formats import terminal


def _write_line(line: str, home: Path | None, user_name: str | None) -> None:
    """Write a line into one's journal, and say what was understood."""
    try:
        line = os.fsencode(line).decode()
    except UnicodeDecodeError:  # typed in another encoding than the terminal says
        line = os.fsencode(line).decode("cp1252", "replace")
    prepare_workspace(home, make=True)
    from wellserved.actions import membership, writing
    from wellserved.capture import describe_line
    from wellserved.capture.sentence import propose_for

    written_line = writing.write_line(line, membership.find_person(user_name))
    open_matters = written_line.open_matters
    console.print("Saved, for your eyes only.")
    facts = [
        *describe_line(written_line.captured_line),
        *(("belongs to", matter.words) for matter in open_matters if len(open_matters) == 1),
    ]
    for name, value in facts:
        console.print(f"  {name}: {one_line(value)}", markup=False, highlight=False)
    if proposal := propose_for(written_line.captured_line):
        console.print(
            f"It reads like {proposal.reading}. To file the next one so, begin it with {proposal.word}: ",
            markup=False,
            highlight=False,
        )
    if len(open_matters) > 1:
        console.print(
            f"It may belong to any of {len(open_matters)} open matters, so it stands by itself:", highlight=False
        )
        for matter in open_matters:
            console.print(f"  {one_line(matter.words)}", markup=False, highlight=False)
        console.print("Open its page (`wellserved serve`, Journal) to say which.", highlight=False)


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
        _write_line(" ".join(line), home, user_name)
        return
    from wellserved.storage import log

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
