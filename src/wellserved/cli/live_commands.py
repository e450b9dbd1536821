"""Live sources: systems that are asked for what happened."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wellserved.cli.shared import HomeOption, app, progress, read_file, say, workspace_at
from wellserved.errors import RequestError, WellservedError
from wellserved.wording import plural

source = typer.Typer(help="Systems that are asked for what happened, beside files.", no_args_is_help=True)
app.add_typer(source, name="source", rich_help_panel="Records")


class System(StrEnum):
    """A system that can be asked."""

    rt = "rt"


@source.command("add")
def add_(
    system: Annotated[System, typer.Argument(help="rt: Request Tracker 5.")],
    url: Annotated[str, typer.Option("--url", help="Where it is reached: https://rt.example.org")],
    name: Annotated[
        str | None, typer.Option("--name", help="What its moments are from; the system's own name unless given.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="What reports call it.")] = "",
    user: Annotated[str, typer.Option("--user", help="Who signs in by a password; without it a token is used.")] = "",
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="Where the token or password stands; without it, it is asked for."),
    ] = None,
    minutes: Annotated[int, typer.Option("--minutes", help="How often `serve` asks it.")] = 10,
    home: HomeOption = None,
) -> None:
    """Set up a system to be asked, or change how; its token is sealed and never shown. Nothing is asked yet."""
    from wellserved.actions.live_sources import LiveSource, add_source

    workspace = workspace_at(home)
    token = read_file(token_file).decode() if token_file else typer.prompt("Token or password", hide_input=True)
    added = add_source(
        workspace,
        LiveSource(name or system.value, system.value, url.rstrip("/"), "", user, title, minutes),
        token.strip(),
    )
    say(
        f"Source {added.name}: {added.url}, every {plural(added.minutes, 'minute')} while `wellserved serve` runs. `wellserved sync` asks it now."
    )


@source.command("list")
def list_(home: HomeOption = None) -> None:
    """The systems that are asked, when last, and what is wrong."""
    from wellserved.actions.live_sources import live_sources

    for live in live_sources(workspace_at(home)):
        say(
            f"{live.name}: {live.url}, last asked {live.asked_at or 'never'}{f'. {live.problem}' if live.problem else ''}"
        )


@source.command("remove")
def remove_(name: Annotated[str, typer.Argument(help="The source.")], home: HomeOption = None) -> None:
    """Ask a system no more, and forget its token; what is in the record stays."""
    from wellserved.actions.live_sources import remove_source

    remove_source(workspace_at(home), name)
    say(f"Source {name} is asked no more. What it told stays in the record.")


@app.command()
def sync(
    name: Annotated[str | None, typer.Argument(help="The source; all of them unless given.")] = None,
    home: HomeOption = None,
) -> None:
    """Ask live sources for what came since the last time; done again after a kill, nothing is lost or doubled."""
    from wellserved.actions import live_sources

    workspace = workspace_at(home)
    names = [name] if name else [live.name for live in live_sources.live_sources(workspace)]
    if not names:
        raise RequestError("No source is set up.", "`wellserved source add rt --url https://...` adds one.")
    problems: list[WellservedError] = []
    for source_name in names:
        try:
            with progress() as on_progress:
                result = live_sources.sync(workspace, source_name, on_progress)
        except WellservedError as error:
            if len(names) == 1:
                raise
            problems.append(error)
            say(f"{source_name}: {error.problem} {error.remedy}")
            continue
        say(f"{source_name}: {result.in_words()}")
    if problems:
        raise typer.Exit(problems[0].exit_code)
