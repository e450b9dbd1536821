"""What kind of edit turned one value into another: a slip that somebody put right, or news.

In SQL over two columns, so that what stood there is read once and kept nowhere. The classes, in the order in which they
are tried:

- completed: nothing stood there; placeholder: something that stands for nothing
- format: equal but for case, accents, blanks and punctuation
- day/month: a date whose day and month changed places
- swapped: the words in another order
- digits: equal but for some of the digits
- misspelt: as many words, each within a quarter of its letters, one at least (Damerau 1964: inserted, left out, replaced,
  two neighbours exchanged)
- changed: anything else, which is news and no correction
"""

from __future__ import annotations

CHANGED = "changed"
_PLACEHOLDERS = "'-', '--', '.', '?', '??', 'x', 'xx', 'xxx', 'n/a', 'na', 'none', 'unknown', 'tbd', 'tba', 'test', '0', '00', '000', '0000', 'unbekannt', 'k.a.', 'inconnu'"
_DATE = r"^(\d{1,2})([./-])(\d{1,2})([./-]\d{2,4})$"


def edit_class_sql(before: str, after: str) -> str:
    """SQL: the class of an edit, from the SQL of both values; NULL where nothing stands there afterwards."""
    old, new = (f"trim(lower(strip_accents(CAST({value} AS VARCHAR))))" for value in (before, after))
    bare_old, bare_new = (f"regexp_replace({value}, '[^\\p{{L}}\\p{{N}}]', '', 'g')" for value in (old, new))
    words_old, words_new = (f"string_split_regex({value}, '[^\\p{{L}}\\p{{N}}]+')" for value in (old, new))
    letters_old, letters_new = (f"regexp_replace({value}, '\\d', '#', 'g')" for value in (bare_old, bare_new))
    swapped_date = f"regexp_replace({old}, '{_DATE}', '\\3\\2\\1\\4')"
    near = (
        f"list_bool_and(list_transform(range(1, len({words_old}) + 1), lambda i: "
        f"damerau_levenshtein({words_old}[i], {words_new}[i]) <= greatest(1, length({words_old}[i]) // 4)))"
    )
    return (
        f"CASE WHEN {new} IS NULL OR {new} = '' OR CAST({before} AS VARCHAR) = CAST({after} AS VARCHAR) THEN NULL "
        f"WHEN {old} IS NULL OR {old} = '' THEN 'completed' "
        f"WHEN {old} IN ({_PLACEHOLDERS}) THEN 'placeholder' "
        f"WHEN {bare_old} = {bare_new} THEN 'format' "
        f"WHEN regexp_matches({old}, '{_DATE}') AND {swapped_date} = {new} THEN 'day/month' "
        f"WHEN list_sort({words_old}) = list_sort({words_new}) THEN 'swapped' "
        f"WHEN regexp_matches({bare_old}, '\\d') AND {letters_old} = {letters_new} AND {_digit_distance(bare_old, bare_new)} <= 2 THEN 'digits' "
        f"WHEN NOT regexp_matches({bare_old}, '\\d') AND len({words_old}) = len({words_new}) AND {near} THEN 'misspelt' "
        f"ELSE '{CHANGED}' END"
    )


def _digit_distance(old: str, new: str) -> str:
    """SQL: in how many digits both differ; two exchanged are one slip of two."""
    return f"hamming({old}, {new})"
