"""Improvements and their proof."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.shared import (
    AboutOption,
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
    error_console,
    granularity_name,
    parse_day,
    parse_pairs,
    progress,
    show,
    show_tables,
    workspace_at,
    write,
)  # fmt: skip
from wellserved.errors import RequestError
from wellserved.improvement import Improvement
from wellserved.measure import find_measure
from wellserved.measure.measure import Better as BetterName
from wellserved.render.formats import data, terminal

if TYPE_CHECKING:
    from wellserved.prove.proof import Proof

improve = typer.Typer(help="Declare improvements before their result is looked at.", no_args_is_help=True)
app.add_typer(improve, name="improve", rich_help_panel="Improve and prove")

AgainstOption = Annotated[
    list[str] | None,
    typer.Option("--against", help="COLUMN=VALUE of cases in which nothing was changed; repeat for more."),
]
GuardrailOption = Annotated[
    list[str] | None,
    typer.Option("--guardrail", help="MEASURE or MEASURE=MARGIN that must not get worse; repeat for more."),
]
AgeOption = Annotated[
    int | None, typer.Option("--age", help="Days after which every case is looked at; otherwise chosen.", min=1)
]
BetterOption = Annotated[
    str | None, typer.Option("--better", help="higher or lower, where the measure has no better side.")
]
WorthwhileOption = Annotated[str | None, typer.Option("--worthwhile", help="The smallest effect worth having, as 10%.")]
SettlesOption = Annotated[
    str | None,
    typer.Option(
        "--settles", help="The first day on which the change had come in altogether; what lies between is left out."
    ),
]
ParallelOption = Annotated[
    bool, typer.Option("--parallel", help="You declare that both would have moved alike: no trend of their difference.")
]


def _worthwhile_share(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if not match or not 0 < float(match[1]) < 1000:
        raise RequestError(f"--worthwhile {text!r} is no part of the level before.", "Write it as --worthwhile 10%.")
    return float(match[1]) / 100


def _margins(texts: list[str] | None) -> tuple[tuple[str, float | None], ...]:
    """MEASURE=MARGIN: percentage points of a share, the unit of anything else."""
    margins: list[tuple[str, float | None]] = []
    for text in texts or []:
        name, equals, margin = (word.strip() for word in text.partition("="))
        if not equals:
            margins.append((name, None))
            continue
        share = find_measure(name).unit == "share"
        number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%" if share else r"(\d+(?:\.\d+)?)", margin)
        if not number or not 0 < float(number[1]) <= (100 if share else math.inf):
            example = f"{name}=2%" if share else f"{name}=0.5, in {find_measure(name).unit}"
            raise RequestError(
                f"--guardrail {text!r} has no margin above zero in the measure's unit.",
                f"Write it as --guardrail {example}.",
            )
        margins.append((name, float(number[1]) / (100 if share else 1)))
    return tuple(margins)


def _better_side(better: str | None) -> BetterName | None:
    sides: dict[str | None, BetterName | None] = {None: None, "higher": "higher", "lower": "lower"}
    if better not in sides:
        raise RequestError(f"--better {better!r} is no side.", "Write higher or lower.")
    return sides[better]


@app.command()
def prove(
    improvement: Annotated[str | None, typer.Argument(help="A declared improvement, by its name.")] = None,
    measure: Annotated[
        str | None, typer.Option("--measure", help="To explore without a declaration: a measure ...")
    ] = None,
    change: Annotated[
        str | None, typer.Option("--change", help="... and the first day of the new way, YYYY-MM-DD.")
    ] = None,
    granularity: Annotated[
        GranularityChoice | None,
        typer.Option("--every", help="Length of a period: day, week (usual), month, quarter, year."),
    ] = None,
    where: WhereOption = None,
    control_where: AgainstOption = None,
    parallel: ParallelOption = False,
    better: BetterOption = None,
    worthwhile: WorthwhileOption = None,
    guardrail: GuardrailOption = None,
    age: AgeOption = None,
    about: AboutOption = None,
    settles: SettlesOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Prove that a change worked: by how much, how sure, and what got worse; or say that it cannot be told."""
    from wellserved.actions import improvements

    span = (parse_day(since, "--since"), parse_day(until, "--until"))
    workspace = workspace_at(home)
    if improvement is not None:
        if (
            measure
            or change
            or where
            or control_where
            or guardrail
            or better
            or worthwhile
            or age
            or parallel
            or granularity
            or settles
            or about
        ):
            raise RequestError(
                "An improvement is proved as it was declared.",
                "Leave the other options out, or explore with --measure and --change.",
            )
        with progress() as on_progress:
            proof, notes = improvements.prove_improvement(workspace, improvement, span, on_progress)
    else:
        if not measure or not change:
            raise RequestError(
                "There is nothing to prove.", "Name an improvement, or explore with --measure NAME --change DATE."
            )
        exploration = Improvement(
            "exploration", "exploration", str(parse_day(change, "--change")), measure, granularity_name(granularity) or "week", where=parse_pairs(where), against=parse_pairs(control_where),
            parallel=parallel, better=_better_side(better), expected=_worthwhile_share(worthwhile), guardrails=_margins(guardrail), age_days=age,
            settles=str(parse_day(settles, "--settles")) if settles else None, about=about or "",
        )  # fmt: skip
        with progress() as on_progress:
            proof, notes = improvements.explore_change(workspace, exploration, span, on_progress)
    _show_proof(proof, notes, format_, output)


