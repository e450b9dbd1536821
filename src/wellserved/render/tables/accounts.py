"""Accounts, contracts and the back-test of who would leave as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wellserved.moments import NotComputable
from wellserved.report import Table
from wellserved.value.contracts import CohortRates, ContractTerms, DueDecision, LedgerLine
from wellserved.value.risk import BackTest, RiskModel
from wellserved.value.trust import FEATURE_WORDS, TRUST_DAYS, AccountTrust, ReasonName
from wellserved.wording import format_percent, plural


def account_table(accounts: Sequence[Mapping[str, Any]]) -> Table:
    """One row an account, those at risk first."""
    rows = tuple(
        (
            facts["account"], facts["revenue_year"], facts["currency"], facts["promises_kept"], facts["promises_due"], facts["state"],
            "; ".join(facts["reasons"]), facts["decides_on"] or "",
        )
        for facts in accounts
    )  # fmt: skip
    columns = ("account", "revenue a year", "currency", "kept", "due", "state", "reasons to worry", "decides by")
    note = f"Promises and reasons: of the {TRUST_DAYS} days before what each source tells last. At risk: two reasons to worry."
    if not rows:
        note = "None here: `wellserved accounts --add-named` takes those that the records name, `wellserved contract import` those of a file."
    return Table("Accounts", columns, rows, note)


def trust_table(name: str, trust: AccountTrust | None, visible_cases: Mapping[ReasonName, Sequence[str]]) -> Table:
    """How reliable we are to an account, and what weighs on its trust, with the cases."""
    if trust is None:
        return Table(name, ("what", "how"), (), "The records name no case of this account.")
    reliability = trust.reliability
    first = (
        str(reliability)
        if isinstance(reliability, NotComputable)
        else f"{trust.kept} of {trust.due} promises kept in time: {format_percent(reliability[0])} ({format_percent(reliability[1])} to {format_percent(reliability[2])})"
    )
    rows = [("reliable", first, trust.due, "")]
    for reason in trust.reasons:
        rows.append(("trust", reason.words, reason.n, ", ".join(visible_cases.get(reason.name, ())[:8])))
    if not trust.reasons:
        rows.append(("trust", "no reason to worry is on record", 0, ""))
    note = "At risk: two reasons to worry." if trust.is_at_risk else ""
    return Table(name, ("what", "how", "n", "cases"), tuple(rows), note)


def worth_table(revenue: str, expected: str) -> Table:
    """What an account is worth."""
    rows = (("revenue a year", revenue or "not typed in"), ("expected", expected))
    return Table("What it is worth", ("what", "how much"), rows, "Expected values are discounted by 10% a year.")


def contract_table(contracts: Sequence[tuple[str, ContractTerms, Sequence[str]]]) -> Table:
    """Contracts with the days that matter."""
    rows = tuple(
        (reference, terms.starts.isoformat(), terms.ends.isoformat() if terms.ends else "until notice", terms.decision_date.isoformat() if terms.decision_date else "", ", ".join(deeds))
        for reference, terms, deeds in contracts
    )  # fmt: skip
    return Table("Contracts", ("number", "begins", "ends", "decides by", "what became of it"), rows)


def contract_decision_table(due: Sequence[tuple[DueDecision, str]], unclosed: Sequence[LedgerLine]) -> Table:
    """Who decides when, soonest first."""
    rows = tuple(
        (decision.line.account, decision.decides_on.isoformat(), decision.days, decision.line.terms.ends.isoformat() if decision.line.terms.ends else "", value)
        for decision, value in due
    )  # fmt: skip
    note = "The day by which notice can be given counts, not the day on which a contract ends."
    if unclosed:
        note += f" {plural(len(unclosed), 'contract is', 'contracts are')} over without a word of what became of {'it' if len(unclosed) == 1 else 'them'}: {', '.join(line.account for line in unclosed[:5])}."
    return Table("Who decides when", ("account", "decides by", "days", "contract ends", "worth a year"), rows, note)


def cohort_table(cohorts: Sequence[CohortRates], with_money: bool) -> Table:
    """How many were renewed, by the year in which contracts ended."""
    rows = []
    for rates in cohorts:
        shares = []
        for deed in ("renewed", "left_at_end", "left_early"):
            share = rates.rate(deed)
            shares.append(
                "too few" if isinstance(share, NotComputable) else f"{format_percent(share[0])} ({format_percent(share[1])} to {format_percent(share[2])})"
            )  # fmt: skip
        money = [
            " + ".join(f"{amount:,.0f} {currency}" for currency, amount in amounts.items()) if with_money else ""
            for amounts in (rates.value_kept, rates.value_lost)
        ]
        rows.append((rates.cohort, rates.decided, *shares, *money))
    columns = ("ended in", "n", "renewed", "left at the end", "left early", "kept a year", "lost a year")
    return Table(
        "How many stayed",
        columns,
        tuple(rows),
        "95% intervals (Wilson); contracts whose end nobody noted are not in them.",
    )


def backtest_table(test: BackTest, model: RiskModel | None) -> Table:
    """How well leaving could have been told."""
    rows: list[tuple[object, ...]] = [
        ("accounts and leavers to learn from", f"{test.train_accounts}, {test.train_leavers}"),
        ("accounts and leavers to be judged by", f"{test.test_accounts}, {test.test_leavers}"),
    ]
    if not isinstance(test.area, NotComputable):
        rows.append(("a leaver had the higher chance than one who stayed, in", f"{format_percent(test.area[0])} (standard error {format_percent(test.area[1])})"))  # fmt: skip
        for name, area in test.rival_areas.items():
            rows.append((f"the same by {name.replace('_', ' ')}", str(area) if isinstance(area, NotComputable) else format_percent(area)))  # fmt: skip
    if not isinstance(test.calibration, NotComputable):
        rows.append(("left, for each one that was expected to", "{:.2f} ({:.2f} to {:.2f})".format(*test.calibration)))
    if not isinstance(test.lift, NotComputable):
        rows.append(("leavers among the tenth at most risk, beside all", f"{test.lift:.1f} times"))
    if model is not None:
        for name, weight in zip(model.names, model.weights[1:], strict=True):
            rows.append((f"weight of {FEATURE_WORDS[name]}", f"{weight:+.2f}"))
    title = "Chances are shown: they told later leavers" if test.is_shown else f"No chance is shown: {test.refusal}"
    return Table(title, ("what", "number"), tuple(rows), "Judged on quarters that the model had not seen; nobody who had given notice by then is in them.")  # fmt: skip
