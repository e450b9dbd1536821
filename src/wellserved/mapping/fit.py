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

_NAME_WITH_ZONE = re.compile(r"(.+?) \(([A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*)\)")  # Created at (Europe/Berlin)


def split_zone(column: str) -> tuple[str, str]:
    """A column's name without the time zone that stands behind it in brackets, and that zone; empty: none."""
    match = _NAME_WITH_ZONE.fullmatch(column)
    if match is None:
        return column, ""
    try:
        return match[1], check_zone(match[2])
    except RequestError:
        return column, ""


def fit_preset(mapping: Mapping, header: Sequence[str]) -> Mapping | None:
    """The mapping in the file's own column names; None where the file lacks a column that it cannot do without."""
    file_columns = _spellings_in(header)
    spellings = {
        column: [column, *mapping.aliases.get(column, ())] for column in (*mapping.used_columns(), *mapping.recognise)
    }
    names = {
        column: next((file_columns[name] for name in column_spellings if name in file_columns), "")
        for column, column_spellings in spellings.items()
    }
    required_columns = [*mapping.recognise, mapping.case, *(rule.at for rule in mapping.moments if rule.required)]
    if not all(names[column] for column in required_columns):
        return None
    rules = [(rule, _fit_rule(rule, names)) for rule in mapping.moments]
    fitted_kinds = {rule.kind for rule, fitted_rule in rules if fitted_rule and not rule.fallback}
    kept_rules = tuple(
        fitted_rule for rule, fitted_rule in rules if fitted_rule and not (rule.fallback and rule.kind in fitted_kinds)
    )
    zones = {
        zone for rule in kept_rules for column in (rule.at, rule.due) if column and (zone := split_zone(column)[1])
    }
    if len(zones) > 1:
        zone_list = ", ".join(sorted(zones))
        raise MappingError(f"The columns name several time zones: {zone_list}.", "Export all of them in one zone.")
    return replace(
        mapping,
        case=names[mapping.case],
        zone=zones.pop() if len(zones) == 1 else mapping.zone,
        columns={fact: names[column] for fact, column in mapping.columns.items() if names[column]},
        dates={
            names.get(column) or column: order
            for column, order in mapping.dates.items()
            if names.get(column) or column in file_columns
        },
        clocks={names.get(day) or day: names[clock] for day, clock in mapping.clocks.items() if names.get(clock)},
        no_date={names.get(column) or column: words for column, words in mapping.no_date.items()},
        moments=kept_rules,
        cannot={**_lost_kinds(mapping, names, {rule.kind for rule in kept_rules}), **mapping.cannot},
        absent=_absent_columns(mapping, names),
    )


def _spellings_in(header: Sequence[str]) -> dict[str, str]:
    """Every name that a column answers to -> its name in the file."""
    return {split_zone(column)[0]: column for column in header} | {column: column for column in header}


def _fit_rule(rule: MomentRule, names: dict[str, str]) -> MomentRule | None:
    """The rule in the file's names; None where the file cannot tell such a moment."""

    def file_column(column: str | None) -> str | None:
        return names[column] or None if column else None

    kept_flag = (
        replace(rule.source_kept, column=file_column(rule.source_kept.column) or "") if rule.source_kept else None
    )
    kept_flag = kept_flag if kept_flag and kept_flag.column else None
    required_columns = [
        column for column in (rule.at, rule.score, rule.delay, *_condition_columns(rule), rule.ref) if column
    ]
    required_columns += [rule.due] if rule.due and not kept_flag else []
    required_columns += [rule.source_kept.column] if rule.source_kept and not rule.due else []
    if not all(names[column] for column in required_columns):
        return None
    due = file_column(rule.due)
    return replace(
        rule,
        at=names[rule.at],
        due=due,
        due_is=rule.due_is if due else None,
        text=file_column(rule.text),
        score=file_column(rule.score),
        amount=file_column(rule.amount),
        currency=file_column(rule.currency),
        cause=file_column(rule.cause),
        from_team=file_column(rule.from_team),
        edited=file_column(rule.edited),
        before=file_column(rule.before),
        after=file_column(rule.after),
        delay=file_column(rule.delay),
        ref=file_column(rule.ref),
        source_kept=kept_flag,
        condition=replace(rule.condition, column=file_column(rule.condition.column)),
        second_condition=replace(second, column=file_column(second.column))
        if (second := rule.second_condition)
        else None,
    )


def _condition_columns(rule: MomentRule) -> list[str]:
    conditions = [rule.condition, *([rule.second_condition] if rule.second_condition else [])]
    return [condition.column for condition in conditions if condition.column]


def _rule_columns(rule: MomentRule) -> list[str]:
    flag_column = rule.source_kept.column if rule.source_kept else None
    return [
        column
        for column in (rule.at, rule.delay, rule.due, rule.score, *_condition_columns(rule), flag_column)
        if column
    ]


def _lost_kinds(mapping: Mapping, names: dict[str, str], kinds: set[str]) -> dict[str, str]:
    """Kinds of moment that the whole preset reads and this file cannot tell -> why."""
    reasons: dict[str, str] = {}
    for rule in mapping.moments:
        absent_columns = [column for column in _rule_columns(rule) if not names[column]]
        if rule.kind not in kinds and absent_columns:
            reasons.setdefault(rule.kind, f"the file has no column {absent_columns[0]!r}")
    return reasons


def _absent_columns(mapping: Mapping, names: dict[str, str]) -> dict[str, str]:
    """Columns that the preset reads and the file lacks -> what is not known without them."""
    uses: dict[str, list[str]] = {}
    for fact in FACTS:
        if fact in mapping.columns:
            uses.setdefault(mapping.columns[fact], []).append(fact.removesuffix("_id"))
    for rule in mapping.moments:
        labels = {rule.text: f"words of {rule.kind}", rule.due: "due time"}
        labels |= {rule.source_kept.column: "the source's word on the promise"} if rule.source_kept else {}
        for column in [*_rule_columns(rule), *([rule.text] if rule.text else [])]:
            if not rule.fallback:
                uses.setdefault(column, []).append(labels.get(column, rule.kind))
    return {column: ", ".join(dict.fromkeys(column_uses)) for column, column_uses in uses.items() if not names[column]}
