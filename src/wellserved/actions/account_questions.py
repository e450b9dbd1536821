"""What the records say of accounts: how reliable we are to them, what weighs on their trust, who may leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from wellserved.actions.open_cases import open_case_table
from wellserved.engine.duckdb import DuckDB, query, quote_name
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable, filter_sql, sources_of
from wellserved.measure.measure import Better, Measure
from wellserved.moments import NotComputable, month_start, period_of
from wellserved.prove.engine.model import Floats
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.value.repeat import Purchases, estimate_repeats, estimate_spend
from wellserved.value.trust import DAY, AccountTrust, account_trusts
from wellserved.value.worth import ExpectedValue, value_by_purchases

CustomerAccounts = tuple[tuple[str, str], ...]  # customer, account
WEEKS_A_YEAR: Final = 365.25 / 7


def trusts(workspace: Workspace, customer_accounts: CustomerAccounts, only: str | None = None) -> list[AccountTrust]:
    """Every account that the records name, or one; none where there are no records."""
    if log.latest_version(workspace) < 0:
        return []
    with open_case_table(workspace, with_moments=True) as case_table:
        db = duckdb_of(case_table)
        return account_trusts(db, "cases", "moments", customer_accounts, case_table.as_of, only, case_table.zone)


def accounts_behind(workspace: Workspace, customer_accounts: CustomerAccounts, by: str) -> dict[str, tuple[str, ...]]:
    """Which accounts the cases of each problem are of; `by`: problem, category, cause or service. Customers without an account are
    left out."""
    with open_case_table(workspace, about="") as case_table:
        db = duckdb_of(case_table)
        pairs = sorted(dict(customer_accounts).items())
        columns = [pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1)]
        db.register("customer_accounts", pa.table(columns, ["customer", "account"]))
        sql = f"""SELECT {quote_name(by)} AS label, list_sort(list_distinct(list(coalesce(c.account_id, a.account)))) AS accounts
                  FROM {case_table.table} c LEFT JOIN customer_accounts a ON c.customer_id = a.customer
                  WHERE {quote_name(by)} IS NOT NULL GROUP BY 1"""
        return {str(row["label"]): tuple(row["accounts"]) for row in query(db, sql).to_pylist()}


def duckdb_of(case_table: CaseTable) -> duckdb.DuckDBPyConnection:
    """The connection behind a case table that was opened with its moments."""
    assert isinstance(case_table.engine, DuckDB)
    return case_table.engine.db


@dataclass(frozen=True)
class PurchaseWorth:
    """What accounts without a contract are expected to buy: account -> value; or why that cannot be told."""

    values: dict[str, ExpectedValue]
    currency: str
    reason: str = ""


def purchase_worth(workspace: Workspace, customer_accounts: CustomerAccounts) -> PurchaseWorth:
    """From the purchases on record, each day of an account's being one: expected over the next five years."""
    if log.latest_version(workspace) < 0:
        return PurchaseWorth({}, "", "there are no records yet")
    with open_case_table(workspace, with_moments=True) as case_table:
        rows = _purchase_days(duckdb_of(case_table), customer_accounts)
        # known up to where the sources end that tell of purchases
        until = max((case_table.as_of[row["source"]] for row in rows), default=0)
    if not rows:
        return PurchaseWorth({}, "", "no purchases are on record")
    currencies = Counter(str(row["currency"] or "") for row in rows)
    currency = currencies.most_common(1)[0][0]
    names, purchases, mean_spend = _purchases(rows, currency, until // DAY)
    try:
        fit = estimate_repeats(purchases)
    except RequestError as error:
        return PurchaseWorth({}, currency, error.problem)
    spend_fit = estimate_spend(purchases.repeats, mean_spend)
    if isinstance(spend_fit, NotComputable):
        return PurchaseWorth({}, currency, spend_fit.reason)
    values = value_by_purchases(fit, spend_fit, purchases, mean_spend, WEEKS_A_YEAR)
    in_currency = [replace(value, currency=currency) for value in values]
    return PurchaseWorth(dict(zip(names, in_currency, strict=True)), currency)


def _purchase_days(db: duckdb.DuckDBPyConnection, customer_accounts: CustomerAccounts) -> list[dict[str, Any]]:
    """Account, day, amount and currency of every day on which somebody bought; who has no account is one of their own."""
    accounts = dict(customer_accounts)
    sql = """SELECT account_id, customer_id, source, epoch("at") // 86400 AS day, sum(amount) AS amount, currency
             FROM moments WHERE kind = 'bought' AND coalesce(account_id, customer_id) IS NOT NULL GROUP BY ALL ORDER BY day"""
    rows: list[dict[str, Any]] = query(db, sql).to_pylist()
    for row in rows:
        row["account"] = row["account_id"] or accounts.get(row["customer_id"], row["customer_id"])
    return rows


def _purchases(rows: Sequence[dict[str, Any]], currency: str, until: int) -> tuple[list[str], Purchases, Floats]:
    """Accounts whose purchases are all in one currency, in weeks from the first; what each spends on a repeat purchase."""
    days: dict[str, dict[int, float]] = {}
    mixed = {row["account"] for row in rows if str(row["currency"] or "") != currency}
    for row in rows:
        if row["account"] not in mixed:
            by_day = days.setdefault(row["account"], {})
            by_day[int(row["day"])] = by_day.get(int(row["day"]), 0.0) + float(row["amount"] or 0.0)
    names = sorted(days)
    first, last = (np.array([function(days[name]) for name in names], dtype=float) for function in (min, max))
    repeats = np.array([len(days[name]) - 1 for name in names], dtype=float)
    later = [[amount for day, amount in sorted(days[name].items())][1:] for name in names]
    mean_spend = np.array([float(np.mean(amounts)) if amounts else 0.0 for amounts in later])
    return names, Purchases(repeats, (last - first) / 7, (until - first) / 7), mean_spend


@dataclass(frozen=True)
class ExitRight:
    """Whether a service level that a contract rests on was missed so often that it may be left."""

    missed_in_a_row: int
    needed: int

    @property
    def is_open(self) -> bool:
        """It may be left now."""
        return self.missed_in_a_row >= self.needed

    @property
    def is_near(self) -> bool:
        """One more month, and it may."""
        return self.missed_in_a_row == self.needed - 1


def exit_right(
    workspace: Workspace,
    measure_name: str,
    threshold: float,
    needed: int,
    names: tuple[str, ...],
    customers: tuple[str, ...],
) -> ExitRight | NotComputable:
    """The months of an account that are over, and how many in a row missed the level up to the last one; cannot be told where one
    of the last so many months has no number. `names`, `customers`: by what the records know it."""
    measure = find_measure(measure_name)
    if measure.better == "neither":
        return NotComputable(f"{measure.name} has no better side")
    with open_case_table(workspace) as case_table:
        by_account = tuple(("account_id", name) for name in names)
        by_customer = tuple(("customer_id", name) for name in customers)
        asked = (by_account, by_customer) if by_customer else (by_account,)
        answers = [_monthly(case_table, measure, where, needed) for where in asked]
    months = next((months for months in answers if any(n for _label, _value, n in months)), [])
    values = [value for _label, value, _n in months[-needed:]]
    if len(values) < needed or None in values:
        counts = ", ".join(f"{label}: {n}" for label, _value, n in months[-needed:]) or "no cases"
        return NotComputable(f"a month needs {measure.minimum_n} cases ({counts})")
    latest_first = (value for _label, value, _n in reversed(months))
    missed = takewhile(lambda value: value is not None and _misses(value, threshold, measure.better), latest_first)
    return ExitRight(len(list(missed)), needed)


def _misses(value: float, threshold: float, better: Better) -> bool:
    return value < threshold if better == "higher" else value > threshold


def _monthly(
    case_table: CaseTable, measure: Measure, where: tuple[tuple[str, str], ...], needed: int
) -> list[tuple[str, float | None, int]]:
    """Month, value and n of the months that are over in the sources that know these cases."""
    condition, parameters = filter_sql(case_table, MeasureQuestion((measure,), where=where))
    sources = sources_of(case_table, condition, parameters)
    if not sources:
        return []
    until = period_of(min(case_table.known_days[source] for source in sources), "month").start
    question = MeasureQuestion((measure,), None, "month", month_start(until, -max(needed + 3, 6)), until, where)
    series = answer_question(case_table, question)[measure.name]
    return [
        (period.label if period else "", None if isinstance(value, NotComputable) else float(value), int(n))
        for value, n, period in zip(series.value, series.n, series.periods, strict=True)
    ]
