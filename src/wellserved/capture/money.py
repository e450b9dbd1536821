"""Amounts of money as people write them: €200, 1.200,50 €, 12k EUR, 1,2 Mio, CHF 80.-; what can be two is asked."""

from __future__ import annotations

import re
from typing import Final

from wellserved.capture.question import CaptureQuestion

_SIGNS = {
    "€": "EUR",
    "$": "USD",
    "us$": "USD",
    "£": "GBP",
    "euro": "EUR",
    "euros": "EUR",
    "dollar": "USD",
    "dollars": "USD",
    "pound": "GBP",
    "pounds": "GBP",
    "quid": "GBP",
    "bucks": "USD",
    "franken": "CHF",
}
_CODES = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|JPY|CAD|AUD|NZD|INR|ZAR|BRL"
_NUMBER = (
    r"\d{1,3}(?:[ '’]\d{3}){1,4}(?:[.,]\d{1,2})?|\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,2})?"
    r"|\d{1,3}(?:\.\d{3}){1,4}(?:,\d{1,2})?|\d{1,12}(?:[.,]\d{1,4})?"
)
_MULTIPLIERS: Final = {
    "k": 1e3, "t": 1e3, "tsd": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "million": 1e6, "millionen": 1e6,
    "bn": 1e9, "mrd": 1e9, "billion": 1e9, "milliarde": 1e9, "milliarden": 1e9,
}  # fmt: skip
_UNIT = r"k|tsd\.?|thousand|mio\.?|mn|millionen|million|bn|mrd\.?|billion|milliarden|milliarde|m"
_NUMBER_END = r"(?![\w]|[.,'’:/]\d)"
_DASH = r"(?:[.,][–-]{1,2})?"
_MONEY = re.compile(
    rf"(?<![\w.,'’])(?:(?:(?P<sign>(?:us)?\$|[€£]) ?|(?P<code>{_CODES}) ?)(?P<a>{_NUMBER})(?P<gap> ?)(?P<x>{_UNIT})?{_DASH}{_NUMBER_END}"
    rf"|(?P<b>{_NUMBER})(?P<gap2> ?)(?P<y>{_UNIT}|t(?= ?(?:€|eur)))?{_DASH}[ -]?(?P<after>[€£$](?!\d)|(?:{_CODES}|euros?|dollars?|pounds?(?! (?:of|heavy|lighter|sterling))|quid|bucks|franken)\b))",
    re.IGNORECASE,
)
_LARGE_NUMBER = re.compile(rf"(?<![\w.,'’])(?P<n>{_NUMBER}) ?(?P<x>{_UNIT[:-2]}|(?-i:M)){_NUMBER_END}", re.IGNORECASE)
_WORTH = r"cost|costs|worth|deal|contract|budget|order|revenue|sales|loss|damage|invoice|price|credit|refund|auftrag|umsatz|schaden|vertrag|kosten|wert"
_WORTH_BEFORE = re.compile(
    rf"\b(?:{_WORTH}|penalty|fine|fee|quoted(?: \S{{1,30}}){{0,3}}|charged|paid|billed|saved|offer|quote|angebot|strafe|gebühr|rechnung)s?:? "
    r"(?:(?:of|is|was|about|over|von|über|ca\.?|rund) )?$",
    re.IGNORECASE,
)
_WORTH_AFTER = re.compile(
    rf" (?:{_WORTH}|penalty|fine|fee|difference|too much|too little|refunded|for the repair|zu viel|zu wenig|strafe|offene)s?\b",
    re.IGNORECASE,
)
_COUNTED_NOUNS = (  # of these there are so many
    r"user|people|person|customer|client|visitor|guest|patient|case|ticket|mail|email|call|row|record|line|word|item|piece|part|unit|step|run|race"
    r"|mile|km|kilometre|view|follower|video|screen|monitor|resolution|hour|page|letter|order|member|student|nutzer|kunde|leute|mensch|zeile|stück|wörter|seite"
)
_NOUN_AFTER = re.compile(rf"[ -](?:\S{{1,20}} )?(?:{_COUNTED_NOUNS})\w{{0,3}}\b", re.IGNORECASE)
_PLURAL_AFTER = re.compile(  # 12k jars
    r"[ -](?!(?:less|plus|minus|across|this|as|is|was|yes|always|gross|bonus|us|alles|was|das|es|pounds|euros|bucks|dollars)\b)[a-z]{3,20}s\b"
)
_PAID = (
    r"refund(?:ed|ing|s)?|credit(?:ed|ing|s)?|reimburs\w{1,4}|knock(?:ed|ing)?|wr(?:ote|itten) off|write off|paid|paying|waived|charged|fined"
    r"|erstattet|gutgeschrieben|bezahlt|gezahlt|(?:fee|fine|deposit|voucher|refund|credit|credit note|penalty|discount|tip) of"
)
_SUM = r"(?P<n>\d{1,3}(?:[.,]\d{3}){1,4}(?:[.,]\d{2})?|\d{2,6}(?:[.,]\d{2})?|\d[.,]\d{2})"
_PAID_SUM = re.compile(  # refunded 90 to Mr Haddad
    rf"\b(?:{_PAID}) (?:(?:the|him|her|them|us|about|around|over|rund|ca\.?|genau) ){{0,2}}{_SUM}{_NUMBER_END}"
    r"(?= ?(?:$|[,;.!?)])| (?:to|for|back|off|instead|again|was|is|i|we|they|he|she|that|zurück|für|an)\b)",
    re.IGNORECASE,
)
_SUM_BACK = re.compile(  # 40 off, 600 back on her card
    rf"(?<![\w.,'’:/#-]){_SUM} (?:off|back|refunded|too much|too little|zu viel|zu wenig|zurück|erstattet|gutgeschrieben)\b"
    r"(?! (?:from|in|the list|today|at|on (?:holiday|leave|site)|geliefert|bestellt|gezählt|gebucht|delivered|ordered|counted))",
    re.IGNORECASE,
)
_PRICE = re.compile(  # 4,90 and 148.20, which are no date and no time of day
    r"(?<![\w.,'’:/#-])(?P<n>\d{1,6},\d{2}|\d{1,6}\.[6-9]\d|(?:3[2-9]|[4-9]\d|\d{3,6})\.\d{2})(?![\w]|[.,'’:/]\d| ?(?:uhr|am|pm|%|points?|punkte)\b)",
    re.IGNORECASE,
)
_PRICE_OF = re.compile(  # the 8.50 redelivery fee
    r"(?<![\w.,'’:/#-])(?P<n>\d{1,6}\.\d{2}) (?:\w{1,20} )?(?:fees?|charges?|fines?|deposit|refund|voucher|surcharge|gebühr|gutschein)\b",
    re.IGNORECASE,
)
_MONEY_WORD = re.compile(
    r"\b(?:refund\w{0,3}|credit (?:note|ed)|credited|fees?|charge[ds]?|paid|invoices?|bills?|fines?|deposit|voucher|discount|prices?|money|cash|costs?"
    r"|\w{0,30}(?:gebühr|kosten|rechnung|preis|geld|gutschrift|gutschein)\w{0,2}|erstatt\w{1,3}|(?:aus)?gezahlt|bezahlt|zahlt)\b",
    re.IGNORECASE,
)
_WORTH_WORD = re.compile(  # in a line with which 12k is money
    rf"\b(?:{_WORTH}|budget\w{{0,2}}|quote[ds]?|pay\w{{0,2}}|paid|turnover|invest\w{{0,4}}|loan|rent|salary|salar\w{{2,3}}|savings?|saved|saves|under budget|owe[ds]?|euros?"
    r"|billed|grant|subsidy|fine|fee|deposit|funding|profit|margin|missing|overdraft|pension|mortgage|cheque|kredit|gehalt|miete|offer|angebot|rechnung|gebühr|strafe|kostenvoranschlag)s?\b",
    re.IGNORECASE,
)
_WEIGHT_OR_MONEY = ("pound", "pounds")
_CLAUSE_END = re.compile(r" ?(?:$|[,;.!?)])")
_OPEN_ITEM = re.compile(r" (?:in (?:open|unpaid|outstanding)|bis|by|until|for the|für)\b", re.IGNORECASE)
_PLAIN_COST = re.compile(rf"(?<![\w.,'’])(?P<n>{_NUMBER}) ?(?P<x>{_UNIT[:-2]})? cost\b", re.IGNORECASE)
_FUNCTION_WORD = re.compile(
    r" (?:a|per|for|from|to|of|in|on|at|by|and|or|with|is|was|back|für|von|an|zu|pro|im|am|und|oder|bis|refund\w{0,3}|credit\w{0,3}|"
    r"deposit|voucher|fee|off|paid|lost)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\b(?:ran|run|running|jogged|platform|flat|gate|unit|house|bus|tram|van|lane|bay|table|desk|bed|block|phase|level|gleis|tisch|bett|haus|room|ward|no\.?|nr\.?|number|invoice|order|case|ticket|store|dock|floor|line|version|rechnung|auftrag|raum|zimmer|"
    r"station|filiale|etage) #?$",
    re.IGNORECASE,
)
_RANGE_LOW = re.compile(rf"(?<![\w.,'’])(?P<n>\d{{1,12}}(?:[.,]\d{{1,3}})?)(?P<x>{_UNIT})? ?[–-] ?$", re.IGNORECASE)
_RANGE_HIGH = re.compile(rf" ?[–-] ?[€$£]?(?P<n>{_NUMBER})(?P<x> ?(?:{_UNIT}))?{_NUMBER_END}", re.IGNORECASE)
_REACH = 40  # letters before an amount that say what it is


