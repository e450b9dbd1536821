"""Listening: problems in what customers say, and decisions about them."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.shared import (
    Format,
    FormatOption,
    HomeOption,
    OutputOption,
    SinceOption,
    UntilOption,
    WhereOption,
    app,
    parse_day,
    parse_pairs,
    progress,
    say,
    show_tables,
    workspace_at,
)

if TYPE_CHECKING:
    from wellserved.listen.book import Deed

listen = typer.Typer(help="Find what customers keep telling you, and follow it.", invoke_without_command=True)
app.add_typer(listen, name="listen", rich_help_panel="Look closer")


class ProblemBasis(StrEnum):
    """What problems are told by."""

    problem = "problem"
    category = "category"
    cause = "cause"
    service = "service"


class FiledColumn(StrEnum):
    """What a house files cases under."""

    category = "category"
    cause = "cause"
    service = "service"


class Ranking(StrEnum):
    """What the list is sorted by."""

    many = "many"
    much = "much"
    growth = "growth"


ByOption = Annotated[ProblemBasis, typer.Option("--by", help="Words (problem), or what cases are filed under.")]
MinutesOption = Annotated[
    float | None, typer.Option("--minutes", help="Minutes of work a reply takes, for hours.", min=0)
]
RateOption = Annotated[str | None, typer.Option("--rate", help="What an hour costs, as 45 EUR, for cost.")]
ProblemArgument = Annotated[str, typer.Argument(help="A problem: p7, or its name.")]


@listen.callback()
def listen_to_customers(
    context: typer.Context,
    by: ByOption = ProblemBasis.problem,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    minutes: MinutesOption = None,
    rate: RateOption = None,
    rank: Annotated[
        Ranking, typer.Option("--rank", help="Sort by how many cases, how much they cost, or how fast they grow.")
    ] = Ranking.many,
    kept: Annotated[bool, typer.Option("--kept", help="Show what the last look found; read nothing new.")] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Give up the problems known and look as if for the first time.")
    ] = False,
    model: Annotated[
        bool | None,
        typer.Option(
            "--model/--no-model",
            help="Ask the model of `wellserved[words]` what words mean, or the words alone; as the look before, where neither is said.",
        ),
    ] = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Find what customers keep telling you: how many, since when, growing or not, and what goes with it."""
    if context.invoked_subcommand:
        return
    from wellserved.actions import listening, problem_costs, problem_questions
    from wellserved.listen.model import MODEL_NAME, OWN_WORDS
    from wellserved.measure import MeasureQuestion
    from wellserved.render.charts.problems import problem_bars, problem_map
    from wellserved.render.tables import problems

    if model is not None and (kept or by is not ProblemBasis.problem):
        raise typer.BadParameter("the model is asked where words are read: leave --kept and --by out, or --model.")
    workspace = workspace_at(home)
    question = MeasureQuestion(
        (), since=parse_day(since, "--since"), until=parse_day(until, "--until"), where=parse_pairs(where)
    )
    cost = problem_costs.declared_cost(workspace).but(problem_costs.parse_cost(minutes, rate))
    with progress() as on_progress:
        if by is ProblemBasis.problem and not kept:
            mode = None if model is None else MODEL_NAME if model else OWN_WORDS
            listening.listen_anew(workspace, on_progress, afresh, mode=mode)
        found = problem_questions.overview(workspace, by.value, question, cost, on_progress)
    table = problems.problem_table(
        found.by,
        found.sizes,
        found.told,
        found.cases,
        found.book,
        found.cost,
        found.caution,
        problems.RANKINGS[list(Ranking).index(rank)],
    )
    show_tables(
        [table], format_, output, table.title, [problem_bars(found.sizes), problem_map(found.sizes, found.spots)]
    )


@listen.command("cost")
def declare_cost(
    minutes: MinutesOption = None,
    rate: RateOption = None,
    forget: Annotated[bool, typer.Option("--forget", help="Take back what was declared.")] = False,
    home: HomeOption = None,
) -> None:
    """Declare what a reply takes and what an hour costs, for all problems, pages and reports; without options, show it."""
    from wellserved.actions import problem_costs
    from wellserved.listen.cost import Cost
    from wellserved.render.tables.problems import cost_words

    workspace = workspace_at(home)
    if forget:
        problem_costs.declare_cost(workspace, Cost())
    if minutes is not None or rate is not None:
        problem_costs.declare_cost(
            workspace, problem_costs.declared_cost(workspace).but(problem_costs.parse_cost(minutes, rate))
        )
    say(
        cost_words(problem_costs.declared_cost(workspace), ())
        or 'Nothing is declared yet: `wellserved listen cost --minutes 9 --rate "45 EUR"`.'
    )


@listen.command("show")
def show_problem(
    problem: ProblemArgument, format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None
) -> None:
    """Show one problem: its name, its customers' words, its size, and what was decided."""
    from wellserved.actions import problem_questions
    from wellserved.render.tables import problems

    workspace = workspace_at(home)
    with progress() as on_progress:
        book, found, size = problem_questions.one_problem(workspace, problem, on_progress)
    show_tables(problems.one_problem_tables(found, book, size, workspace.zone), format_, output)


