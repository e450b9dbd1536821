"""Made cases with known truths, so that anything that measures can be tried against an answer.

Three years of a service house: twelve services, a front desk that passes cases on to specialists, promises,
pauses, ratings, reopenings. Four truths are planted, each in a place of its own:

- an effect: Repairs is faster from the change date on, and really so;
- gaming: Network closes early from the change date on, and its cases come back;
- an upstream fault: what Intake East passes on is returned by customers far more often, wherever it ends;
- a leak: cases passed to the Back Office lie there before anybody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from wellserved.engine.duckdb import materialise
from wellserved.moments import day_number
from wellserved.record import moment_columns_sql, with_identity

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SYNTHETIC_SOURCE = "synth"
START, DAYS = date(2022, 1, 1), 1_095
CHANGE = date(2023, 10, 2)
EFFECT_FACTOR, GAMING_FACTOR, FAULT_FACTOR, LEAK_DAYS = 0.75, 0.6, 4.0, 2.0
SERVICES = ("Bill", "Contract", "Credit", "Repair", "Spare part", "Visit", "Line", "Router", "Outage", "Delivery", "Return", "Address")  # fmt: skip
INTAKES = ("Intake North", "Intake South", "Intake East", "Intake West")
SPECIALISTS = ("Billing", "Repairs", "Network", "Shipping")  # of three services each
BACK_OFFICE = "Back Office"
TEAMS = (*INTAKES, *SPECIALISTS, BACK_OFFICE)
TRUTHS = {
    "change_date": CHANGE.isoformat(),
    "effect": {"team": "Repairs", "time_to_resolution_times": EFFECT_FACTOR},
    "gaming": {
        "team": "Network",
        "time_to_resolution_times": GAMING_FACTOR,
        "reopen_rate_from": 0.05,
        "reopen_rate_to": 0.2,
    },
    "upstream_fault": {"team": "Intake East", "return_rate_times": FAULT_FACTOR, "service": "any that is passed on"},
    "leak": {"from": "any", "to": BACK_OFFICE, "days_untouched": LEAK_DAYS},
    "promise_days": {"Bill": 2, "Repair": 5, "Line": 1, "Delivery": 10},
    "rating": "csat5; two points less when late, one when returned",
}
"""What a perfect instrument would find."""


@dataclass(frozen=True)
class CaseBatch:
    """Cases asked within some days, one after the other in number and time."""

    first: int  # number of the first case
    cases: int
    day: float  # days since 1970-01-01
    days: float


def case_batches(cases: int, max_cases: int = 400_000) -> list[CaseBatch]:
    """All cases in stretches that fit into memory."""
    part_count = max(-(-cases // max_cases), 12)
    edges = [cases * index // part_count for index in range(part_count + 1)]
    start, days = day_number(START), DAYS / part_count
    return [CaseBatch(a, b - a, start + index * days, days) for index, (a, b) in enumerate(pairwise(edges)) if b > a]


def write_batch(
    db: duckdb.DuckDBPyConnection, case_batch: CaseBatch, seed: int, import_id: str, recorded_at: datetime
) -> None:
    """Leave the moments of a stretch in the table `batch`; a seed and a stretch determine them."""
    materialise(db, "drawn", _draw_rows(np.random.default_rng([seed, case_batch.first]), case_batch))
    rules = " UNION ALL ".join(_moment(index, *rule) for index, rule in enumerate(_RULES))
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE batch AS {with_identity(rules, SYNTHETIC_SOURCE, recorded_at, import_id)}"
    )


# kind, second of the case's row, condition, further columns
_RULES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("asked", "asked_s", "true", {"team": "intake"}),
    ("promised", "asked_s", "n % 2 = 0", {"due": "to_timestamp(due_s)", "team": "intake"}),
    ("chased", "chased_s", "chased_s IS NOT NULL", {}),
    ("handed_over", "passed_s", "passed_s IS NOT NULL", {"team": "specialist", "from_team": "intake"}),
    ("handed_over", "back_s", "back_s IS NOT NULL", {"team": f"'{BACK_OFFICE}'", "from_team": "specialist"}),
    ("replied", "reply_s", "reply_s IS NOT NULL", {"team": "last_team", "person_id": "person"}),
    ("paused", "paused_s", "paused_s IS NOT NULL", {}),
    ("resumed", "resumed_s", "resumed_s IS NOT NULL", {}),
    ("resolved", "resolved_s", "resolved_s IS NOT NULL", {"team": "last_team", "person_id": "person"}),
    ("abandoned", "abandoned_s", "abandoned_s IS NOT NULL", {}),
    ("returned", "returned_s", "returned_s IS NOT NULL", {}),
    ("reopened", "reopened_s", "reopened_s IS NOT NULL", {}),
    ("resolved", "again_s", "again_s IS NOT NULL", {"team": "last_team", "person_id": "person"}),
    ("surveyed", "surveyed_s", "surveyed_s IS NOT NULL", {}),
    ("rated", "rated_s", "rated_s IS NOT NULL", {"score": "score", "scale": "'csat5'"}),
)


def _moment(rule_index: int, kind: str, second_column: str, condition: str, extra_columns: dict[str, str]) -> str:
    columns = {
        "at": f"to_timestamp({second_column})", "at_is": "'time'", "kind": f"'{kind}'", "case_id": "CAST(n AS VARCHAR)", "customer_id": "'customer ' || customer",
        "account_id": "'account ' || account", "channel": "channel", "service": "service", "priority": "priority",
        "source_ref": f"CAST(n AS VARCHAR) || '#{rule_index}'", "source_row": f"n * {len(_RULES)} + {rule_index}", "content": str(rule_index), **extra_columns,
    }  # fmt: skip
    return f"SELECT {moment_columns_sql(columns)} FROM drawn WHERE {condition}"


def _draw_rows(rng: np.random.Generator, case_batch: CaseBatch) -> pa.Table:
    """A row a case: who has it, and when each thing happened."""
    size, asked_s = case_batch.cases, _asked_seconds(rng, case_batch)
    service, intake = rng.integers(0, len(SERVICES), size), rng.integers(0, len(INTAKES), size)
    specialist, is_after_change = service // 3, asked_s >= day_number(CHANGE) * 86_400
    is_passed_on = rng.random(size) < 0.3
    is_passed_back = is_passed_on & (rng.random(size) < 0.15)
    is_faulty, is_hasty = is_passed_on & (intake == 2), (specialist == 2) & is_after_change
    time_factor = np.where((specialist == 1) & is_after_change, EFFECT_FACTOR, np.where(is_hasty, GAMING_FACTOR, 1.0))
    shares = {"returned": np.where(is_faulty, 0.04 * FAULT_FACTOR, 0.04), "reopened": np.where(is_hasty, 0.2, 0.05)}
    due_s = asked_s + 86_400.0 * np.array([2, 5, 1, 10])[specialist]
    seconds = _seconds(rng, asked_s, due_s, is_passed_on, is_passed_back, time_factor, shares)
    lost_points = 2 * (seconds["resolved_s"] > due_s) + np.isfinite(seconds["returned_s"])
    last_team = np.where(is_passed_back, len(TEAMS) - 1, np.where(is_passed_on, len(INTAKES) + specialist, intake))
    choices = {
        "intake": (intake, TEAMS), "specialist": (len(INTAKES) + specialist, TEAMS), "last_team": (last_team, TEAMS),
        "service": (service, SERVICES), "channel": (rng.integers(0, 4, size), ("phone", "web", "mail", "app")),
        "priority": (rng.integers(0, 3, size), ("1 high", "2 normal", "3 low")),
        "person": (last_team * 8 + rng.integers(0, 8, size), tuple(f"{team} {number}" for team in TEAMS for number in range(1, 9))),
    }  # fmt: skip
    customer = rng.integers(0, max(round(size * DAYS / case_batch.days / 12), 1), size)
    score = np.clip(5 - rng.integers(0, 2, size) - lost_points, 1, 5)
    keys = {
        "n": case_batch.first + np.arange(size),
        "customer": customer,
        "account": customer % 997,
        "score": score.astype(float),
    }
    dictionary_columns = {
        column: pa.DictionaryArray.from_arrays(pa.array(positions, pa.int32()), pa.array(names))
        for column, (positions, names) in choices.items()
    }
    return pa.table(
        {**keys, **dictionary_columns, **{column: _stamps(positions) for column, positions in seconds.items()}}
    )


def _stamps(seconds: Floats) -> pa.Array:
    """Whole seconds; what is infinite did not happen."""
    has_happened = np.isfinite(seconds)
    return pa.array(np.where(has_happened, seconds, 0).astype(np.int64), mask=~has_happened)


def _asked_seconds(rng: np.random.Generator, case_batch: CaseBatch) -> Floats:
    """Epoch seconds of asking: by day, on weekdays rather than weekends."""
    day = np.floor(case_batch.day + np.sort(rng.random(case_batch.cases)) * case_batch.days)
    hour = np.clip(rng.normal(12.5, 3.2, case_batch.cases), 0, 23.999)
    weekend = ((day + 3) % 7 >= 5) & (rng.random(case_batch.cases) < 0.6)
    seconds: Floats = np.floor(np.maximum(day - 2 * weekend, day_number(START)) * 86_400 + hour * 3_600)
    return seconds


def _seconds(
    rng: np.random.Generator,
    asked_s: Floats,
    due_s: Floats,
    is_passed_on: Mask,
    is_passed_back: Mask,
    time_factor: Floats,
    shares: dict[str, Floats],
) -> dict[str, Floats]:
    """When each thing happened; infinite: it did not, or not by the end of the record."""
    size, end = len(asked_s), (day_number(START) + DAYS) * 86_400.0

    def where_true(condition: Mask, seconds: Floats) -> Floats:
        return np.where(condition, seconds, np.inf)

    def chance(share: float | Floats, seconds: Floats) -> Floats:
        return where_true(rng.random(size) < share, seconds)

    def spread(middle: float, sigma: float = 1.0) -> Floats:
        return np.floor(np.exp(rng.normal(np.log(middle), sigma, size)))

    has_left = rng.random(size) < 0.04  # left before anybody answered
    passed_s = asked_s + spread(1_800)
    back_s = passed_s + spread(7_200)
    arrived_s = np.where(is_passed_back, back_s + LEAK_DAYS * 86_400, np.where(is_passed_on, passed_s, asked_s))
    reply_s = where_true(~has_left, np.maximum(asked_s + spread(3_600), arrived_s + 600))
    has_pause, pause_seconds = rng.random(size) < 0.1, spread(43_200)
    paused_s = where_true(has_pause, reply_s + spread(3_600))
    work_seconds = np.floor(spread(72_000, 1.1) * time_factor)  # median 20 hours
    resolved_s = chance(0.98, reply_s + work_seconds + np.where(has_pause, pause_seconds, 0))
    returned_s = chance(shares["returned"], resolved_s + spread(86_400))
    reopened_s = np.minimum(returned_s + 60, chance(shares["reopened"], resolved_s + spread(86_400)))
    again_s = reopened_s + spread(86_400)
    surveyed_s = chance(0.25, np.where(np.isfinite(reopened_s), again_s, resolved_s) + 300)
    times = {
        "asked_s": asked_s, "passed_s": where_true(is_passed_on & ~has_left, passed_s), "back_s": where_true(is_passed_back & ~has_left, back_s),
        "reply_s": reply_s, "paused_s": paused_s, "resumed_s": paused_s + pause_seconds, "resolved_s": resolved_s,
        "abandoned_s": where_true(has_left, asked_s + spread(5_400)), "returned_s": returned_s, "reopened_s": reopened_s, "again_s": again_s,
        "surveyed_s": surveyed_s, "rated_s": chance(0.35, surveyed_s + spread(28_800)), "chased_s": chance(0.1, reply_s + spread(14_400)),
    }  # fmt: skip
    return {"due_s": due_s, **{column: where_true(seconds < end, seconds) for column, seconds in times.items()}}