def read_money(text: str) -> tuple[float | None, str | None, tuple[CaptureQuestion, ...]]:
    """The first amount of a line and its currency; or what is to be asked about it."""
    names_money = _MONEY_WORD.search(text) is not None
    for match in _MONEY.finditer(text):
        if (match["after"] or "").lower() in _WEIGHT_OR_MONEY and not names_money:
            continue  # of weight
        if (question := _unclear_amount(text, match)) is not None:
            return None, None, (question,)
        unit = (match["sign"] or match["code"] or match["after"]).lower()
        return _amount(match["a"] or match["b"], match["x"] or match["y"]), _SIGNS.get(unit, unit.upper()), ()
    names_worth = _WORTH_WORD.search(text) is not None
    for match in (*_PLAIN_COST.finditer(text), *_LARGE_NUMBER.finditer(text)):
        if match.re is _PLAIN_COST or _is_money(text, match, names_worth):
            return _amount(match["n"], match["x"]), None, ()
    return _plain_sum(text), None, ()


def _plain_sum(text: str) -> float | None:
    """A number alone that words around it say was paid: refunded 90, 40 off, and 28.80 in a line about a refund."""
    match = _PAID_SUM.search(text) or _PRICE_OF.search(text)
    if match is None and _MONEY_WORD.search(text):
        match = _SUM_BACK.search(text) or _PRICE.search(text)
    if match is None or _NOUN_AFTER.match(text, match.end()) or _is_year(match["n"]):
        return None
    is_labelled = _LABEL.search(text[max(0, match.start("n") - _REACH) : match.start("n")])
    return None if is_labelled else _amount(match["n"], None)


