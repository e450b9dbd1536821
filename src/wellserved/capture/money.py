"""Amounts of money as people write them: €200, 1.200,50 €, 12k EUR, 1,2 Mio, CHF 80.-; what can be two is asked."""

from __future__ import annotations

import re
from typing import Final

from wellserved.capture.question import Question

_SIGNS = {
    "€": "EUR",
    "$": "USD",
    "us$": "USD",
    "£": "GBP",
    "euro": "EUR",
    "euros": "EUR",
    "dollar": "USD",
    "dollars": "USD",
}
_CODES = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|JPY|CAD|AUD|NZD|INR|ZAR|BRL"
_NUMBER = (
    r"\d{1,3}(?:[ '’]\d{3}){1,4}(?:[.,]\d{1,2})?|\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,2})?"
    r"|\d{1,3}(?:\.\d{3}){1,4}(?:,\d{1,2})?|\d{1,12}(?:[.,]\d{1,4})?"
)
_TIMES: Final = {
    "k": 1e3, "t": 1e3, "tsd": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "million": 1e6, "millionen": 1e6,
    "bn": 1e9, "mrd": 1e9, "billion": 1e9, "milliarde": 1e9, "milliarden": 1e9,
}  # fmt: skip
_UNIT = r"k|tsd\.?|thousand|mio\.?|mn|millionen|million|bn|mrd\.?|billion|milliarden|milliarde|m"
_NO_MORE = r"(?![\w]|[.,'’:/]\d)"
_DASH = r"(?:[.,][–-]{1,2})?"
_MONEY = re.compile(
    rf"(?<![\w.,'’])(?:(?:(?P<sign>(?:us)?\$|[€£]) ?|(?P<code>{_CODES}) ?)(?P<a>{_NUMBER})(?P<gap> ?)(?P<x>{_UNIT})?{_DASH}{_NO_MORE}"
    rf"|(?P<b>{_NUMBER})(?P<gap2> ?)(?P<y>{_UNIT}|t(?= ?(?:€|eur)))?{_DASH} ?(?P<after>[€£$](?!\d)|(?:{_CODES}|euros?|dollars?)\b))",
    re.IGNORECASE,
)
_LARGE = re.compile(rf"(?<![\w.,'’])(?P<n>{_NUMBER}) ?(?P<x>{_UNIT[:-2]}|(?-i:M)){_NO_MORE}", re.IGNORECASE)
_WORTH = r"cost|costs|worth|deal|contract|budget|order|revenue|sales|loss|damage|invoice|price|credit|refund|auftrag|umsatz|schaden|vertrag|kosten|wert"
_WORTH_BEFORE = re.compile(rf"\b(?:{_WORTH})s?:? (?:(?:of|is|was|about|over|von|ca\.?|rund) )?$", re.IGNORECASE)
_WORTH_AFTER = re.compile(rf" (?:{_WORTH})s?\b", re.IGNORECASE)
_ENDS = re.compile(r" ?(?:$|[,;.!?)])")
_PLAIN_COST = re.compile(rf"(?<![\w.,'’])(?P<n>{_NUMBER}) ?(?P<x>{_UNIT[:-2]})? cost\b", re.IGNORECASE)
_SMALL = re.compile(
    r" (?:a|per|for|from|to|of|in|on|at|by|and|or|with|is|was|back|für|von|an|zu|pro|im|am|und|oder|bis|refund\w{0,3}|credit\w{0,3}|"
    r"deposit|voucher|fee|off|paid|lost)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\b(?:room|ward|no\.?|nr\.?|number|invoice|order|case|ticket|store|dock|floor|line|version|rechnung|auftrag|raum|zimmer|"
    r"station|filiale|etage) #?$",
    re.IGNORECASE,
)
_LOW = re.compile(rf"(?<![\w.,'’])(?P<n>\d{{1,12}}(?:[.,]\d{{1,3}})?)(?P<x>{_UNIT})? ?[–-] ?$", re.IGNORECASE)
_HIGH = re.compile(rf" ?[–-] ?[€$£]?(?P<n>{_NUMBER})(?P<x> ?(?:{_UNIT}))?{_NO_MORE}", re.IGNORECASE)
_REACH = 40  # letters before an amount that say what it is


