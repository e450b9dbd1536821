"""Could we have known who would leave? Accounts as they stood at the ends of past quarters, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import duckdb

from wellserved import cases
from wellserved.actions.account_questions import CustomerAccounts, duckdb_of
from wellserved.actions.open_cases import open_case_table, opening_hours
from wellserved.engine.duckdb import query, quote_text
from wellserved.errors import RequestError
from wellserved.measure.case_table import CaseTable
from wellserved.moments import JOURNAL_SOURCE, period_of
from wellserved.progress import ProgressCallback, no_progress
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.value.risk import OUTCOME_DAYS, AccountSnapshot, BackTest, RiskModel, back_test, fit_risk
from wellserved.value.trust import DAY, AccountTrust, account_trusts, fold_name

MAX_HALF_YEARS: Final = 12


@dataclass(frozen=True)
class Departure:
    """When an account was lost, or gave notice, and when that became known; local days."""

    account: str
    on: date
    known_on: date
    is_notice: bool = False


@dataclass(frozen=True)
class RiskAnswer:
    """How well leaving can be told, and the model where it can."""

    test: BackTest
    model: RiskModel | None  # learnt from everything; None: reasons alone
    quarters: tuple[date, ...]


def backtest_risk(
    workspace: Workspace,
    customer_accounts: CustomerAccounts,
    departures: tuple[Departure, ...],
    on_progress: ProgressCallback = no_progress,
) -> RiskAnswer:
    """Describe every account at the end of each quarter as it stood then, learn from the earlier quarters, and be judged on the later.

    `departures`: what the ledger of contracts says; what sources say (`left`) is taken from the records. Who had left or
    given notice by then is not asked about.
    """
    if log.latest_version(workspace) < 0:
        raise RequestError("There are no records yet.", "Import a file first.")
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        db, zone = duckdb_of(case_table), ZoneInfo(case_table.zone)
        departures_of: dict[str, list[Departure]] = {}
        for departure in (*departures, *_recorded_departures(db, customer_accounts, zone)):
            departures_of.setdefault(fold_name(departure.account), []).append(departure)
        ends = _looks_back(case_table, zone)
        snapshots: list[AccountSnapshot] = []
        for index, day in enumerate(ends):
            on_progress("Looking back", index, len(ends))
            snapshots += _snapshots(workspace, case_table, customer_accounts, departures_of, day, zone)
    result = back_test(snapshots)
    model = fit_risk(snapshots) if result.is_shown else None
    return RiskAnswer(result, model, tuple(ends))


def _recorded_departures(
    db: duckdb.DuckDBPyConnection, customer_accounts: CustomerAccounts, zone: ZoneInfo
) -> list[Departure]:
    """What sources tell of accounts that left; known from when it happened, since files are read long after."""
    accounts = dict(customer_accounts)
    rows = query(db, "SELECT account_id, customer_id, epoch(\"at\") AS s FROM moments WHERE kind = 'left'").to_pylist()
    departures = []
    for row in rows:
        account = row["account_id"] or accounts.get(row["customer_id"] or "")
        if account:
            day = datetime.fromtimestamp(row["s"], UTC).astimezone(zone).date()
            departures.append(Departure(account, day, day))
    return departures


def _looks_back(case_table: CaseTable, zone: ZoneInfo) -> list[date]:
    """First days of quarters, half a year apart, from half a year after the record began to half a year before it ends: what comes
    after one is over when the next begins."""
    first = datetime.fromtimestamp(min(case_table.begins.values()), UTC).astimezone(zone).date()
    last = datetime.fromtimestamp(max(case_table.as_of.values()), UTC).astimezone(zone).date()
    quarters, day = [], period_of(first + timedelta(days=OUTCOME_DAYS), "quarter").end
    while day + timedelta(days=OUTCOME_DAYS) <= last:
        quarters.append(day)
        day = period_of(day, "quarter").end
    return quarters[::-1][::2][::-1][-MAX_HALF_YEARS:]


def _snapshots(
    workspace: Workspace,
    case_table: CaseTable,
    customer_accounts: CustomerAccounts,
    departures_of: Mapping[str, Sequence[Departure]],
    day: date,
    zone: ZoneInfo,
) -> list[AccountSnapshot]:
    """Every account that was there at the beginning of a day, as its cases stood then."""
    db = duckdb_of(case_table)
    second = int(datetime.combine(day, time(), zone).timestamp())
    # what people typed in counts from when they did; files are read long after what they tell
    known = f'epoch("at") < {second} AND (source <> {quote_text(JOURNAL_SOURCE)} OR epoch(recorded_at) < {second})'
    db.execute(f"CREATE OR REPLACE TEMP VIEW moments_then AS SELECT * FROM moments WHERE {known}")
    db.execute("DROP TABLE IF EXISTS cases_then")
    if not db.sql("SELECT count(*) FROM moments_then").fetchall()[0][0]:
        return []
    cases.fold_into(db, "cases_then", "moments_then", case_table.zone, opening_hours(workspace))
    ends = {source: min(end, second) for source, end in case_table.as_of.items()}
    rows = account_trusts(db, "cases_then", "moments_then", customer_accounts, ends, zone=case_table.zone)
    horizon = day + timedelta(days=OUTCOME_DAYS)
    snapshots = []
    for row in rows:
        own = departures_of.get(fold_name(row.account), ())
        if any(end.known_on < day or end.on < day for end in own) or not _is_customer(row, second):
            continue  # known to leave, or gone: nothing to foretell
        leaving = [end for end in own if not end.is_notice and end.on < horizon]
        known_on = min((end.known_on for end in leaving), default=horizon)
        known_at = int(datetime.combine(known_on, time(), zone).timestamp())
        snapshots.append(AccountSnapshot(row.account, second, row.features, row.rivals, bool(leaving), known_at))
    return snapshots


def _is_customer(row: AccountTrust, second: int) -> bool:
    """Who has not been heard of for a year is no customer whom one might lose; nor one whose sources had ended."""
    return row.last_at is not None and row.last_at.timestamp() >= second - 2 * OUTCOME_DAYS * DAY
