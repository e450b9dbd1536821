"""Quote requests, made up: three a weekday, answered after some days; from a day on faster, as the seed's sentence says."""

from __future__ import annotations

import csv
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from wellserved.actions.imports import import_file
from wellserved.actions.improvements import declare_improvement
from wellserved.improvement import Improvement
from wellserved.mapping import parse_mapping
from wellserved.storage.workspace import Workspace, create_workspace

CHANGE = date(2025, 10, 6)
FIRST, LAST = date(2024, 10, 1), date(2026, 3, 14)
MAPPING = """
name = "quotes"
case = "number"
zone = "UTC"
[columns]
service = "service"
customer_id = "customer"
[[moment]]
kind = "asked"
at = "asked"
[[moment]]
kind = "replied"
at = "replied"
[[moment]]
kind = "resolved"
at = "resolved"
[[moment]]
kind = "reopened"
at = "reopened"
[[moment]]
kind = "resolved"
at = "resolved_again"
[[moment]]
kind = "rated"
at = "rated"
score = "score"
scale = "csat5"
"""
HEADER = (
    "number",
    "service",
    "customer",
    "asked",
    "replied",
    "resolved",
    "reopened",
    "resolved_again",
    "rated",
    "score",
)


def quote_rows(
    seed: int, days_since: float, a_day: int = 3, spread: float = 0.45
) -> list[tuple[bool, dict[str, object]]]:
    """Requests with their times: a median of 13.4 days, and `days_since` from the change on."""
    rng = random.Random(seed)
    rows = []
    day, number = FIRST, 0
    while day < LAST:
        for _ in range(a_day if day.weekday() < 5 else 0):
            number += 1
            is_since = day >= CHANGE
            asked = datetime(day.year, day.month, day.day, 8, tzinfo=UTC) + timedelta(seconds=rng.randrange(9 * 3600))
            days = rng.lognormvariate(0, spread) * (days_since if is_since else 13.4)
            replied = asked + timedelta(days=days)
            rows.append(
                (
                    is_since,
                    {
                        "number": f"Q-{number}",
                        "customer": f"c{rng.randrange(400)}",
                        "asked": asked,
                        "replied": replied,
                        "rng": rng.random(),
                    },
                )
            )
        day += timedelta(days=1)
    return rows  # fmt: skip


def write_quotes(
    path: Path, rows: list[tuple[bool, dict[str, object]]], reopen_since: float = 0.05, slow_stay_open: bool = False
) -> Path:
    """The file of an export on the last day: what comes later is not in it yet. One in three is rated, four in five well."""
    export = datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC)
    rng = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for is_since, row in rows:
            asked, replied = row["asked"], row["replied"]
            assert isinstance(asked, datetime)
            assert isinstance(replied, datetime)
            is_open = slow_stay_open and is_since and replied - asked > timedelta(days=9)
            resolved, reopened, again, rated = (replied + timedelta(hours=hours) for hours in (1, 20, 25, 30))
            reopens, rates, is_good = (rng.random() for _ in range(3))
            is_reopened = reopens < (reopen_since if is_since else 0.05)
            stamps = [
                replied if not is_open else None, resolved if not is_open else None,
                reopened if is_reopened and not is_open else None, again if is_reopened and not is_open else None, rated if rates < 0.33 and not is_open else None,
            ]  # fmt: skip
            written = [stamp.isoformat() if stamp and stamp < export else "" for stamp in stamps]
            score = ("5" if is_good < 0.8 else "2") if written[-1] else ""
            writer.writerow([row["number"], "quote requests", row["customer"], asked.isoformat(), *written, score])
    return path


def quote_workspace(folder: Path, path: Path, ends: str | None = None) -> Workspace:
    """A workspace with such a file in it, and the improvement declared."""
    workspace = create_workspace(folder / "home", "UTC")
    import_file(workspace, path, parse_mapping(MAPPING, "quotes"), datetime(2026, 3, 15, tzinfo=UTC))
    declare_improvement(
        workspace,
        Improvement(
            "triage", "Quotes go straight to whoever knows the product", str(CHANGE), "time_to_first_reply",
            who="Kim", idea_from="Lee", helpers=("Sam",), where=(("service", "quote requests"),), ends=ends,
        ),
        datetime(2025, 10, 1, tzinfo=UTC),
    )  # fmt: skip
    return workspace
