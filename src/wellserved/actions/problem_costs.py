"""What a reply takes and what an hour costs, as the house declares it: what hours and money of problems rest on."""

from __future__ import annotations

import json
import re

from wellserved import disk
from wellserved.errors import DamageError, RequestError
from wellserved.listen.cost import Cost
from wellserved.storage.workspace import Workspace

COST_FILE = "cost.json"
MOST_MINUTES = 10_000
MOST_AN_HOUR = 1_000_000
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}


def parse_cost(minutes: float | None, rate: str | None) -> Cost:
    """What a reply takes in minutes, and what an hour costs ("45 EUR"); what is not stated is not known."""
    if minutes is not None and not 0 <= minutes <= MOST_MINUTES:
        raise RequestError(f"{minutes:g} are no minutes for a reply.", "Give how long a reply takes, as 9.")
    if not rate or not rate.strip():
        return Cost(minutes)
    match = re.fullmatch(r"(\d{1,6}(?:[.,]\d{1,4})?) ?([A-Za-z]{3}|[€$£])?", rate.strip())
    if match is None:
        raise RequestError(f"{rate!r} is no rate.", "Give what an hour costs, as 45 EUR.")
    currency = (match[2] or "").upper()
    return Cost(minutes, float(match[1].replace(",", ".")), _SIGNS.get(currency, currency))


def declared_cost(workspace: Workspace) -> Cost:
    """What the house declared; nothing where it did not."""
    file = workspace.folder / "problems" / COST_FILE
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        minutes, rate, currency = entry["minutes"], entry["rate"], entry["currency"]
        if not _is_within(minutes, MOST_MINUTES) or not _is_within(rate, MOST_AN_HOUR) or not isinstance(currency, str):
            raise ValueError("beyond what can be declared")
    except FileNotFoundError:
        return Cost()
    except (ValueError, KeyError, TypeError) as error:
        raise DamageError(
            f"{file} is damaged.",
            "Declare anew what a reply takes: `wellserved listen cost --forget`, then with what it is.",
        ) from error
    return Cost(minutes, rate, currency)


def _is_within(number: object, most: float) -> bool:
    return number is None or (isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= most)


def declare_cost(workspace: Workspace, cost: Cost) -> None:
    """Keep what a reply takes for all problems, reports and pages from now on."""
    with workspace.write_lock() as scratch:
        folder = workspace.folder / "problems"
        folder.mkdir(mode=0o700, exist_ok=True)
        with disk.rewrite_file(folder / COST_FILE, scratch / COST_FILE) as file:
            json.dump({"minutes": cost.minutes, "rate": cost.rate, "currency": cost.currency}, file)
