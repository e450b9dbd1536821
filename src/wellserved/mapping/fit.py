"""A preset, fitted to the columns that a file has: other spellings, a zone named in the header, columns left out.

Helpdesks let whoever exports choose the columns, so a preset is read without those that it can do without; each
kind of moment that is lost with them is one that the export cannot tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from wellserved.errors import MappingError, RequestError
from wellserved.mapping import FACTS, Mapping, MomentRule
from wellserved.moments import check_zone

_ZONED = re.compile(r"(.+?) \(([A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*)\)")  # Created at (Europe/Berlin)


def zone_in(column: str) -> tuple[str, str]:
    """A column's name without the time zone that stands behind it in brackets, and that zone; empty: none."""
    zoned = _ZONED.fullmatch(column)
    if zoned is None:
        return column, ""
    try:
        return zoned[1], check_zone(zoned[2])
    except RequestError:
        return column, ""


def fit(mapping: Mapping, header: Sequence[str]) -> Mapping | None:
    """The mapping in the file's own column names; None where the file lacks a column that it cannot do without."""
    spelt = _spelt(header)
    wanted = {column: [column, *mapping.aliases.get(column, ())] for column in (*mapping.needed(), *mapping.recognise)}
    names = {column: next((spelt[name] for name in ways if name in spelt), "") for column, ways in wanted.items()}
    vital = [*mapping.recognise, mapping.case, *(rule.at for rule in mapping.moments if rule.required)]
    if not all(names[column] for column in vital):
        return None
    rules = [(rule, _fitted(rule, names)) for rule in mapping.moments]
    own = {rule.kind for rule, fitted in rules if fitted and not rule.fallback}
    kept = tuple(fitted for rule, fitted in rules if fitted and not (rule.fallback and rule.kind in own))
    zones = {zone for rule in kept for column in (rule.at, rule.due) if column and (zone := zone_in(column)[1])}
    if len(zones) > 1:
        several = ", ".join(sorted(zones))
        raise MappingError(f"The columns name several time zones: {several}.", "Export all of them in one zone.")
    return replace(
        mapping,
        case=names[mapping.case],
        zone=zones.pop() if len(zones) == 1 else mapping.zone,
        columns={fact: names[column] for fact, column in mapping.columns.items() if names[column]},
        dates={names[column]: order for column, order in mapping.dates.items() if names.get(column)},
        moments=kept,
        cannot={**_lost(mapping, names, {rule.kind for rule in kept}), **mapping.cannot},
        absent=_absent(mapping, names),
    )


def _spelt(header: Sequence[str]) -> dict[str, str]:
    """Every name that a column answers to -> its name in the file."""
    return {zone_in(column)[0]: column for column in header} | {column: column for column in header}


def _fitted(rule: MomentRule, names: dict[str, str]) -> MomentRule | None:
    """The rule in the file's names; None where the file cannot tell such a moment."""

    def named(column: str | None) -> str | None:
        return names[column] or None if column else None

    flag = replace(rule.source_kept, column=named(rule.source_kept.column) or "") if rule.source_kept else None
    flag = flag if flag and flag.column else None
    vital = [column for column in (rule.at, rule.score, rule.when.column, rule.ref) if column]
    vital += [rule.due] if rule.due and not flag else []
    vital += [rule.source_kept.column] if rule.source_kept and not rule.due else []
    if not all(names[column] for column in vital):
        return None
    due = named(rule.due)
    return replace(
        rule,
        at=names[rule.at],
        due=due,
        due_is=rule.due_is if due else None,
        text=named(rule.text),
        score=named(rule.score),
        amount=named(rule.amount),
        currency=named(rule.currency),
        cause=named(rule.cause),
        from_team=named(rule.from_team),
        ref=named(rule.ref),
        source_kept=flag,
        when=replace(rule.when, column=named(rule.when.column)),
    )


def _columns(rule: MomentRule) -> list[str]:
    flag = rule.source_kept.column if rule.source_kept else None
    return [column for column in (rule.at, rule.due, rule.score, rule.when.column, flag) if column]


def _lost(mapping: Mapping, names: dict[str, str], kinds: set[str]) -> dict[str, str]:
    """Kinds of moment that the whole preset reads and this file cannot tell -> why."""
    lost: dict[str, str] = {}
    for rule in mapping.moments:
        lacking = [column for column in _columns(rule) if not names[column]]
        if rule.kind not in kinds and lacking:
            lost.setdefault(rule.kind, f"the file has no column {lacking[0]!r}")
    return lost


def _absent(mapping: Mapping, names: dict[str, str]) -> dict[str, str]:
    """Columns that the preset reads and the file lacks -> what is not known without them."""
    uses: dict[str, list[str]] = {}
    for fact in FACTS:
        if fact in mapping.columns:
            uses.setdefault(mapping.columns[fact], []).append(fact.removesuffix("_id"))
    for rule in mapping.moments:
        parts = {rule.text: f"words of {rule.kind}", rule.due: "due time"}
        parts |= {rule.source_kept.column: "the source's word on the promise"} if rule.source_kept else {}
        for column in [*_columns(rule), *([rule.text] if rule.text else [])]:
            if not rule.fallback:
                uses.setdefault(column, []).append(parts.get(column, rule.kind))
    return {column: ", ".join(dict.fromkeys(what)) for column, what in uses.items() if not names[column]}