def _is_year(number_text: str) -> bool:
    return len(number_text) == 4 and number_text.isdecimal() and 1900 <= int(number_text) < 2100


def amount_spans(text: str) -> list[tuple[int, int]]:
    """Where amounts stand, so that their letters are taken for nothing else: €12m is no time."""
    return [match.span() for match in _MONEY.finditer(text)]


def _is_money(text: str, match: re.Match[str], names_worth: bool) -> bool:
    """A large number without a currency is one of money beside a word that says so; 12k in a line that speaks of money, 1,2 Mio
    also by itself."""
    before = text[max(0, match.start() - _REACH) : match.start()]
    if _WORTH_AFTER.match(text, match.end()):
        return True
    if _PLURAL_AFTER.match(text, match.end()):  # an order of 5k labels
        return False
    if _WORTH_BEFORE.search(before):
        return True
    if match["x"] == "k":  # 12k by itself is money, unless it counts something
        is_other = _NOUN_AFTER.match(text, match.end()) or _LABEL.search(before)
        return not is_other and match["n"] != "401" and names_worth
    is_small = match["x"].lower().rstrip(".") in ("k", "tsd", "thousand")
    return not is_small and bool(_CLAUSE_END.match(text, match.end()) or _OPEN_ITEM.match(text, match.end()))


