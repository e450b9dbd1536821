"""Commands that count one wait by several rules."""

from __future__ import annotations

from typing import Annotated

import typer

from wellserved.cli.shared import (
    Format,
    FormatOption,
    HomeOption,
    OutputOption,
    SourceOption,
    app,
    progress,
    show_tables,
    workspace_at,
)
from wellserved.measure.vendor_rules import VENDORS, find_vendor_rule


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A wait, such as time_to_resolution.")],
    case_id: Annotated[str, typer.Argument(help="The case's number in its source.")],
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Explain one case's number: its moments, and what each house's rule counts of them."""
    from wellserved.actions import vendor_questions
    from wellserved.render.tables import clocks

    workspace = workspace_at(home)
    with progress() as on_progress:
        explanation = vendor_questions.explain_case(workspace, name, case_id, source, on_progress)
    show_tables(clocks.explained_tables(explanation, workspace.zone), format_, output)


@app.command()
def compare(
    name: Annotated[str, typer.Argument(help="A wait, such as time_to_resolution.")],
    vendor: Annotated[str, typer.Option("--as", help=f"One rule: {', '.join(VENDORS)}.")],
    other_vendor: Annotated[str, typer.Option("--with", help="The other rule.")] = "ours",
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Compare two rules for one wait: how many cases they count differently, and why."""
    from wellserved.actions import vendor_questions
    from wellserved.measure import find_measure
    from wellserved.render.tables import clocks

    measure = find_measure(name)
    rules = (find_vendor_rule(measure, vendor), find_vendor_rule(measure, other_vendor))
    with progress() as on_progress:
        differences = vendor_questions.compare_rules(workspace_at(home), rules, source, on_progress)
    show_tables(clocks.compared_tables(*rules, differences), format_, output)