def _show_proof(proof: Proof, notes: tuple[str, ...], format_: Format, output: OutputOption) -> None:
    from wellserved.render.charts import svg
    from wellserved.render.charts.proof import proof_svg
    from wellserved.render.formats.proof_page import proof_page
    from wellserved.render.tables import proofs

    if format_ is Format.json:
        write(data.as_json(proofs.proof_data(proof, notes)), output)
        return
    if format_ is Format.html:
        write(proof_page(proof, notes), output)
        return
    if format_ is Format.svg:
        if not proof.verdict.lines:
            raise RequestError("There is no picture: no fit was made.", "Read why with --format text.")
        write(proof_svg(proof, svg.WIDE) + "\n", output)
        return
    tables = proofs.proof_tables(proof, notes)
    tables_to_show = tables[:-1] if format_ is Format.text and proof.verdict.lines else tables
    show_tables(tables_to_show, format_, output)


@app.command("adopted")
def prove_adoption(
    by: Annotated[str, typer.Option("--by", help="The column of those who took it up: team, place, person_id ...")],
    since: Annotated[
        list[str],
        typer.Option(
            "--since", help="NAME=YYYY-MM-DD: when it took the change up; repeat for more. The others never did."
        ),
    ],
    measure: Annotated[str, typer.Option("--measure", help="The measure that is to get better.")],
    granularity: PeriodLengthOption = GranularityChoice.week,
    where: WhereOption = None,
    age: AgeOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Prove a change that teams took up one after the other, against those that had not yet."""
    from wellserved.actions import improvements
    from wellserved.render.tables import insights

    dates = []
    for text in since:
        team, equals, day_text = text.rpartition("=")
        if not equals:
            raise RequestError(f"--since {text!r} names no day.", "Write it as --since Repairs=2023-10-02.")
        day = parse_day(day_text, "--since")
        assert day is not None
        dates.append((team, day))
    exploration = Improvement(
        "exploration",
        "exploration",
        str(min(day for _, day in dates)),
        measure,
        granularity.value,
        where=parse_pairs(where),
        age_days=age,
    )
    with progress() as on_progress:
        adoption = improvements.prove_adoption(
            workspace_at(home), exploration, by, tuple(dates), (None, None), on_progress
        )
    show_tables([insights.adoption_table(adoption)], format_, output)


@improve.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A short name: letters, digits, dashes.")],
    description: Annotated[str, typer.Option("--what", help="What was changed, in a sentence.")],
    since: Annotated[str, typer.Option("--since", help="First day of the new way, YYYY-MM-DD.")],
    measure: Annotated[
        str | None,
        typer.Option("--measure", help="The measure that is to get better; with --about, the problem's share."),
    ] = None,
    about: AboutOption = None,
    author: Annotated[str, typer.Option("--who", help="Who did it.")] = "",
    idea_from: Annotated[str, typer.Option("--idea-from", help="Whose idea it was.")] = "",
    helper: Annotated[list[str] | None, typer.Option("--helper", help="Who helped; repeat for more.")] = None,
    granularity: PeriodLengthOption = GranularityChoice.week,
    where: WhereOption = None,
    control_where: AgainstOption = None,
    parallel: ParallelOption = False,
    better: BetterOption = None,
    worthwhile: WorthwhileOption = None,
    guardrail: GuardrailOption = None,
    age: AgeOption = None,
    ends: Annotated[
        str | None, typer.Option("--ends", help="A fixed last look, YYYY-MM-DD; otherwise look whenever you like.")
    ] = None,
    paid_until: Annotated[
        str | None, typer.Option("--paid-until", help="An incentive: the day after the last on which it was paid.")
    ] = None,
    settles: SettlesOption = None,
    home: HomeOption = None,
) -> None:
    """Declare an improvement: what, since when, for whom, and the measure that will tell."""
    from wellserved.actions import improvements
    from wellserved.render.tables import proofs

    if measure is None and about is None:
        raise RequestError("Nothing says how one will see it.", "Give a --measure, or a problem with --about.")
    improvement = Improvement(
        name, description, str(parse_day(since, "--since")), measure or "problem_share", granularity.value, author, idea_from, tuple(helper or ()), parse_pairs(where), parse_pairs(control_where),
        parallel, _better_side(better), _worthwhile_share(worthwhile), _margins(guardrail), age,
        str(parse_day(ends, "--ends")) if ends else None, str(parse_day(paid_until, "--paid-until")) if paid_until else None,
        str(parse_day(settles, "--settles")) if settles else None, about=about or "",
    )  # fmt: skip
    workspace = workspace_at(home)
    with progress() as on_progress:
        foresight = improvements.foresee_improvement(workspace, improvement, on_progress)
    improvements.declare_improvement(workspace, improvements.with_margins(improvement, foresight))
    if foresight:
        show(terminal.stacked_tables([proofs.foresight_table(foresight, improvement.expected)]), None)
    error_console.print(f"Declared {name}. See what came of it: wellserved prove {name}", markup=False, highlight=False)


@improve.command("list")
def list_(format_: FormatOption = Format.text, output: OutputOption = None, home: HomeOption = None) -> None:
    """List the declared improvements."""
    from wellserved.actions import improvements
    from wellserved.render.tables import proofs

    records = improvements.list_improvements(workspace_at(home))
    if not records and format_ is Format.text:
        show(terminal.safe_text("No improvement is declared yet: wellserved improve add --help"), output)
        return
    show_tables([proofs.improvement_table(records)], format_, output)


@improve.command("change")
def change_(
    name: Annotated[str, typer.Argument(help="A declared improvement.")],
    description: Annotated[str | None, typer.Option("--what", help="What was changed, in a sentence.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="First day of the new way, YYYY-MM-DD.")] = None,
    measure: Annotated[str | None, typer.Option("--measure", help="The measure that is to get better.")] = None,
    helper: Annotated[
        list[str] | None, typer.Option("--helper", help="Who helped, in place of those named; repeat for more.")
    ] = None,
    where: WhereOption = None,
    control_where: AgainstOption = None,
    guardrail: GuardrailOption = None,
    worthwhile: WorthwhileOption = None,
    ends: Annotated[str | None, typer.Option("--ends", help="A fixed last look, YYYY-MM-DD.")] = None,
    settles: SettlesOption = None,
    home: HomeOption = None,
) -> None:
    """Change a declaration; what it said before stays on record, and is shown with every verdict."""
    from wellserved.actions import improvements

    options = {
        "what": description, "since": str(parse_day(since, "--since")) if since else None, "measure": measure, "helpers": tuple(helper) if helper else None,
        "where": parse_pairs(where) or None, "against": parse_pairs(control_where) or None, "guardrails": _margins(guardrail) or None,
        "expected": _worthwhile_share(worthwhile), "ends": str(parse_day(ends, "--ends")) if ends else None, "settles": str(parse_day(settles, "--settles")) if settles else None,
    }  # fmt: skip
    facts: dict[str, object] = {key: value for key, value in options.items() if value is not None}
    if not facts:
        raise RequestError("Nothing is to be changed.", "Give at least one option.")
    improvements.change_improvement(workspace_at(home), name, facts)
    error_console.print(f"Changed {name}; the change is on record.", markup=False, highlight=False)


@improve.command("withdraw")
def withdraw_(
    name: Annotated[str, typer.Argument(help="A declared improvement.")],
    reason: Annotated[str, typer.Option("--why", help="The reason.")],
    home: HomeOption = None,
) -> None:
    """Take an improvement off the list; it stays on record."""
    from wellserved.actions import improvements

    improvements.withdraw_improvement(workspace_at(home), name, reason)
    error_console.print(f"Withdrew {name}.", markup=False, highlight=False)