@listen.command()
def why(
    case: Annotated[str, typer.Argument(help="The number of a case.")],
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Say what a case's words were taken to be about, part by part."""
    from wellserved.actions import problem_questions
    from wellserved.report import Table

    reasons = problem_questions.why(workspace_at(home), case)
    rows = tuple((reason.text, reason.problem or "no common problem", f"{reason.share:.0%}") for reason in reasons)
    note = "A part is about what most of the ten texts nearest to it are about; the share is that of their votes."
    show_tables([Table(f"Case {case}", ("words", "about", "votes"), rows, note)], format_, output)


@listen.command("alarms")
def new_in_words(
    days: Annotated[int, typer.Option("--days", help="How many days back.", min=1, max=366)] = 28,
    format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None,
) -> None:  # fmt: skip
    """Look for what many customers say now and hardly anybody said before."""
    from wellserved.actions import listening
    from wellserved.render.tables import problems

    with progress() as on_progress:
        found, texts = listening.find_new(workspace_at(home), days, on_progress)
    show_tables([problems.novelty_table(found, texts)], format_, output)


@listen.command()
def origins(
    problem: Annotated[str | None, typer.Argument(help="A problem (p7), or a value of a column (cause=misspelt name); nothing: corrections.")] = None,
    format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None,
) -> None:  # fmt: skip
    """Find where a problem comes from: which place, channel, team or service brings more of it than chance."""
    from wellserved.actions import problem_origins
    from wellserved.render.tables import problems

    with progress() as on_progress:
        scan, fault = problem_origins.find_origins(workspace_at(home), problem, on_progress)
    show_tables([problems.origin_table(scan, fault)], format_, output)


@listen.command()
def filing(
    by: Annotated[FiledColumn, typer.Option("--by", help="What your house files cases under.")] = FiledColumn.category,
    format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None,
) -> None:  # fmt: skip
    """Set what cases are filed under beside what customers say: what hides problems, what is scattered, what is filed unlike."""
    from wellserved.actions import problem_filing
    from wellserved.render.tables import problems

    with progress() as on_progress:
        comparison = problem_filing.filing_beside_words(workspace_at(home), by.value, on_progress)
    show_tables(problems.filing_tables(comparison, by.value), format_, output)


@listen.command()
def score(
    labels: Annotated[Path, typer.Argument(help="A CSV file with the columns case and label.", exists=True, dir_okay=False)],
    format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None,
) -> None:  # fmt: skip
    """Set the problems found beside labels that people gave some of the cases: how well do they agree, and where not?"""
    from wellserved.actions import problem_score
    from wellserved.render.tables import problems

    with progress() as on_progress:
        scored = problem_score.score_file(workspace_at(home), labels, on_progress)
    show_tables(problems.score_tables(scored), format_, output)
    if scored.refused:
        raise typer.Exit(1)


@listen.command("name")
def name_problem(
    problem: ProblemArgument, name: Annotated[str, typer.Argument(help="What people call it.")], home: HomeOption = None
) -> None:
    """Give a problem a name; later looks keep it."""
    _decide("named", problem, {"name": name}, home)


@listen.command("merge")
def merge_problems(
    problem: ProblemArgument,
    into: Annotated[str, typer.Argument(help="The problem that it is a part of.")],
    home: HomeOption = None,
) -> None:
    """Say that a problem is the same as another, and goes on in it."""
    _decide("merged", problem, {"into": into}, home)


@listen.command("split")
def split_problem(
    problem: ProblemArgument,
    words: Annotated[list[str], typer.Argument(help="Words of which the part to be split off has one.")],
    home: HomeOption = None,
) -> None:
    """Split a problem in two by the words of one part."""
    _decide("split", problem, {"words": words}, home)


@listen.command("close")
def close_problem(problem: ProblemArgument, home: HomeOption = None) -> None:
    """Close a problem; its cases are still counted."""
    _decide("closed", problem, {}, home)


@listen.command("reopen")
def reopen_problem(problem: ProblemArgument, home: HomeOption = None) -> None:
    """Open a closed problem again."""
    _decide("reopened", problem, {}, home)


@listen.command("note")
def note_problem(
    problem: ProblemArgument,
    note: Annotated[str, typer.Argument(help="What others should know.")],
    home: HomeOption = None,
) -> None:
    """Write a note on a problem."""
    _decide("noted", problem, {"note": note}, home)


@listen.command("undo")
def undo_decision(
    number: Annotated[int, typer.Argument(help="The number of the decision.")], home: HomeOption = None
) -> None:
    """Take a decision back; it stays in the history."""
    _decide("undone", "", {"decision": number}, home)


@listen.command("decisions")
def show_decisions(format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None) -> None:
    """Show who decided what about problems."""
    from wellserved.listen.book import open_book
    from wellserved.render.tables import problems

    book = open_book(workspace_at(home))
    show_tables([problems.decision_table(book.decisions, book)], format_, output)


def _decide(deed: Deed, problem: str, facts: dict[str, object], home: HomeOption) -> None:
    from wellserved.actions import listening

    decision = listening.decide_about(workspace_at(home), deed, problem, facts, getpass.getuser())
    say(f"Decision {decision.number} is kept; take it back with `wellserved listen undo {decision.number}`.")
