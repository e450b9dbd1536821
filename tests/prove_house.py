"""A made service house with one honest change, or one of the ways to look faster without being so."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from wellserved.actions.imports import import_file
from wellserved.mapping import parse_mapping
from wellserved.storage.workspace import Workspace, create_workspace

START, WEEKS, BEFORE, A_WEEK = date(2022, 1, 3), 150, 110, 110
CHANGE = START + timedelta(weeks=BEFORE)
HOUR = 3_600.0
KINDS = ("asked", "chased", "handed_over", "replied", "resolved", "reopened", "complained")
MAPPING = 'name = "house"\ncase = "case"\n[columns]\nteam = "team"\nservice = "service"\n' + "".join(
    f'[[moment]]\nkind = "{kind}"\nat = "at"\nref = "ref"\nwhen = {{ column = "kind", is = ["{kind}"] }}\n' for kind in KINDS
) + '[[moment]]\nkind = "rated"\nat = "at"\nref = "ref"\nscore = "score"\nscale = "csat5"\nwhen = { column = "kind", is = ["rated"] }\n'  # fmt: skip


def house(folder: Path, trick: str, seed: int = 1, weeks: int = WEEKS) -> Workspace:
    """Two teams of like work; Ours changes at CHANGE by the trick: honest, early, auto, picking, dumping, none."""
    random = np.random.default_rng([seed, len(trick)])
    lines = ["case,at,kind,team,service,score,ref"]
    size = A_WEEK * weeks
    for team in ("Ours", "Theirs"):
        asked = np.sort(random.uniform(0, weeks * 7 * 24 * HOUR, size))
        for number, (at, row) in enumerate(zip(asked, _cases(random, asked, team, trick), strict=True)):
            lines += _moments(f"{team}{number}", float(at), row, team)
    path = folder / f"{trick}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    workspace = create_workspace(folder / trick, "UTC")
    import_file(
        workspace,
        path,
        parse_mapping(MAPPING, "house"),
        now=datetime.combine(START + timedelta(weeks=weeks + 60), datetime.min.time()).astimezone(),
    )
    return workspace


def _cases(random: np.random.Generator, asked: np.ndarray, team: str, trick: str) -> list[dict[str, float]]:
    """Seconds from the ask to each thing that happens; absent: it does not."""
    size = len(asked)
    changed = (asked >= BEFORE * 7 * 24 * HOUR) & (team == "Ours")
    later = (asked >= BEFORE * 7 * 24 * HOUR) & (team == "Theirs")
    hard = random.random(size) < 0.35
    reply = random.lognormal(np.log(3 * HOUR), 0.8, size)
    done = random.lognormal(np.log(20 * HOUR), 0.7, size) * np.where(hard, 2.5, 1.0) + reply
    reopened, chased = random.random(size) < 0.08, random.random(size) < 0.12
    passed = random.random(size) < 0.05
    if trick == "honest":
        done, reply = np.where(changed, done * 0.6, done), np.where(changed, reply * 0.6, reply)
    elif trick == "early":
        done = np.where(changed, done * 0.5, done)
        reopened |= changed & (random.random(size) < 0.25)
    elif trick == "auto":
        reply = np.where(changed & (random.random(size) < 0.7), 60.0, reply)
        chased |= changed & (random.random(size) < 0.5)
    elif trick == "picking":
        done = np.where(changed, done * np.where(hard, 2.2, 0.45), done)
    elif trick == "dumping":
        passed |= changed & hard
        done = np.where(later, done * 1.5, done)
    score = np.clip(np.round(5 - random.exponential(0.5, size) - 1.5 * (done > 80 * HOUR)), 1, 5)
    rows = []
    for place in range(size):
        row = {"replied": reply[place], "resolved": done[place]}
        if chased[place]:
            row["chased"] = min(reply[place] * 1.2, done[place] * 0.9)
        if passed[place]:
            row["handed_over"] = 0.3 * reply[place]
        if reopened[place]:
            row |= {"reopened": done[place] + 30 * HOUR, "again": done[place] + 60 * HOUR}
        if place % 3 == 0:
            row |= {"rated": done[place] + 5 * HOUR, "score": float(score[place])}
        if random.random() < 0.03:
            row["complained"] = done[place] + HOUR
        rows.append({key: float(value) for key, value in row.items()})
    return rows


def _moments(case: str, at: float, row: dict[str, float], team: str) -> list[str]:
    other = "Theirs" if team == "Ours" else "Ours"
    lines = [f"{case},{_stamp(at)},asked,{team},s,,{case}a"]
    owner = other if "handed_over" in row else team
    for kind in ("chased", "handed_over", "replied", "resolved", "reopened", "again", "rated", "complained"):
        if kind in row:
            named = "resolved" if kind == "again" else kind
            who = owner if kind in ("handed_over", "replied", "resolved", "again") else ""
            lines.append(
                f"{case},{_stamp(at + row[kind])},{named},{who},,{row['score'] if kind == 'rated' else ''},{case}{kind}"
            )
    return lines


def _stamp(second: float) -> str:
    return (datetime.combine(START, datetime.min.time()) + timedelta(seconds=round(second))).isoformat(sep=" ")
