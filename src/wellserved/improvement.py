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
from wellserved.measure.measure import Better
from wellserved.measure.series import is_told_in_words, problem_needed
from wellserved.moments import PROBLEM, SEGMENTS, Granularity
from wellserved.storage.workspace import Workspace

IMPROVEMENTS_FILE = "improvements.jsonl"


@dataclass(frozen=True)
class Improvement:
    """What was changed, by whom, since when, for whom, and by what one will see that it works."""

    name: str
    what: str
    since: str  # first day of the new way, YYYY-MM-DD
    measure: str
    every: Granularity = "week"
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
    about: str = ""  # the problem that problem_share is about: its id, or a value of a column (category=Billing)

    @property
    def is_told_in_words(self) -> bool:
        """It is about a problem that was found in customers' words."""
        return is_told_in_words(self.about)

    @property
    def problem(self) -> str | None:
        """What the cases have to be opened with, so that they tell their problems."""
        return problem_needed(self.about, (column for column, _ in (*self.where, *self.against)))


PEOPLE_FACTS = {"who", "idea_from", "helpers"}
"""What says whose doing it was, and decides nothing of the result."""
MARGIN_BASIS = {"measure", "since", "every", "where", "better", "age_days", "about"}
"""What margins are foreseen from."""


@dataclass(frozen=True)
class RecordEntry:
    """One line of the record."""

    at: str  # when it was written, UTC
    did: str  # declared, changed, looked, withdrawn
    name: str
    facts: dict[str, Any]
    genuine: bool  # the chain of hashes is whole


@dataclass(frozen=True)
class ImprovementRecord:
    """An improvement as it stands, and how it came to be so."""

    improvement: Improvement
    declared_at: str
    entries: tuple[RecordEntry, ...]

    @property
    def changes(self) -> tuple[RecordEntry, ...]:
        """What was changed after the declaration."""
        return tuple(entry for entry in self.entries if entry.did == "changed")

    @property
    def looks(self) -> tuple[RecordEntry, ...]:
        """When the result was looked at."""
        return tuple(entry for entry in self.entries if entry.did == "looked")

    @property
    def is_genuine(self) -> bool:
        """Nobody altered the record by hand."""
        return all(entry.genuine for entry in self.entries)

    @property
    def has_early_look(self) -> bool:
        """Its measure, cases or date were settled after somebody had looked at the result."""
        look_positions = [index for index, entry in enumerate(self.entries) if entry.did == "looked"]
        decision_positions = [
            index
            for index, entry in enumerate(self.entries)
            if entry.did == "declared" or (entry.did == "changed" and not entry.facts.keys() <= PEOPLE_FACTS)
        ]
        return bool(look_positions) and look_positions[0] < decision_positions[-1]

    @property
    def withdrawals(self) -> tuple[RecordEntry, ...]:
        """Earlier declarations under this name that were taken back."""
        return tuple(entry for entry in self.entries if entry.did == "withdrawn")


def declare(workspace: Workspace, improvement: Improvement, now: datetime) -> Improvement:
    """Write a declaration down; a name is used once."""
    validate(improvement)
    check_unused(workspace, improvement.name)
    _append(workspace, "declared", improvement.name, asdict(improvement), now)
    return improvement


def check_unused(workspace: Workspace, name: str) -> None:
    """Raise where a declaration has the name already."""
    if any(record.improvement.name == name for record in list_records(workspace)):
        raise RequestError(
            f"There is an improvement called {name!r} already.",
            "Give another --name, or change that one with `wellserved improve change`.",
        )


def change_declaration(workspace: Workspace, name: str, facts: dict[str, Any], now: datetime) -> Improvement:
    """Change a declaration; the change is kept beside it, and shown. Margins foreseen for other cases hold no more."""
    current = find_record(workspace, name).improvement
    if current.margins and facts.keys() & MARGIN_BASIS:
        facts = {**facts, "margins": ()}
    improvement = validate(replace(current, **facts))
    _append(workspace, "changed", name, facts, now)
    return improvement


def withdraw_declaration(workspace: Workspace, name: str, reason: str, now: datetime) -> None:
    """Take an improvement off the list; it stays on record."""
    find_record(workspace, name)
    _append(workspace, "withdrawn", name, {"why": reason}, now)


def record_look(workspace: Workspace, name: str, facts: dict[str, Any], now: datetime) -> None:
    """Note that the result was looked at, and what was seen."""
    _append(workspace, "looked", name, facts, now)


def _check_days(improvement: Improvement) -> None:
    """Its days are days, and lie after the change."""
    for day_text in (improvement.since, improvement.ends, improvement.paid_until, improvement.settles):
        if day_text is not None:
            _day(day_text)
    if any(
        day_text is not None and day_text <= improvement.since
        for day_text in (improvement.ends, improvement.paid_until)
    ):
        raise PeriodError("It ends before it starts.", "Give an end after --since.")
    if improvement.settles is not None and improvement.settles <= improvement.since:
        raise PeriodError("It has settled before it starts.", "Give --settles a day after the change.")


