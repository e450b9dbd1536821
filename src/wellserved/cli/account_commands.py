"""Accounts, contracts and who may leave, at a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import (
    Format,
    FormatOption,
    HomeOption,
    OutputOption,
    UserOption,
    app,
    progress,
    read_file,
    say,
    show_tables,
)
from wellserved.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from wellserved.actions.accounts import AccountRow
    from wellserved.storage.workspace import Workspace
    from wellserved.store.access import AccessScope

contract = typer.Typer(help="Contracts of accounts.", no_args_is_help=True)
app.add_typer(contract, name="contract", rich_help_panel="Customers and accounts")


def _scope(user_name: str | None, permission: str = "read_accounts") -> AccessScope:
    from wellserved.actions import membership
    from wellserved.store.access import AccessScope, has_permission

    person = membership.find_person(user_name)
    if not has_permission(person, permission):
        raise RequestError(f"{person.username} may not do this.", "docs/access.md says who may; name them with --as.")
    return AccessScope(person)


def _rows(workspace: Workspace, scope: AccessScope) -> list[AccountRow]:
    from django.utils import timezone

    from wellserved.actions import account_questions, accounts

    pairs = accounts.customer_accounts()
    known = account_questions.trusts(workspace, pairs)
    return accounts.account_rows(list(scope.accounts()), known, None, None, timezone.localdate())


@app.command("accounts")
def accounts_(
    at_risk: Annotated[bool, typer.Option("--at-risk", help="Those alone that we may lose.")] = False,
    add_named: Annotated[
        bool, typer.Option("--add-named", help="Add the accounts that the records name, first.")
    ] = False,
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """List accounts: how reliable we are to them, what weighs on their trust, and when they decide."""
    workspace = prepare_workspace(home)
    from wellserved.actions.accounts import as_record
    from wellserved.render.tables import accounts as tables

    scope = _scope(user_name, "change_accounts" if add_named else "read_accounts")
    if add_named:
        from wellserved.actions import account_questions, accounts

        record_trusts = account_questions.trusts(workspace, accounts.customer_accounts())
        accounts.add_named_accounts(scope, record_trusts)
    rows = [row for row in _rows(workspace, scope) if row.is_at_risk or not at_risk]
    show_tables([tables.account_table([as_record(scope, row) for row in rows])], format_, output, "Accounts")


@app.command("account")
def account_(
    name: Annotated[str, typer.Argument(help="An account, by its name.")],
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show one account: its reasons to worry, each with its cases, its worth and its contracts."""
    workspace = prepare_workspace(home)
    from wellserved.actions.accounts import show_money, visible_cases_of
    from wellserved.actions.contract_ledger import contracts_of
    from wellserved.moments import NotComputable
    from wellserved.render.tables import accounts as tables

    scope = _scope(user_name)
    row = next((row for row in _rows(workspace, scope) if row.account.name.casefold() == name.casefold()), None)
    if row is None:
        raise UnknownNameError("account", name, scope.accounts().values_list("name", flat=True))
    worth = row.worth
    reasons = row.trust.reasons if row.trust else ()
    visible_cases = {reason.name: [case for _source, case in visible_cases_of(scope, reason)] for reason in reasons}
    words = (
        f"cannot be told: {worth.reason}"
        if isinstance(worth, NotComputable)
        else f"{show_money(scope, worth.value, worth.currency or row.currency)} over five years, {worth.words}"
    )
    contracts = [(c.reference, c.terms, c.deeds.all()) for c in contracts_of(row.account)]
    show_tables(
        [
            tables.trust_table(row.account.name, row.trust, visible_cases),
            tables.worth_table(show_money(scope, row.revenue_year, row.currency), words),
            tables.contract_table([(ref, terms, [f"{d.get_deed_display()} {d.on}" for d in deeds]) for ref, terms, deeds in contracts]),
        ],
        format_, output, row.account.name,
    )  # fmt: skip


@app.command("renewals")
def renewals_(
    within: Annotated[str, typer.Option("--within", help="So many days ahead, as 120 or 120d.")] = "180d",
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """List the contracts that come to a decision, and how many were renewed, by year."""
    prepare_workspace(home)
    from django.utils import timezone

    from wellserved.actions.accounts import show_money
    from wellserved.actions.contract_ledger import contract_lines
    from wellserved.render.tables import accounts as tables
    from wellserved.value.contracts import cohort_rates, due_decisions, unclosed_contracts

    days = within.strip().removesuffix("d")
    if not days.isdecimal() or len(days) > 5:
        raise RequestError(f"--within {within!r} is no number of days.", "Write it as --within 120d.")
    scope, today = _scope(user_name), timezone.localdate()
    lines = contract_lines(scope.accounts())
    due = [(d, show_money(scope, d.line.value_year, d.line.currency)) for d in due_decisions(lines, today, int(days))]
    show_tables(
        [tables.contract_decision_table(due, unclosed_contracts(lines, today)), tables.cohort_table(cohort_rates(lines, today), scope.exact)],
        format_, output, "Renewals",
    )  # fmt: skip


@contract.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file, a row a contract.")],
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Read contracts from a CSV file: account, starts, and what else there is (docs/accounts.md)."""
    prepare_workspace(home)
    from wellserved.actions.contract_files import read_contracts

    outcome = read_contracts(read_file(file), _scope(user_name, "change_accounts"))
    say(outcome.words)
    for number, reason in outcome.refused_rows:
        say(f"  row {number}: {reason}")
    if outcome.refused_rows:
        raise typer.Exit(1)


@app.command("risk")
def risk_(
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Test on the past whether it could have been known who would leave, and refuse where it could not."""
    workspace = prepare_workspace(home)
    from wellserved.actions import accounts, contract_ledger, leaving_questions
    from wellserved.render.tables import accounts as tables

    _scope(user_name)
    with progress() as on_progress:
        answer = leaving_questions.backtest_risk(
            workspace, accounts.customer_accounts(), contract_ledger.departures(), on_progress
        )
    show_tables([tables.backtest_table(answer.test, answer.model)], format_, output, "Who would leave")
