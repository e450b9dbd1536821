"""Made accounts over three years: their cases, what was broken and made right, and who left, for a reason or at random."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from wellserved.actions.imports import import_file
from wellserved.mapping import parse_mapping
from wellserved.storage.workspace import Workspace, create_workspace

START = datetime(2022, 1, 3, 8, tzinfo=UTC)
DAYS = 1_095
KINDS = ("asked", "replied", "resolved", "failed", "recovered", "accepted", "chased", "complained", "left", "bought")
CAUSE = 'cause = "cause"\n'
MAPPING = (
    'name = "crm"\ncase = "case"\n[columns]\nservice = "service"\naccount_id = "account"\ncustomer_id = "customer"\n'
    + "".join(
        f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\n{CAUSE if kind == "failed" else ""}when = {{ column = "kind", is = ["{kind}"] }}\n'
        for kind in KINDS
    )
    + '[[moment]]\nkind = "promised"\nat = "at"\ndue = "due"\nref = "ref"\nwhen = { column = "kind", is = ["promised"] }\n'
    + "".join(
        f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\nscore = "score"\nscale = "csat5"\nwhen = {{ column = "kind", is = ["{kind}"] }}\n'
        for kind in ("expected", "rated")
    )
)
HEADER = "case,at,kind,service,account,customer,cause,due,score,ref"


def workspace_of_rows(folder: Path, rows: list[str], now: datetime | None = None) -> Workspace:
    """A workspace whose log holds these lines under HEADER."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "crm.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    workspace = create_workspace(folder / "home", "UTC")
    import_file(workspace, file, parse_mapping(MAPPING, "crm"), now or START + timedelta(days=DAYS + 30))
    return workspace


def line(case: str, day: float, kind: str, account: str, **facts: object) -> str:
    """One moment, `day` days after START."""
    at = (START + timedelta(days=day)).isoformat()
    due = (START + timedelta(days=float(str(facts["due"])))).isoformat() if "due" in facts else ""
    return ",".join(
        [case, at, kind, str(facts.get("service", "quotes")), account, str(facts.get("customer", f"{account} buyer")),
         str(facts.get("cause", "")), due, str(facts.get("score", "")), f"{case}-{kind}-{day}"]
    )  # fmt: skip


def world(seed: int, left_by_failures: bool, accounts: int = 600) -> list[str]:
    """Accounts with a request every six weeks; some of what fails is never made right."""
    random = np.random.default_rng(seed)
    rows: list[str] = []
    for number in range(accounts):
        account = f"A{number:03d}"
        trouble = random.beta(1, 4)  # how often things fail here
        unhealed: list[float] = []
        day, case = random.uniform(0, 30), 0
        while day < DAYS:
            case += 1
            name = f"{account}-{case}"
            rows += _case(random, name, account, day, trouble, unhealed)
            step = random.exponential(45)
            weight = sum(day - 150 < at <= day for at in unhealed) if left_by_failures else 0
            chance = (0.0008 + 0.010 * weight) if left_by_failures else 0.004
            if random.random() < 1 - (1 - chance) ** (step / 7):
                rows.append(line(f"{name}-end", min(day + step, DAYS), "left", account))
                break
            day += step
    return rows


def _case(
    random: np.random.Generator, name: str, account: str, day: float, trouble: float, unhealed: list[float]
) -> list[str]:
    end = day + random.exponential(3) + 0.1
    rows = [line(name, day, "asked", account), line(name, day + 0.05, "promised", account, due=day + 5)]
    if random.random() < trouble:
        rows.append(line(name, end, "failed", account, cause=f"cause {random.integers(0, 4)}"))
        if random.random() < 0.5:
            rows += [line(name, end + 1, "recovered", account), line(name, end + 2, "accepted", account)]
        else:
            unhealed.append(end)
    rows.append(line(name, end + 0.01, "resolved", account))
    if random.random() < 0.3:
        rows.append(line(name, end + 1, "rated", account, score=int(np.clip(round(random.normal(4, 0.9)), 1, 5))))
    return rows
