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

from wellserved.engine.duckdb import keep
from wellserved.moments import day_number
from wellserved.record import finished, own_columns

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SOURCE = "synth"
START, DAYS = date(2022, 1, 1), 1_095
CHANGE = date(2023, 10, 2)
EFFECT, EARLY, FAULT, LEAK = 0.75, 0.6, 4.0, 2.0
SERVICES = ("Bill", "Contract", "Credit", "Repair", "Spare part", "Visit", "Line", "Router", "Outage", "Delivery", "Return", "Address")  # fmt: skip
INTAKES = ("Intake North", "Intake South", "Intake East", "Intake West")
SPECIALISTS = ("Billing", "Repairs", "Network", "Shipping")  # of three services each
BACK = "Back Office"
TEAMS = (*INTAKES, *SPECIALISTS, BACK)
TRUTHS = {
    "change_date": CHANGE.isoformat(),
    "effect": {"team": "Repairs", "time_to_resolution_times": EFFECT},
    "gaming": {"team": "Network", "time_to_resolution_times": EARLY, "reopen_rate_from": 0.05, "reopen_rate_to": 0.2},
    "upstream_fault": {"team": "Intake East", "return_rate_times": FAULT, "service": "any that is passed on"},
    "leak": {"from": "any", "to": BACK, "days_untouched": LEAK},
    "promise_days": {"Bill": 2, "Repair": 5, "Line": 1, "Delivery": 10},
    "rating": "csat5; two points less when late, one when returned",
}
"""What a perfect instrument would find."""


@dataclass(frozen=True)
class Stretch:
    """Cases asked within some days, one after the other in number and time."""

    first: int  # number of the first case
    cases: int
    day: float  # days since 1970-01-01
    days: float