def validate(improvement: Improvement) -> Improvement:
    """The improvement, if all that it names exists."""
    if not re.fullmatch(r"[\w.-]{1,60}", improvement.name):
        raise RequestError(f"{improvement.name!r} is no name.", "Use letters, digits, dashes and dots, 60 at most.")
    if not improvement.what.strip():
        raise RequestError("Nothing says what was changed.", "Describe it in a sentence.")
    _check_days(improvement)
    for name in (improvement.measure, *(name for name, _ in improvement.guardrails)):
        find_measure(name)
    for name, _ in improvement.guardrails:
        if find_measure(name).better == "neither":
            raise RequestError(f"{name} is neither better high nor better low.", "Choose another guardrail.")
    if find_measure(improvement.measure).better == "neither" and improvement.better is None:
        raise RequestError(
            f"{improvement.measure} is neither better high nor better low.", "Say which way is better: --better lower."
        )
    for column, _ in (*improvement.where, *improvement.against):
        if column not in (*SEGMENTS, PROBLEM):
            raise UnknownNameError("segment", column, SEGMENTS)
    if (improvement.measure == "problem_share") != bool(improvement.about):
        raise RequestError(
            "A share of cases is about a problem, and a problem is measured by its share of the cases.",
            "Give both: --measure problem_share --about p7, or neither.",
        )
    return improvement


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise PeriodError(f"{text!r} is no date.", "Write it as 2015-03-31.") from error


def list_records(workspace: Workspace) -> list[ImprovementRecord]:
    """All improvements that were not withdrawn, in the order of their declaration; what a name was used for before stays."""
    records_by_name: dict[str, ImprovementRecord] = {}
    for entry in read_entries(workspace):
        record = records_by_name.get(entry.name)
        if entry.did == "declared":
            before = record.entries if record else ()
            records_by_name[entry.name] = ImprovementRecord(_improvement(entry.facts), entry.at, (*before, entry))
        elif record:
            improvement = (
                _improvement({**asdict(record.improvement), **entry.facts})
                if entry.did == "changed"
                else record.improvement
            )
            records_by_name[entry.name] = ImprovementRecord(improvement, record.declared_at, (*record.entries, entry))
    return [record for record in records_by_name.values() if record.entries[-1].did != "withdrawn"]


def find_record(workspace: Workspace, name: str) -> ImprovementRecord:
    """One improvement by its name."""
    records_by_name = {record.improvement.name: record for record in list_records(workspace)}
    if name not in records_by_name:
        raise UnknownNameError("improvement", name, records_by_name)
    return records_by_name[name]


def read_entries(workspace: Workspace) -> Sequence[RecordEntry]:
    """Every line of the record; where one link of the chain is broken, none of them can be relied on."""
    file = workspace.folder / IMPROVEMENTS_FILE
    if not file.exists():
        return []
    raw_entries: list[dict[str, Any]] = []
    previous_hash, is_intact = "", True
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            raw = json.loads(line)
            is_intact = is_intact and raw["previous"] == previous_hash
            raw_entries.append(
                {"at": str(raw["at"]), "did": str(raw["did"]), "name": str(raw["name"]), "facts": dict(raw["facts"])}
            )
        except (ValueError, KeyError, TypeError):
            is_intact = False
        previous_hash = _hash(line)
    return [RecordEntry(**raw_entry, genuine=is_intact) for raw_entry in raw_entries]


def declarations_digest(workspace: Workspace) -> str:
    """What was declared, changed and withdrawn, as a digest: a look at a result changes no answer."""
    file = workspace.folder / IMPROVEMENTS_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return _hash("\n".join(line for line in lines if '"did": "looked"' not in line))


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def _append(workspace: Workspace, action: str, name: str, facts: dict[str, Any], now: datetime) -> None:
    """Add a line under the workspace's write lock; it is on disk before anybody is told."""
    with workspace.write_lock() as scratch:
        file = workspace.folder / IMPROVEMENTS_FILE
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        lines = text.splitlines()
        entry = {"at": now.isoformat(timespec="seconds"), "did": action, "name": name, "facts": facts}
        line = json.dumps({**entry, "previous": _hash(lines[-1]) if lines else ""}, ensure_ascii=False)
        with disk.rewrite_file(file, scratch / IMPROVEMENTS_FILE) as draft:
            draft.writelines(f"{text_line}\n" for text_line in (*lines, line))


def _improvement(facts: dict[str, Any]) -> Improvement:
    """From a line's facts; lists of pairs are pairs again."""
    field_names = {field.name for field in fields(Improvement)}

    def freeze(value: Any) -> Any:
        return tuple(map(freeze, value)) if isinstance(value, list | tuple) else value

    return Improvement(**{key: freeze(value) for key, value in facts.items() if key in field_names})
