"""Business cases, at a terminal."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import Format, FormatOption, HomeOption, OutputOption, UserOption, app, say, show_tables
from wellserved.errors import RequestError

if TYPE_CHECKING:
    from wellserved.store.plan_models import SavedCase

case = typer.Typer(help="What a problem is worth solving, and how sure that is.", no_args_is_help=True)
app.add_typer(case, name="case", rich_help_panel="Improve and prove")


def _inputs(texts: list[str], origin: str) -> dict[str, dict[str, Any]]:
    """NAME=LOW..HIGH as ranges; what is known exactly is written twice."""
    from wellserved.actions.business_cases import INPUT_FIELDS

    names = [field.name for field in INPUT_FIELDS]
    inputs: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, span = text.partition("=")
        low, dots, high = span.partition("..")
        try:
            if not (equals and dots) or name not in names:
                raise ValueError
            inputs[name] = {
                "low": float(low),
                "high": float(high),
                "measured": False,
                "origin": origin,
            }
        except ValueError:
            raise RequestError(
                f"--input {text!r} is no range.",
                f"Write it as cases_a_year=900..1200, or 0.3..0.3 where it is known exactly. Inputs: {', '.join(names)}.",
            ) from None
    return inputs


@case.command("new")
def case_new(
    title: Annotated[str, typer.Argument(help="What is to be solved.")],
    input_: Annotated[
        list[str],
        typer.Option("--input", help="NAME=LOW..HIGH; repeat. The true number lies within it eight times in ten."),
    ],
    years: Annotated[float, typer.Option("--years", help="Years ahead, three at most.")] = 1.0,
    currency: Annotated[str, typer.Option("--currency", help="EUR, USD ...")] = "EUR",
    improvement: Annotated[str, typer.Option("--improvement", help="The declared change that is to solve it.")] = "",
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Put a business case together, keep it, and show what it comes to."""
    prepare_workspace(home)
    from django.utils import timezone

    from wellserved.actions import business_cases, membership

    person = membership.find_person(user_name)
    facts = {"title": title[:150], "years": years, "currency": currency[:3].upper(), "improvement": improvement[:60]}
    row = business_cases.keep_case(person, facts, _inputs(input_, f"{person.called}, {timezone.localdate():%Y-%m-%d}"))
    _show(row, format_, output)


@case.command("list")
def case_list(user_name: UserOption = None, home: HomeOption = None) -> None:
    """List business cases, and how good the house's forecasts were."""
    prepare_workspace(home)
    from wellserved.actions import business_cases, membership
    from wellserved.store.access import AccessScope

    for row in business_cases.visible_cases(AccessScope(membership.find_person(user_name))):
        came = "" if row.came is None else f"; came: {row.came:,.0f}"
        say(f"{row.pk}  {row.title}: {row.result['median']:,.0f} {row.currency} ({row.result['low']:,.0f} to {row.result['high']:,.0f}){came}")  # fmt: skip
    say(business_cases.forecast_record().words)


@case.command("show")
def case_show(
    number: Annotated[str, typer.Argument(help="Its number, as `case list` shows it.")],
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show a business case as it was kept."""
    prepare_workspace(home)
    from wellserved.actions import business_cases, membership
    from wellserved.store.access import AccessScope

    try:
        row = (
            business_cases.visible_cases(AccessScope(membership.find_person(user_name)))
            .filter(pk=uuid.UUID(number))
            .first()
        )
    except ValueError:
        row = None
    if row is None:
        raise RequestError(f"There is no business case {number!r}.", "`wellserved case list` shows them.")
    _show(row, format_, output)


def _show(row: SavedCase, format_: Format, output: Any) -> None:
    from wellserved.actions.business_cases import INPUT_FIELDS
    from wellserved.actions.sponsor_sheet import case_lines
    from wellserved.render.tables import plans

    labels = {field.name: field.label for field in INPUT_FIELDS}
    lines = [f"{row.result['median']:,.0f} {row.currency} in the middle of all outcomes.", *case_lines(row)]
    tables = [plans.case_table(row.title, lines), plans.input_table(row.inputs, row.result["tornado"], labels)]
    show_tables(tables, format_, output, row.title)
