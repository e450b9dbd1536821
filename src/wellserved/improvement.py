"""Improvements: changes with a date, a measure and guardrails, declared before the result is looked at.

A declaration is never overwritten. Each entry of improvements.jsonl, one line, says when it was written and names the
one before by its hash: what was declared, each later change of it, each look at the result. An entry altered by hand,
but for the very last, breaks the chain, and every verdict says so. Whoever rewrites the whole file leaves no trace:
the record keeps honest people honest, and is no proof against its owner.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from typing import Any

from wellserved import disk
from wellserved.errors import PeriodError, RequestError, UnknownNameError
from wellserved.measure import find_measure
from wellserved.measure.definition import Better
from wellserved.moments import SEGMENTS, Every
from wellserved.workspace import Workspace

FILE = "improvements.jsonl"


@dataclass(frozen=True)
class Improvement:
    """What was changed, by whom, since when, for whom, and by what one will see that it works."""

    name: str
    what: str
    since: str  # first day of the new way, YYYY-MM-DD
    measure: str
    every: Every = "week"
    who: str = ""
    idea_from: str = ""
    helpers: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    against: tuple[tuple[str, str], ...] = ()
    parallel: bool = False
    better: Better | None = None
    expected: float | None = None  # the smallest effect worth having, as a part of the level before: 0.1 is 10%
    guardrails: tuple[tuple[str, float | None], ...] = ()  # measure, margin in its unit
    age_days: int | None = None
    ends: str | None = None  # a fixed last look, YYYY-MM-DD; otherwise any number of looks
    paid_until: str | None = None  # of an incentive: the day after the last on which it was paid, YYYY-MM-DD
    settles: str | None = None  # the first day on which the change has come in altogether, YYYY-MM-DD; None: at once
    margins: tuple[tuple[str, float], ...] = ()  # of guardrails that nobody named: what could be shown, foreseen then


FORESEEN_FROM = {"measure", "since", "every", "where", "better", "age_days"}
"""What margins are foreseen from."""


@dataclass(frozen=True)
class Entry:
    """One line of the record."""

    at: str  # when it was written, UTC
    did: str  # declared, changed, looked, withdrawn
    name: str
    facts: dict[str, Any]
    genuine: bool  # the chain of hashes is whole


@dataclass(frozen=True)
class Record:
    """An improvement as it stands, and how it came to be so."""

    improvement: Improvement
    declared_at: str
    entries: tuple[Entry, ...]

    @property
    def changes(self) -> tuple[Entry, ...]:
        """What was changed after the declaration."""
        return tuple(one for one in self.entries if one.did == "changed")

    @property
    def looks(self) -> tuple[Entry, ...]:
        """When the result was looked at."""
        return tuple(one for one in self.entries if one.did == "looked")

    @property
    def genuine(self) -> bool:
        """Nobody altered the record by hand."""
        return all(one.genuine for one in self.entries)

    @property
    def looked_first(self) -> bool:
        """Its measure, cases or date were settled after somebody had looked at the result."""
        looks = [place for place, one in enumerate(self.entries) if one.did == "looked"]
        settled = [place for place, one in enumerate(self.entries) if one.did in ("changed", "declared")]
        return bool(looks) and looks[0] < settled[-1]

    @property
    def withdrawn(self) -> tuple[Entry, ...]:
        """Earlier declarations under this name that were taken back."""
        return tuple(one for one in self.entries if one.did == "withdrawn")


def declare(workspace: Workspace, improvement: Improvement, now: datetime) -> Improvement:
    """Write a declaration down; a name is used once."""
    checked(improvement)
    check_unused(workspace, improvement.name)
    _append(workspace, "declared", improvement.name, asdict(improvement), now)
    return improvement


def check_unused(workspace: Workspace, name: str) -> None:
    """Raise where a declaration has the name already."""
    if any(record.improvement.name == name for record in records(workspace)):
        raise RequestError(
            f"There is an improvement called {name!r} already.",
            "Give another --name, or change that one with `wellserved improve change`.",
        )


def change(workspace: Workspace, name: str, facts: dict[str, Any], now: datetime) -> Improvement:
    """Change a declaration; the change is kept beside it, and shown. Margins foreseen for other cases hold no more."""
    known = record_of(workspace, name).improvement
    if known.margins and facts.keys() & FORESEEN_FROM:
        facts = {**facts, "margins": ()}
    changed = checked(replace(known, **facts))
    _append(workspace, "changed", name, facts, now)
    return changed


def withdraw(workspace: Workspace, name: str, why: str, now: datetime) -> None:
    """Take an improvement off the list; it stays on record."""
    record_of(workspace, name)
    _append(workspace, "withdrawn", name, {"why": why}, now)


def looked(workspace: Workspace, name: str, facts: dict[str, Any], now: datetime) -> None:
    """Note that the result was looked at, and what was seen."""
    _append(workspace, "looked", name, facts, now)


def _check_days(one: Improvement) -> None:
    """Its days are days, and lie after the change."""
    for which in (one.since, one.ends, one.paid_until, one.settles):
        if which is not None:
            _day(which)
    if any(which is not None and which <= one.since for which in (one.ends, one.paid_until)):
        raise PeriodError("It ends before it starts.", "Give an end after --since.")
    if one.settles is not None and one.settles <= one.since:
        raise PeriodError("It has settled before it starts.", "Give --settles a day after the change.")


def checked(one: Improvement) -> Improvement:
    """The improvement, if all that it names exists."""
    if not re.fullmatch(r"[\w.-]{1,60}", one.name):
        raise RequestError(f"{one.name!r} is no name.", "Use letters, digits, dashes and dots, 60 at most.")
    if not one.what.strip():
        raise RequestError("Nothing says what was changed.", "Describe it in a sentence.")
    _check_days(one)
    for name in (one.measure, *(name for name, _ in one.guardrails)):
        find_measure(name)
    for name, _ in one.guardrails:
        if find_measure(name).better == "neither":
            raise RequestError(f"{name} is neither better high nor better low.", "Choose another guardrail.")
    if find_measure(one.measure).better == "neither" and one.better is None:
        raise RequestError(
            f"{one.measure} is neither better high nor better low.", "Say which way is better: --better lower."
        )
    for column, _ in (*one.where, *one.against):
        if column not in SEGMENTS:
            raise UnknownNameError("segment", column, SEGMENTS)
    return one


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise PeriodError(f"{text!r} is no date.", "Write it as 2015-03-31.") from error


def records(workspace: Workspace) -> list[Record]:
    """All improvements that were not withdrawn, in the order of their declaration; what a name was used for before stays."""
    found: dict[str, Record] = {}
    for entry in entries(workspace):
        known = found.get(entry.name)
        if entry.did == "declared":
            before = known.entries if known else ()
            found[entry.name] = Record(_improvement(entry.facts), entry.at, (*before, entry))
        elif known:
            now = (
                _improvement({**asdict(known.improvement), **entry.facts})
                if entry.did == "changed"
                else known.improvement
            )
            found[entry.name] = Record(now, known.declared_at, (*known.entries, entry))
    return [one for one in found.values() if one.entries[-1].did != "withdrawn"]


def record_of(workspace: Workspace, name: str) -> Record:
    """One improvement by its name."""
    known = {one.improvement.name: one for one in records(workspace)}
    if name not in known:
        raise UnknownNameError("improvement", name, known)
    return known[name]


def entries(workspace: Workspace) -> Sequence[Entry]:
    """Every line of the record; where one link of the chain is broken, none of them can be relied on."""
    file = workspace.folder / FILE
    if not file.exists():
        return []
    read: list[dict[str, Any]] = []
    before, whole = "", True
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            one = json.loads(line)
            whole = whole and one["previous"] == before
            read.append(
                {"at": str(one["at"]), "did": str(one["did"]), "name": str(one["name"]), "facts": dict(one["facts"])}
            )
        except (ValueError, KeyError, TypeError):
            whole = False
        before = _hash(line)
    return [Entry(**one, genuine=whole) for one in read]


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def _append(workspace: Workspace, did: str, name: str, facts: dict[str, Any], now: datetime) -> None:
    """Add a line under the workspace's write lock; it is on disk before anybody is told."""
    with workspace.writing() as scratch:
        file = workspace.folder / FILE
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        lines = text.splitlines()
        entry = {"at": now.isoformat(timespec="seconds"), "did": did, "name": name, "facts": facts}
        line = json.dumps({**entry, "previous": _hash(lines[-1]) if lines else ""}, ensure_ascii=False)
        with disk.rewrite(file, scratch / FILE) as draft:
            draft.writelines(f"{one}\n" for one in (*lines, line))


def _improvement(facts: dict[str, Any]) -> Improvement:
    """From a line's facts; lists of pairs are pairs again."""
    known = {field.name for field in fields(Improvement)}

    def frozen(value: Any) -> Any:
        return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value

    return Improvement(**{key: frozen(value) for key, value in facts.items() if key in known})
