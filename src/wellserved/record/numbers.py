"""Scores and amounts: how a cell is read as a number, where words stand for scores and commas for points."""

from __future__ import annotations

import duckdb

from wellserved.engine.duckdb import quote_name, quote_text
from wellserved.mapping import MomentRule
from wellserved.scales import BUILT_IN

_POINT_NUMBER = r"^[+-]?\d{1,3}(,\d{3})+\.\d+$"  # 1,234.50
_GAPS = r"[ '’\x{a0}\x{2009}\x{202f}]"
_GAPPED_NUMBER = rf"[+-]?\d{{1,3}}({_GAPS}\d{{3}})+([.,]\d+)?"
_COMMA_NUMBER = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"  # 1.234,50


def score_sql(rule: MomentRule) -> str:
    """SQL: a rating's score; missing where the cell holds neither a number nor one of the rule's words."""
    cell = quote_name(rule.score or "")
    comma_number = f"CASE WHEN contains({cell}, ',') THEN try_cast(replace({cell}, ',', '.') AS DOUBLE) END"
    number_sql = f"coalesce(try_cast({cell} AS DOUBLE), {comma_number})"
    if not rule.values:
        return number_sql
    exact_words = {word.strip(): value for word, value in rule.values.items()}
    caseless_words: dict[str, set[float]] = {}
    for word, value in exact_words.items():
        caseless_words.setdefault(word.lower(), set()).add(value)
    unambiguous_words = {word: values.pop() for word, values in caseless_words.items() if len(values) == 1}
    cell = f"trim({cell})"
    return f"CASE {cell} {_when_clauses(exact_words)} ELSE {f'CASE lower({cell}) {_when_clauses(unambiguous_words)} ELSE {number_sql} END' if unambiguous_words else number_sql} END"


def _when_clauses(words: dict[str, float]) -> str:
    return " ".join(f"WHEN {quote_text(word)} THEN {value!r}::DOUBLE" for word, value in words.items())


def bad_score_sql(rule: MomentRule) -> tuple[str, str]:
    """SQL: the cell holds something that is no score of the rule's scale; and why, in words."""
    scale = rule.rating or BUILT_IN[rule.scale or ""]
    value = score_sql(rule)
    off_step = (
        f" OR {value} <> floor({value})"
        if scale.whole_numbers
        else f" OR {value} * 2 <> floor({value} * 2)"
        if scale.is_own
        else ""
    )
    out_of_range = f"{value} NOT BETWEEN {scale.lowest!r} AND {scale.highest!r}"
    bad_sql = f"{quote_name(rule.score or '')} IS NOT NULL AND ({value} IS NULL OR {out_of_range}{off_step})"
    number_kind = "whole number" if scale.whole_numbers else "number, or a half," if scale.is_own else "number"
    words = f", and none of the words {', '.join(list(rule.values)[:6])}" if rule.values else ""
    return bad_sql, f"is no {number_kind} from {scale.span}, as the scale {scale.name} asks{words}"


_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
UNIT_NAMES = {  # seconds -> what such a unit of time is called
    604_800: r"w|wks?|weeks?|wochen?|semaines?|semanas?",
    86_400: r"d|days?|t|tagen?|tage|tag|j|jours?|dias?|días?|giorni|giorno|dagen|dni",
    3600: r"h|hrs?|hours?|std|stunden?|heures?|horas?|ore|ora|uur|uren|godz",
    60: r"m|mins?|minutes?|minuten?|minutos?|minuti|minuty|minut",
    1: r"s|secs?|seconds?|sek|sekunden?|secondes?|segundos?|secondi|sekundy?",
}
LENGTH_IN_WORDS = (
    rf"(\d+(\.\d{{1,2}})? ?({'|'.join(UNIT_NAMES.values())})\b[. ]*((and|und|et|y|e) )?)+"  # 2 d 3 h 15 min
)
_CLOCK = r"^(\d{1,6}):([0-5]\d)(?::([0-5]\d))?$"  # 26:05 or 26:05:09


