"""Commands that look around: promises, hand-overs, queues, shifts, drivers, gaps, judges, who stays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wellserved.cli.shared import (
    Format,
    FormatOption,
    GranularityChoice,
    HomeOption,
    OutputOption,
    PeriodLengthOption,
    SinceOption,
    UntilOption,
    WhereOption,
    app,
    parse_day,
    parse_pairs,
    progress,
    show_tables,
    workspace_at,
)
from wellserved.errors import RequestError


@app.command()
def shift(
    name: Annotated[str, typer.Argument(help="A measure, as listed by `wellserved measures`.")],
    granularity: PeriodLengthOption = GranularityChoice.week,
    where: WhereOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Look for a date at which a measure shifted although nobody declared a change."""
    from wellserved.actions import explorations
    from wellserved.render.tables import insights

    span = (parse_day(since, "--since"), parse_day(until, "--until"))
    with progress() as on_progress:
        search_result = explorations.find_shift(
            workspace_at(home), name, granularity.value, parse_pairs(where), span, on_progress
        )
    show_tables([insights.shift_table(*search_result)], format_, output)


@app.command()
def drivers(
    where: WhereOption = None, format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None
) -> None:
    """Weigh what goes with bad ratings: late, slow, passed on, reopened ..."""
    from wellserved.actions import explorations
    from wellserved.render.charts.insights import driver_picture
    from wellserved.render.tables import insights

    with progress() as on_progress:
        rating_drivers = explorations.find_drivers(workspace_at(home), parse_pairs(where), on_progress)
    show_tables(
        [insights.driver_table(rating_drivers)],
        format_,
        output,
        "What goes with bad ratings",
        [driver_picture(rating_drivers)],
    )


@app.command()
def gap(
    by: Annotated[str, typer.Option("--by", help="A column: service, team, place ...")] = "service",
    where: WhereOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Set what customers expected beside what they got."""
    from wellserved.actions import explorations
    from wellserved.render.charts.insights import gap_picture
    from wellserved.render.tables import insights

    with progress() as on_progress:
        expectation_gaps = explorations.find_gaps(workspace_at(home), by, parse_pairs(where), on_progress)
    show_tables(
        [insights.gap_table(expectation_gaps)],
        format_,
        output,
        "Expectation and experience",
        [gap_picture(expectation_gaps)],
    )


@app.command()
def agreement(format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None) -> None:
    """Compare own ratings with those of customers, beyond what chance would give."""
    from wellserved.actions import explorations
    from wellserved.render.tables import insights

    with progress() as on_progress:
        judge_agreement = explorations.compare_judges(workspace_at(home), on_progress)
    show_tables([insights.agreement_table(judge_agreement)], format_, output)


@app.command("retention")
def retention_(
    surviving: Annotated[
        list[float] | None,
        typer.Argument(help="One group: customers at the start, and still there after each renewal."),
    ] = None,
    earlier_renewals: Annotated[
        int, typer.Option("--entered", help="Renewals that this group had made before its numbers begin.", min=0)
    ] = 0,
    cohort: Annotated[
        list[str] | None,
        typer.Option("--cohort", help="ENTERED:N,N,N: a group as above, in one word; repeat for more."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            exists=True,
            dir_okay=False,
            help="CSV, a row an account: renewals, left (yes or no), and, where there are, entered (renewals made before the record began) and accounts (how many alike).",
        ),
    ] = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
) -> None:
    """Tell from renewals how long customers stay, and how many renewals are still to come.

    Groups may have begun at different times, be known from a later renewal on only, and still be there.
    """
    from wellserved.explore.renewals import NO_DECISIONS, decisions_of_cohort, read_accounts, read_cohort
    from wellserved.explore.retention import estimate_retention
    from wellserved.render.tables import insights

    if earlier_renewals and not surviving:
        raise RequestError(
            "--entered goes with one group's numbers, and there are none.",
            "With --cohort write it before the colon (--cohort 2:200,180,171), in a --file into its column `entered`.",
        )
    groups = [read_cohort(text) for text in cohort or []] + ([(earlier_renewals, surviving)] if surviving else [])
    if not groups and file is None:
        raise RequestError(
            "Nothing says who renewed.", "Give the customers at the start and after each renewal, --cohort, or --file."
        )
    decisions, account_count = read_accounts(file.read_bytes()) if file else (NO_DECISIONS, 0)
    for before, survivors in groups:
        decisions, account_count = (
            decisions + decisions_of_cohort(survivors, before),
            account_count + round(survivors[0]),
        )
    show_tables([insights.retention_table(estimate_retention(decisions, account_count))], format_, output)
