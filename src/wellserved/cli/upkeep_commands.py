"""Commands that look after what is stored: check, verify, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wellserved.cli.databases import connect_databases, prepare_workspace
from wellserved.cli.shared import HomeOption, app, console, error_console, progress
from wellserved.errors import DamageError, RequestError
from wellserved.render.clean import one_line
from wellserved.storage.workspace import Workspace, default_folder, owner_only


@app.command()
def check(home: HomeOption = None) -> None:
    """Look at everything and say in plain words what is wrong, what is lost and what to do; quick, and changes nothing."""
    _report_problems(home, thorough=False)
    console.print("All is well.")


@app.command()
def verify(home: HomeOption = None) -> None:
    """Read everything that is stored, compare it with the digests kept when it was written, and say what is wrong."""
    workspace = _report_problems(home, thorough=True)
    from wellserved.actions import health

    extent = health.stored_file_counts(workspace)
    console.print(
        f"All is well: {extent['log']:,} files of the log, {extent['cases']:,} of the cases, both databases and the backups "
        "were read.",
        markup=False,
        highlight=False,
    )
    if extent["undigested"]:
        console.print(
            f"{extent['undigested']:,} files of the log have no digest, since an earlier version wrote them: they can be read "
            "and hold as many rows as were written, but a single altered value would not be seen in them.",
            markup=False,
            highlight=False,
        )


def _report_problems(home: Path | None, thorough: bool) -> Workspace:
    """Print what is wrong and end; the workspace, where nothing is."""
    workspace, problems = _find_problems(home, thorough)
    for problem in problems:
        error_console.print(f"- {one_line(problem)}", markup=False, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    return workspace


def _find_problems(home: Path | None, thorough: bool) -> tuple[Workspace, list[str]]:
    """What is wrong; where the pages cannot even be set up, with the files at least."""
    from wellserved.storage import integrity

    folder = home or default_folder()
    try:
        workspace = connect_databases(home)
    except DamageError as error:
        workspace = Workspace(folder, "UTC")
        problems = [f"{error.problem} {error.remedy} The databases can be looked at once that is done."]
        with progress() as on_progress:
            for find_damage in (integrity.log_findings, integrity.case_findings):
                problems += [str(problem) for problem in find_damage(workspace, thorough, on_progress)]
            return workspace, problems + [str(problem) for problem in integrity.receipt_findings(workspace)]
    from wellserved.actions import health

    with progress() as on_progress:
        return workspace, [str(problem) for problem in health.find_problems(workspace, thorough, on_progress)]


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write.")], home: HomeOption = None) -> None:
    """Save everything in one file, while the product runs; readable by its owner alone."""
    workspace = prepare_workspace(home)
    from wellserved.actions import backups

    with progress() as on_progress:
        facts = backups.write_backup(workspace, file, on_progress)
    console.print(
        f"Wrote {file}: {sum(facts['rows'].values()):,} rows, log version {facts['log_version']}.",
        markup=False,
        highlight=False,
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `wellserved backup` wrote.")], home: HomeOption = None
) -> None:
    """Bring a backup into an empty workspace, on SQLite or PostgreSQL, and compare every table with what was saved."""
    folder = home or default_folder()
    if not (folder / "keys" / "secret").exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _restore_secret(file, folder)
    workspace = connect_databases(home)
    from wellserved.actions import backups

    with progress() as on_progress:
        facts = backups.restore_backup(workspace, file, on_progress)
    console.print(
        f"Restored {sum(facts['rows'].values()):,} rows of {facts['made']}; every table is as it was saved.",
        markup=False,
        highlight=False,
    )


def _restore_secret(file: Path, folder: Path) -> None:
    """The secret and the zone come first: the pages are set up with them."""
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            for name in ("keys/secret", "workspace.toml"):
                target = folder / name
                target.parent.mkdir(mode=0o700, exist_ok=True)
                with open(target, "wb", opener=owner_only) as target_file:
                    target_file.write(archive.read(f"files/{name}"))
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise RequestError(
            f"{file} is no backup: {one_line(str(error))}.", "Name a file that `wellserved backup` wrote."
        ) from error