def delay_sql(rule: MomentRule, commas: bool) -> str:
    """SQL: seconds after the rule's own time; missing where the cell holds no length of time."""
    if rule.delay_unit == "words":
        return _words_seconds_sql(quote_name(rule.delay or ""))
    if rule.delay_unit != "clock":
        return f"({amount_sql(rule.delay or '', commas)} * {_SECONDS[rule.delay_unit or 'seconds']})"
    cell = f"trim({quote_name(rule.delay or '')})"
    parts = [f"coalesce(try_cast(regexp_extract({cell}, '{_CLOCK}', {part}) AS DOUBLE), 0)" for part in (1, 2, 3)]
    return f"CASE WHEN regexp_matches({cell}, '{_CLOCK}') THEN {parts[0]} * 3600 + {parts[1]} * 60 + {parts[2]} END"


def _words_seconds_sql(cell: str) -> str:
    """SQL: the seconds of a length of time in words; missing where anything else stands there."""
    text = f"regexp_replace(replace(lower(trim({cell})), ',', '.'), '([a-z])([0-9])', '\\1 \\2', 'g')"  # 2d3h
    terms = []
    for seconds, names in UNIT_NAMES.items():
        amounts = f"regexp_extract_all({text}, '(\\d+(?:\\.\\d+)?) ?(?:{names})\\b', 1)"
        terms.append(f"coalesce(list_sum([CAST(amount AS DOUBLE) FOR amount IN {amounts}]), 0) * {seconds}")
    return f"CASE WHEN regexp_full_match({text}, {quote_text(LENGTH_IN_WORDS)}) THEN {' + '.join(terms)} END"


def without_gaps_sql(cell: str) -> str:
    """SQL: a number without the blanks or apostrophes between its thousands: 1 204,50 in France, 1'204.50 in Switzerland."""
    return f"CASE WHEN regexp_full_match({cell}, {quote_text(_GAPPED_NUMBER)}) THEN regexp_replace({cell}, {quote_text(_GAPS)}, '', 'g') ELSE {cell} END"


def has_commas(db: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    """Whether the column writes 1.234,50: some amounts have a decimal comma and none a decimal point; or 1.234 beside 950."""
    cell = quote_name(column)
    has_comma, has_point = db.sql(
        f"SELECT bool_or(regexp_matches({cell}, ',\\d{{1,2}}$')), bool_or(regexp_matches({cell}, '\\.\\d{{1,2}}$')) "
        f"FROM {table} WHERE contains({cell}, ',') OR contains({cell}, '.')"
    ).fetchall()[0]
    return (bool(has_comma) and not has_point) or bool(count_grouped(db, table, column))


def count_grouped(db: duckdb.DuckDBPyConnection, table: str, column: str) -> int:
    """How many numbers have dots between their thousands and nothing else: all that have a dot, beside hundreds that need none."""
    cell = f"trim({quote_name(column)})"
    grouped_count, other_count, whole_count = db.sql(
        f"SELECT count(*) FILTER (regexp_full_match({cell}, '[+-]?[1-9]\\d{{0,2}}(\\.\\d{{3}})+')), "
        f"count(*) FILTER ({cell} <> '' AND NOT regexp_full_match({cell}, '[+-]?([1-9]\\d{{0,2}}(\\.\\d{{3}})+|\\d{{1,3}})')), "
        f"count(*) FILTER (regexp_full_match({cell}, '[+-]?[1-9]\\d\\d')) FROM {table}"
    ).fetchall()[0]
    return int(grouped_count) if whole_count and not other_count else 0


def amount_sql(column: str, commas: bool) -> str:
    """SQL: an amount; missing where the cell holds no number, or one that could be read two ways."""
    cell = without_gaps_sql(f"trim({quote_name(column)})")
    if commas:
        with_point = f"replace(replace({cell}, '.', ''), ',', '.')"
        number_sql = f"CASE WHEN regexp_matches({cell}, '{_COMMA_NUMBER}') THEN try_cast({with_point} AS DOUBLE) END"
    else:
        without_groups = f"CASE WHEN regexp_matches({cell}, '{_POINT_NUMBER}') THEN replace({cell}, ',', '') END"
        number_sql = f"try_cast(CASE WHEN contains({cell}, ',') THEN {without_groups} ELSE {cell} END AS DOUBLE)"
    return f"(CASE WHEN isfinite({number_sql}) THEN {number_sql} END)"