def read_money(text: str) -> tuple[float | None, str | None, tuple[Question, ...]]:
    """The first amount of a line and its currency; or what is to be asked about it."""
    for found in _MONEY.finditer(text):
        if (question := _unclear(text, found)) is not None:
            return None, None, (question,)
        unit = (found["sign"] or found["code"] or found["after"]).lower()
        return _worth(found["a"] or found["b"], found["x"] or found["y"]), _SIGNS.get(unit, unit.upper()), ()
    for found in (*_PLAIN_COST.finditer(text), *_LARGE.finditer(text)):
        if found.re is _PLAIN_COST or _is_money(text, found):
            return _worth(found["n"], found["x"]), None, ()
    return None, None, ()


def spans(text: str) -> list[tuple[int, int]]:
    """Where amounts stand, so that their letters are taken for nothing else: €12m is no time."""
    return [found.span() for found in _MONEY.finditer(text)]


def _is_money(text: str, found: re.Match[str]) -> bool:
    """A large number without a currency is one of money beside a word that says so; 1,2 Mio also by itself."""
    before = text[max(0, found.start() - _REACH) : found.start()]
    if _WORTH_BEFORE.search(before) or _WORTH_AFTER.match(text, found.end()):
        return True
    return found["x"].lower().rstrip(".") not in ("k", "tsd", "thousand") and bool(_ENDS.match(text, found.end()))


def _worth(written: str, unit: str | None) -> float:
    return round(number_of(written) * _TIMES.get((unit or "").lower().rstrip("."), 1), 4)


def number_of(written: str) -> float:
    """1,200.50 and 1.200,50 alike; a single separator before three digits parts thousands, but for 0.125 and 1234.567."""
    written = re.sub("[ '’]", "", written)
    last = max(written.rfind(","), written.rfind("."))
    whole, part = (written, "") if last < 0 else (written[:last], written[last + 1 :])
    parted = re.search("[.,]", whole) is not None
    if last >= 0 and (len(part) != 3 or (not parted and (len(whole) > 3 or whole == "0"))):
        return float(f"{re.sub('[.,]', '', whole)}.{part}")
    return float(re.sub("[.,]", "", written))


def _unclear(text: str, found: re.Match[str]) -> Question | None:
    """What of an amount can be read in two ways: a span, 1.250k, €5 m, and digits apart that may not belong together."""
    start, end = found.span()
    number, unit = found["a"] or found["b"], found["x"] or found["y"] or ""
    sign, tail = (text[start : found.start("a")], "") if found["a"] else ("", " " + found["after"])
    if found["a"] and (high := _HIGH.match(text, end)):
        shared = unit or (high["x"] or "").strip()
        return _ask(text, start, high.end(), f"{sign}{number}{shared}", f"{sign}{high['n']}{high['x'] or ''}")
    if found["b"] and (low := _LOW.search(text[max(0, start - _REACH) : start])):
        reached = start - len(low[0])
        return _ask(text, reached, end, f"{low['n']}{low['x'] or unit}{tail}", f"{number}{unit}{tail}")
    if unit and re.fullmatch(r"\d{1,3}[.,]\d{3}", number):
        times = _TIMES[unit.lower().rstrip(".")]
        whole, part = re.split("[.,]", number)
        values = (float(whole + part) * times, float(f"{whole}.{part}") * times)
        return _ask(text, start, end, *(f"{sign}{value:,.0f}{tail}" for value in values))
    if unit == "m" and (found["gap"] or found["gap2"]):
        return _ask(text, start, end, f"{sign}{number} million{tail}", f"{sign}{number}{tail}; m")
    return _apart(text, found, sign, number, tail)


def _apart(text: str, found: re.Match[str], sign: str, number: str, tail: str) -> Question | None:
    """Digits parted by a blank: €5 200 boxes, room 7 200 €."""
    if " " not in number:
        return None
    start, end = found.span()
    first, _, last = number.partition(" ")
    together = number.replace(" ", ",") if "," not in number else number.replace(" ", "")
    if found["a"]:
        sure = found["x"] or _ENDS.match(text, end) or _SMALL.match(text, end)
        return None if sure else _ask(text, start, end, f"{sign}{together}", f"{sign}{first}, {last}")
    before = text[max(0, start - _REACH) : start]
    return _ask(text, start, end, f"{together}{tail}", f"{first}, {last}{tail}") if _LABEL.search(before) else None


def _ask(text: str, start: int, end: int, *readings: str) -> Question:
    return Question(text[start:end], start, readings)
