"""Objectives, at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import (
    Format,
    FormatOption,
    HomeOption,
    OutputOption,
    UserOption,
    app,
    parse_day,
    say,
    show_tables,
)
from wellserved.errors import RequestError

if TYPE_CHECKING:
    from wellserved.storage.workspace import Workspace

objective = typer.Typer(
    help="What the work is for: objectives, and the measures that carry them.", no_args_is_help=True
)
app.add_typer(objective, name="objective", rich_help_panel="Improve and prove")


@objective.command("add")
def objective_add(
    name: Annotated[str, typer.Argument(help="The objective, in a sentence.")],
    measure: Annotated[
        list[str] | None, typer.Option("--measure", help="A measure that carries it; repeat for more.")
    ] = None,
    target: Annotated[
        float | None, typer.Option("--target", help="Of the measure, in its unit; a share as 0.9.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="By when, YYYY-MM-DD.")] = None,
    team: Annotated[str, typer.Option("--team", help="Whose it is; otherwise the house's.")] = "",
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Set an objective, and let measures carry it."""
    prepare_workspace(home)
    from django.utils import timezone

    from wellserved.actions import membership, objectives
    from wellserved.measure import find_measure
    from wellserved.store.access import has_permission
    from wellserved.store.models import Team
    from wellserved.store.plan_models import Objective

    person = membership.find_person(user_name)
    if not has_permission(person, "set_objectives"):
        raise RequestError(
            f"{person.username} may not set objectives.", "docs/access.md says who may; name them with --as."
        )
    for measure_name in measure or []:
        find_measure(measure_name)
    row = Objective.objects.create(
        name=name, owner=person, since=timezone.localdate(), team=Team.objects.get_or_create(name=team)[0] if team else None
    )  # fmt: skip
    for measure_name in measure or []:
        objectives.add_measure(row, measure_name, target, parse_day(by, "--by"))
    say(f"{row.name}: set.")


def _ask(workspace: Workspace, function: Callable[..., Any], *arguments: Any) -> Any:
    return function(workspace, *arguments)


@objective.command("list")
def objective_list(
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show objectives as they stand, whose work moves them, and whom each team serves inside the house."""
    workspace = prepare_workspace(home)
    from django.utils import timezone

    from wellserved.actions import membership, objectives
    from wellserved.render.tables import plans
    from wellserved.storage import log

    ask = partial(_ask, workspace) if log.latest_version(workspace) >= 0 else None
    sight = objectives.line_of_sight(membership.find_person(user_name), timezone.localdate(), ask)
    tables = [plans.objective_table(sight), plans.work_table(sight), plans.customer_table(sight)]
    show_tables([table for table in tables if table.rows] or tables[:1], format_, output, "What the work is for")
