"""Practices and credit, at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import HomeOption, app, parse_day, say
from wellserved.errors import RequestError

if TYPE_CHECKING:
    from datetime import date

    from wellserved.actions.credit_words import TreeBranch
    from wellserved.store.models import Adoption

practice = typer.Typer(help="Ways of serving that others take up, and whose part is what.", no_args_is_help=True)
app.add_typer(practice, name="practice", rich_help_panel="Improve and prove")

UserOption = Annotated[str | None, typer.Option("--as", help="Who says so, where people log in.")]
NameArgument = Annotated[str, typer.Argument(help="A practice, by its name.")]
SinceOption = Annotated[str, typer.Option("--since", help="Since which day, YYYY-MM-DD.")]


def _day(text: str, option: str) -> date:
    day = parse_day(text, option)
    if day is None:
        raise RequestError(f"{option} is missing.", f"Give {option} YYYY-MM-DD.")
    return day


@practice.command("add")
def add_(
    name: NameArgument,
    what: Annotated[str, typer.Option("--what", help="What one does, in a sentence.")],
    since: SinceOption,
    improvement: Annotated[str, typer.Option("--improvement", help="The declared change that measures it.")] = "",
    idea_from: Annotated[str, typer.Option("--idea-from", help="Whose idea it was, if not yours.")] = "",
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Say that you serve so, since a day."""
    workspace = prepare_workspace(home)
    from wellserved.actions import membership, practices
    from wellserved.improvement import find_record

    if improvement:
        find_record(workspace, improvement)
    person = membership.find_person(user_name)
    started = practices.start_practice(person, name, what, _day(since, "--since"), improvement, idea_from)
    say(f"{started.name}: begun by {person.called} on {started.since}.")


@practice.command("adopt")
def adopt_(
    name: NameArgument,
    since: SinceOption,
    who: Annotated[str, typer.Option("--who", help='A login, or "team NAME"; by default you.')] = "",
    taught_by: Annotated[
        str, typer.Option("--from", help="From whom it was learnt; by default from its starter.")
    ] = "",
    helpers: Annotated[list[str] | None, typer.Option("--helper", help="Who helped with it.")] = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Note that somebody took it up, from whom; each confirms their own part."""
    prepare_workspace(home)
    from wellserved.actions import membership, practices

    person, row = membership.find_person(user_name), practices.find_practice(name)
    adoption = practices.take_up(person, row, who, _day(since, "--since"), taught_by, helpers or ())
    waits = "" if adoption.confirmed and adoption.taught_confirmed else " Those concerned are asked to confirm it."
    say(f"{practices.holder_of(adoption)} does it since {adoption.since}.{waits}")


def _adoption(name: str, who: str, user_name: str | None) -> Adoption:
    from wellserved.actions import membership, practices

    holder = who or membership.find_person(user_name).username
    row = practices.find_practice(name)
    adoptions = {practices.holder_of(adoption): adoption for adoption in practices.adoptions_of(row)}
    if holder not in adoptions:
        raise RequestError(f"{holder} has not taken up {row.name}.", f"Known: {', '.join(adoptions) or 'nobody yet'}.")
    return adoptions[holder]


@practice.command("confirm")
def confirm_(
    name: NameArgument,
    who: Annotated[str, typer.Option("--who", help="Whose taking up; by default yours.")] = "",
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Confirm your own part: that you took it up, taught it, or helped."""
    prepare_workspace(home)
    from wellserved.actions import membership, practices

    parts = practices.confirm_part(membership.find_person(user_name), _adoption(name, who, user_name))
    say(f"Confirmed: {', '.join(parts)}." if parts else "Nothing of yours was left to confirm.")


@practice.command("drop")
def drop_(
    name: NameArgument,
    until: Annotated[str, typer.Option("--until", help="The last day on which it was done, YYYY-MM-DD.")],
    who: Annotated[str, typer.Option("--who", help="Who ends it; by default you.")] = "",
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Say until when it was done; what came of it before stays."""
    prepare_workspace(home)
    from wellserved.actions import membership, practices

    adoption = _adoption(name, who, user_name)
    practices.end_adoption(membership.find_person(user_name), adoption, _day(until, "--until"))
    say(f"{practices.holder_of(adoption)} did it until {adoption.until}.")


@practice.command("tree")
def tree_(name: NameArgument, user_name: UserOption = None, home: HomeOption = None) -> None:
    """Show who took it up from whom, whom it reached, and your own part of it."""
    workspace = prepare_workspace(home)
    from wellserved.actions import membership, practices
    from wellserved.actions.credit_words import credit_lines, practice_branch
    from wellserved.actions.practice_effects import practice_effect

    row = practices.find_practice(name)
    view = practices.view_practice(membership.find_person(user_name), row)
    say(f"{row.name}: {row.what}")
    if not view.shows_tree:
        say("Who took it up is for those who have a part in it.")
        return
    effect = practice_effect(
        workspace,
        row.improvement,
        practices.adoption_spans(row),
        practices.unconfirmed_teams(row),
    )
    _show_branch(practice_branch(view, effect.reach), 0)
    for line in credit_lines(view, practices.credit_of(row, effect.reach), effect):
        say(line)


def _show_branch(branch: TreeBranch, depth: int) -> None:
    note = "" if branch.is_confirmed else " (not confirmed yet)"
    say(f"{'  ' * depth}{branch.holder}: {branch.words}{note}")
    for pupil in branch.pupils:
        _show_branch(pupil, depth + 1)


@practice.command("list")
def list_(home: HomeOption = None) -> None:
    """List the practices that there are."""
    prepare_workspace(home)
    from wellserved.actions import practices

    rows = list(practices.visible_practices())
    for row in rows:
        say(f"{row.name} (begun by {row.starter.called}, {row.since}): {row.what}")
    if not rows:
        say("None is described yet: `wellserved practice add`.")