def _amount(amount_text: str, unit: str | None) -> float:
    return round(parse_number(amount_text) * _MULTIPLIERS.get((unit or "").lower().rstrip("."), 1), 4)


def parse_number(amount_text: str) -> float:
    """1,200.50 and 1.200,50 alike; a single separator before three digits parts thousands, but for 0.125 and 1234.567."""
    amount_text = re.sub("[ '’]", "", amount_text)
    last_separator = max(amount_text.rfind(","), amount_text.rfind("."))
    integer_part, decimal_part = (
        (amount_text, "") if last_separator < 0 else (amount_text[:last_separator], amount_text[last_separator + 1 :])
    )
    has_groups = re.search("[.,]", integer_part) is not None
    if last_separator >= 0 and (
        len(decimal_part) != 3 or (not has_groups and (len(integer_part) > 3 or integer_part == "0"))
    ):
        return float(f"{re.sub('[.,]', '', integer_part)}.{decimal_part}")
    return float(re.sub("[.,]", "", amount_text))


def _unclear_amount(text: str, match: re.Match[str]) -> CaptureQuestion | None:
    """What of an amount can be read in two ways: a span, 1.250k, €5 m, and digits apart that may not belong together."""
    start, end = match.span()
    number_text, unit = match["a"] or match["b"], match["x"] or match["y"] or ""
    prefix, suffix = (text[start : match.start("a")], "") if match["a"] else ("", " " + match["after"])
    if match["a"] and (high := _RANGE_HIGH.match(text, end)):
        shared_unit = unit or (high["x"] or "").strip()
        return _ask_reading(
            text, start, high.end(), f"{prefix}{number_text}{shared_unit}", f"{prefix}{high['n']}{high['x'] or ''}"
        )
    if match["b"] and (low := _RANGE_LOW.search(text[max(0, start - _REACH) : start])):
        range_start = start - len(low[0])
        return _ask_reading(
            text, range_start, end, f"{low['n']}{low['x'] or unit}{suffix}", f"{number_text}{unit}{suffix}"
        )
    if unit and re.fullmatch(r"\d{1,3}[.,]\d{3}", number_text):
        multiplier = _MULTIPLIERS[unit.lower().rstrip(".")]
        integer_part, decimal_part = re.split("[.,]", number_text)
        values = (float(integer_part + decimal_part) * multiplier, float(f"{integer_part}.{decimal_part}") * multiplier)
        return _ask_reading(text, start, end, *(f"{prefix}{value:,.0f}{suffix}" for value in values))
    if unit == "m" and (match["gap"] or match["gap2"]):
        return _ask_reading(
            text, start, end, f"{prefix}{number_text} million{suffix}", f"{prefix}{number_text}{suffix}; m"
        )
    return _split_digits(text, match, prefix, number_text, suffix)


def _split_digits(
    text: str, match: re.Match[str], prefix: str, number_text: str, suffix: str
) -> CaptureQuestion | None:
    """Digits parted by a blank: €5 200 boxes, room 7 200 €."""
    if " " not in number_text:
        return None
    start, end = match.span()
    first, _, last = number_text.partition(" ")
    joined_number = number_text.replace(" ", ",") if "," not in number_text else number_text.replace(" ", "")
    if match["a"]:
        is_clear = match["x"] or _CLAUSE_END.match(text, end) or _FUNCTION_WORD.match(text, end)
        return (
            None if is_clear else _ask_reading(text, start, end, f"{prefix}{joined_number}", f"{prefix}{first}, {last}")
        )
    before = text[max(0, start - _REACH) : start]
    return (
        _ask_reading(text, start, end, f"{joined_number}{suffix}", f"{first}, {last}{suffix}")
        if _LABEL.search(before)
        else None
    )


def _ask_reading(text: str, start: int, end: int, *readings: str) -> CaptureQuestion:
    return CaptureQuestion(text[start:end], start, readings)
