"""Scores and amounts: how a cell is read as a number, where words stand for scores and commas for points."""

from __future__ import annotations

import duckdb

from wellserved.engine.duckdb import name, text
from wellserved.mapping import MomentRule
from wellserved.scales import BUILT_IN

_POINT = r"^[+-]?\d{1,3}(,\d{3})+\.\d+$"  # 1,234.50
_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"  # 1.234,50


def score(rule: MomentRule) -> str:
    """SQL: a rating's score; missing where the cell holds neither a number nor one of the rule's words."""
    cell = name(rule.score or "")
    comma = f"CASE WHEN contains({cell}, ',') THEN try_cast(replace({cell}, ',', '.') AS DOUBLE) END"
    number = f"coalesce(try_cast({cell} AS DOUBLE), {comma})"
    if not rule.values:
        return number
    exact = {word.strip(): value for word, value in rule.values.items()}
    loose: dict[str, set[float]] = {}
    for word, value in exact.items():
        loose.setdefault(word.lower(), set()).add(value)
    sure = {word: values.pop() for word, values in loose.items() if len(values) == 1}
    cell = f"trim({cell})"
    return f"CASE {cell} {_cases(exact)} ELSE {f'CASE lower({cell}) {_cases(sure)} ELSE {number} END' if sure else number} END"


def _cases(words: dict[str, float]) -> str:
    return " ".join(f"WHEN {text(word)} THEN {value!r}::DOUBLE" for word, value in words.items())


def bad_score(rule: MomentRule) -> tuple[str, str]:
    """SQL: the cell holds something that is no score of the rule's scale; and why, in words."""
    scale = rule.rating or BUILT_IN[rule.scale or ""]
    value = score(rule)
    broken = (
        f" OR {value} <> floor({value})"
        if scale.whole
        else f" OR {value} * 2 <> floor({value} * 2)"
        if scale.own
        else ""
    )
    beyond = f"{value} NOT BETWEEN {scale.lowest!r} AND {scale.highest!r}"
    bad = f"{name(rule.score or '')} IS NOT NULL AND ({value} IS NULL OR {beyond}{broken})"
    sort = "whole number" if scale.whole else "number, or a half," if scale.own else "number"
    words = f", and none of the words {', '.join(list(rule.values)[:6])}" if rule.values else ""
    return bad, f"is no {sort} from {scale.span}, as the scale {scale.name} asks{words}"


def has_commas(db: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    """Whether the column writes 1.234,50: some amounts have a decimal comma, and none a decimal point."""
    cell = name(column)
    comma, point = db.sql(
        f"SELECT bool_or(regexp_matches({cell}, ',\\d{{1,2}}$')), bool_or(regexp_matches({cell}, '\\.\\d{{1,2}}$')) "
        f"FROM {table} WHERE contains({cell}, ',') OR contains({cell}, '.')"
    ).fetchall()[0]
    return bool(comma) and not point


def amount(column: str, commas: bool) -> str:
    """SQL: an amount; missing where the cell holds no number, or one that could be read two ways."""
    cell = f"trim({name(column)})"
    if commas:
        plain = f"replace(replace({cell}, '.', ''), ',', '.')"
        number = f"CASE WHEN regexp_matches({cell}, '{_COMMA}') THEN try_cast({plain} AS DOUBLE) END"
    else:
        grouped = f"CASE WHEN regexp_matches({cell}, '{_POINT}') THEN replace({cell}, ',', '') END"
        number = f"try_cast(CASE WHEN contains({cell}, ',') THEN {grouped} ELSE {cell} END AS DOUBLE)"
    return f"(CASE WHEN isfinite({number}) THEN {number} END)"