def stretches(cases: int, most: int = 400_000) -> list[Stretch]:
    """All cases in stretches that fit into memory."""
    parts = max(-(-cases // most), 12)
    edges = [cases * place // parts for place in range(parts + 1)]
    start, days = day_number(START), DAYS / parts
    return [Stretch(a, b - a, start + place * days, days) for place, (a, b) in enumerate(pairwise(edges)) if b > a]


def batch(db: duckdb.DuckDBPyConnection, of: Stretch, seed: int, import_id: str, recorded_at: datetime) -> None:
    """Leave the moments of a stretch in the table `batch`; the same seed and numbers give the same moments."""
    keep(db, "drawn", _drawn(np.random.default_rng([seed, of.first]), of))
    rules = " UNION ALL ".join(_moment(place, *rule) for place, rule in enumerate(_RULES))
    db.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {finished(rules, SOURCE, recorded_at, import_id)}")


# kind, second of the case's row, condition, further columns
_RULES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("asked", "asked_s", "true", {"team": "intake"}),
    ("promised", "asked_s", "n % 2 = 0", {"due": "to_timestamp(due_s)", "team": "intake"}),
    ("chased", "chased_s", "chased_s IS NOT NULL", {}),
    ("handed_over", "passed_s", "passed_s IS NOT NULL", {"team": "specialist", "from_team": "intake"}),
    ("handed_over", "back_s", "back_s IS NOT NULL", {"team": f"'{BACK}'", "from_team": "specialist"}),
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


def _moment(place: int, kind: str, second: str, only: str, more: dict[str, str]) -> str:
    given = {
        "at": f"to_timestamp({second})", "at_is": "'time'", "kind": f"'{kind}'", "case_id": "CAST(n AS VARCHAR)", "customer_id": "'customer ' || customer",
        "account_id": "'account ' || account", "channel": "channel", "service": "service", "priority": "priority",
        "source_ref": f"CAST(n AS VARCHAR) || '#{place}'", "source_row": f"n * {len(_RULES)} + {place}", "content": str(place), **more,
    }  # fmt: skip
    return f"SELECT {own_columns(given)} FROM drawn WHERE {only}"


def _drawn(draw: np.random.Generator, of: Stretch) -> pa.Table:
    """A row a case: who has it, and when each thing happened."""
    size, asked = of.cases, _asked(draw, of)
    service, intake = draw.integers(0, len(SERVICES), size), draw.integers(0, len(INTAKES), size)
    special, changed = service // 3, asked >= day_number(CHANGE) * 86_400
    passed = draw.random(size) < 0.3
    back = passed & (draw.random(size) < 0.15)
    faulty, hasty = passed & (intake == 2), (special == 2) & changed
    faster = np.where((special == 1) & changed, EFFECT, np.where(hasty, EARLY, 1.0))
    shares = {"returned": np.where(faulty, 0.04 * FAULT, 0.04), "reopened": np.where(hasty, 0.2, 0.05)}
    due = asked + 86_400.0 * np.array([2, 5, 1, 10])[special]
    seconds = _seconds(draw, asked, due, passed, back, faster, shares)
    unhappy = 2 * (seconds["resolved_s"] > due) + np.isfinite(seconds["returned_s"])
    last = np.where(back, len(TEAMS) - 1, np.where(passed, len(INTAKES) + special, intake))
    words = {
        "intake": (intake, TEAMS), "specialist": (len(INTAKES) + special, TEAMS), "last_team": (last, TEAMS),
        "service": (service, SERVICES), "channel": (draw.integers(0, 4, size), ("phone", "web", "mail", "app")),
        "priority": (draw.integers(0, 3, size), ("1 high", "2 normal", "3 low")),
        "person": (last * 8 + draw.integers(0, 8, size), tuple(f"{team} {place}" for team in TEAMS for place in range(1, 9))),
    }  # fmt: skip
    customer = draw.integers(0, max(round(size * DAYS / of.days / 12), 1), size)
    score = np.clip(5 - draw.integers(0, 2, size) - unhappy, 1, 5)
    keys = {
        "n": of.first + np.arange(size),
        "customer": customer,
        "account": customer % 997,
        "score": score.astype(float),
    }
    named = {
        column: pa.DictionaryArray.from_arrays(pa.array(at, pa.int32()), pa.array(names))
        for column, (at, names) in words.items()
    }
    return pa.table({**keys, **named, **{column: _stamps(at) for column, at in seconds.items()}})


def _stamps(at: Floats) -> pa.Array:
    """Whole seconds; what is infinite did not happen."""
    happened = np.isfinite(at)
    return pa.array(np.where(happened, at, 0).astype(np.int64), mask=~happened)


def _asked(draw: np.random.Generator, of: Stretch) -> Floats:
    """Epoch seconds of asking: by day, on weekdays rather than weekends."""
    day = np.floor(of.day + np.sort(draw.random(of.cases)) * of.days)
    hour = np.clip(draw.normal(12.5, 3.2, of.cases), 0, 23.999)
    weekend = ((day + 3) % 7 >= 5) & (draw.random(of.cases) < 0.6)
    at: Floats = np.floor(np.maximum(day - 2 * weekend, day_number(START)) * 86_400 + hour * 3_600)
    return at


def _seconds(
    draw: np.random.Generator,
    asked: Floats,
    due: Floats,
    passed: Mask,
    back: Mask,
    faster: Floats,
    shares: dict[str, Floats],
) -> dict[str, Floats]:
    """When each thing happened; infinite: it did not, or not by the end of the record."""
    size, end = len(asked), (day_number(START) + DAYS) * 86_400.0

    def only(happens: Mask, at: Floats) -> Floats:
        return np.where(happens, at, np.inf)

    def chance(share: float | Floats, at: Floats) -> Floats:
        return only(draw.random(size) < share, at)

    def spread(middle: float, sigma: float = 1.0) -> Floats:
        return np.floor(np.exp(draw.normal(np.log(middle), sigma, size)))

    gone = draw.random(size) < 0.04  # left before anybody answered
    passed_s = asked + spread(1_800)
    back_s = passed_s + spread(7_200)
    arrived = np.where(back, back_s + LEAK * 86_400, np.where(passed, passed_s, asked))
    reply = only(~gone, np.maximum(asked + spread(3_600), arrived + 600))
    halted, pause = draw.random(size) < 0.1, spread(43_200)
    paused = only(halted, reply + spread(3_600))
    work = np.floor(spread(72_000, 1.1) * faster)  # median 20 hours
    resolved = chance(0.98, reply + work + np.where(halted, pause, 0))
    returned = chance(shares["returned"], resolved + spread(86_400))
    reopened = np.minimum(returned + 60, chance(shares["reopened"], resolved + spread(86_400)))
    again = reopened + spread(86_400)
    surveyed = chance(0.25, np.where(np.isfinite(reopened), again, resolved) + 300)
    found = {
        "asked_s": asked, "passed_s": only(passed & ~gone, passed_s), "back_s": only(back & ~gone, back_s),
        "reply_s": reply, "paused_s": paused, "resumed_s": paused + pause, "resolved_s": resolved,
        "abandoned_s": only(gone, asked + spread(5_400)), "returned_s": returned, "reopened_s": reopened, "again_s": again,
        "surveyed_s": surveyed, "rated_s": chance(0.35, surveyed + spread(28_800)), "chased_s": chance(0.1, reply + spread(14_400)),
    }  # fmt: skip
    return {"due_s": due, **{what: only(at < end, at) for what, at in found.items()}}
