"""The command line: thin over actions. Exit codes: 0 done, 1 done but rows were refused or lost a moment, 2 the request was wrong, 3 wellserved, or the disk, failed."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from wellserved import __version__, disk
from wellserved.cli.panels import group_help
from wellserved.cli.shared import app, error_console
from wellserved.damage import as_damage_error
from wellserved.errors import WellservedError
from wellserved.render.clean import one_line
from wellserved.storage.workspace import default_folder

__all__ = ["app", "main"]

group_help()


def _version(is_requested: bool) -> None:
    if is_requested:
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
        with disk.explain_errors(default_folder()):
            app()
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("WELLSERVED_DEBUG"):
            traceback.print_exc()
        problem = error if isinstance(error, WellservedError) else as_damage_error(error)
        if problem is None:
            problem = WellservedError(
                f"wellserved failed: {type(error).__name__}: {str(error)[:300]}",
                "Run `wellserved verify`: it says whether a stored file is damaged. If none is, run this again with "
                "WELLSERVED_DEBUG=1 and report what it prints.",
            )
            problem.exit_code = 3
        error_console.print(one_line(problem.problem), style="bold red", markup=False, highlight=False, soft_wrap=True)
        error_console.print(one_line(problem.remedy), markup=False, highlight=False, soft_wrap=True)
        sys.exit(problem.exit_code)
