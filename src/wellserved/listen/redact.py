"""Personal details out of words, before anything of them is kept, indexed, quoted or shown.

By rule: addresses of mail and of the web with secrets in them, telephone, card (Luhn), IBAN (mod 97), social security
and account numbers, addresses of machines, dates of birth, streets with a house number; names where the record knows
them or a word before them says so. A detail becomes its kind in angle quotes, ‹mail›; what was taken out is counted by
kind. What no rule knows stays: a name that stands alone in a sentence, for one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

KINDS = ("mail", "link", "IBAN", "card", "social security", "phone", "IP", "birth date", "address", "account", "name")
_DIGITS = re.compile(r"\d")
_MONTHS = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|januar|februar|märz|mai|juni|juli|oktober|dezember|janvier|février|"
    r"mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    r"septiembre|octubre|noviembre|diciembre)[a-zé]*"
)
_DATE = rf"(?:\d{{1,2}}\.?\s?[./-]\s?\d{{1,2}}\.?\s?[./-]?\s?\d{{2,4}}|\d{{4}}[./-]\d{{1,2}}[./-]\d{{1,2}}|\d{{1,2}}(?:st|nd|rd|th|er|\.)?[\s-]*(?:of\s+|de\s+)?{_MONTHS}\.?,?[\s-]*(?:del?\s+)?\d{{2,4}}|{_MONTHS}\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{2,4}})"
_HOLDING = (
    r"(?:account|acct|a/c|customer|cust|client|member(?:ship)?|policy|contract|passport|licen[cs]e|loan|routing|"
    r"\w*konto|kunden|\w*verträ?a?g\w*|versicherungs?|police\w*|ausweis|compte|contrat|police|client|cuenta|contrato|póliza|conto)\w*"
    r"(?:[\s-]*(?:numbers?|no|num|nr|id|nummer|numéro|número|numero|#)\b\.?)?"
)
_BORN = r"(?:\bborn(?:\s+on)?|\bdate of birth|\bbirth\s*da(?:y|te)|\bd\.?o\.?b\.?|\bgeboren(?:\s+am)?|\bgeb\.|\bgeburts(?:datum|tag)|\bnée?\s+le|\bdate de naissance|\bnacid[oa](?:\s+el)?|\bfecha de nacimiento|\bnací\s+el|\bbirthdate|\bnat[oa]\s+il|\bdata di nascita)"
_STREET_WORDS = (
    "Street St Str Road Rd Avenue Ave Lane Ln Drive Dr Court Ct Boulevard Blvd Square Sq Place Pl Terrace Way Close Crescent "
    "Parkway Pkwy Highway Hwy Circle Cir Trail Row Mews"
)
_STREET = rf"(?:{'|'.join(_STREET_WORDS.split())}|(?:{'|'.join(_STREET_WORDS.upper().split())})|street|road|avenue|lane|boulevard|blvd)"
_FLAT = r"(?:,?\s+(?i:apt|apartment|unit|suite|ste|#|flat)\.?\s*\w+)?"
_CAPITAL = r"[A-ZÄÖÜÉÈÁÍÓÚÑÇŠŽŁ][\w'’-]+"
_TITLES = r"(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Frau|Herrn|M\.|Mme|Mlle|Monsieur|Madame|Sr|Sra|Señor|Señora|Signor|Signora|Sig|señor|señora)"


@dataclass(frozen=True)
class _Rule:
    """What a detail looks like, and what else must hold of it."""

    kind: str
    pattern: re.Pattern[str]
    length: Callable[[str], int] = len  # how much of what was matched is the detail; 0: nothing
    part: int = 0  # the group that is the detail


def luhn(text: str) -> bool:
    """The digits of a card add up (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in _DIGITS.findall(text)]
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [digit if index % 2 == 0 else digit * 2 - 9 * (digit > 4) for index, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def iban(text: str) -> bool:
    """The check digits of an IBAN hold (ISO 13616: mod 97 is 1)."""
    letters = re.sub(r"[\s-]", "", text).upper()
    if not 15 <= len(letters) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])) % 97 == 1


def _iban_length(text: str) -> int:
    """Of an IBAN and what may follow it, how long the IBAN is."""
    ends = (match.start() for match in re.finditer(r"[ -]|$", text))
    return max((end for end in ends if iban(text[:end])), default=0)


def _account_length(text: str) -> int:
    """Of what follows a word such as account, how much is its number: four digits or more, and no date or plain word."""
    words = text.split(" ")
    while words and not any(map(str.isdigit, words[-1])):
        words.pop()
    kept = " ".join(words)
    return len(kept) if len(_DIGITS.findall(kept)) >= 4 and not re.fullmatch(r"(?:19|20)\d\d", kept) else 0


def _whole_if(holds: Callable[[str], bool]) -> Callable[[str], int]:
    return lambda text: len(text) if holds(text) else 0


def _phone(text: str) -> bool:
    """Enough digits for a telephone, not a date, not an amount."""
    count = len(_DIGITS.findall(text))
    looks_like_date = re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}", text.strip())
    return 7 <= count <= 15 and not looks_like_date and not re.fullmatch(r"\d{1,3}(?:[.,  ]\d{3})+", text.strip())


_RULES = (
    _Rule("mail", re.compile(r"(?<![\w.+-])(?:mailto:)?[\w.!#$%&'*+/=?^`{|}~-]{1,64}\s?(?:@|\(at\)|\[at\]|＠)\s?[\w-]*[a-z][\w-]*(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w-]+)+", re.I)),
    _Rule("link", re.compile(r"(?:(?:https?|ftps?|sftp)://|www\.)[^\s<>\"')\]]+|(?<![\w@.])(?:[a-z][\w-]{0,62}\.){1,4}[a-z]{2,12}/[^\s<>\"')\]]+", re.I)),
    _Rule("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}\b", re.I), _iban_length),
    _Rule("card", re.compile(r"(?<![\d.])\d(?:[ .-]?\d){12,18}(?![\d])"), _whole_if(luhn)),
    _Rule("social security", re.compile(r"(?<!\d)(?!000|666)\d{3}[- ]\d{2}[- ]\d{4}(?!\d)")),
    _Rule("social security", re.compile(r"\b(?:ssn|social security(?: number)?|sozialversicherungsnummer|n[úu]mero de seguridad social)\W{0,12}(?:is|ist|es|no\.?|#)?[^\d\n]{0,12}([\dA-Z][\dA-Z .-]{6,14}\d)", re.I), part=1),
    _Rule("social security", re.compile(r"\b(?:my social|ss\s?#|ss no\.?)[^\d\n]{0,15}(\d{3}[ .-]?\d{2}[ .-]?\d{4})(?!\d)", re.I), part=1),
    _Rule("IP", re.compile(r"(?<![\d.])(?<!firmware )(?<!Firmware )(?<!version )(?<!Version )(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]*\d)")),
    _Rule("IP", re.compile(r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b|(?<![\w:])(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}\b", re.I)),
    _Rule("birth date", re.compile(rf"{_BORN}[^\d\n]{{0,60}}?({_DATE})", re.I), part=1),
    _Rule("birth date", re.compile(rf"({_DATE})(?=[^\d\n]{{0,12}}\b(?:geboren|born|née?|nacid[oa]|nat[oa])\b)", re.I), part=1),
    _Rule("account", re.compile(rf"\b{_HOLDING}[^\d\n]{{0,20}}?\b([A-Z0-9]{{1,8}}(?:[ ./-]?[A-Z0-9]{{1,8}}){{0,5}})(?![\w-])", re.I), _account_length, 1),
    _Rule("phone", re.compile(r"(?<![\w.,/-])(?:\+|00)\d{1,3}[\s./-]?(?:\(0?\d{0,4}\)[\s./-]?)?\d(?:[\s./-]{0,2}\d){5,12}(?!\w)"), _whole_if(_phone)),
    _Rule("phone", re.compile(r"(?<![\w.,/-])0\d{9,10}(?![\w-])"), _whole_if(_phone)),
    _Rule("phone", re.compile(r"(?<![\w.,/-])\(\d{2,5}\)[\s./-]?\d(?:[\s./-]{0,2}\d){4,9}(?!\w)"), _whole_if(_phone)),
    _Rule("phone", re.compile(r"(?<![\w.,/-])(?:1[ .-])?\d{3}[ .-]\d{3}[ .-]\d{4}(?!\w)"), _whole_if(_phone)),
    _Rule("phone", re.compile(r"(?<![\w.,/-])0\d{1,4}[\s./-]{1,3}\d(?:[\s./-]{0,2}\d){4,9}(?!\w)"), _whole_if(_phone)),
    _Rule("phone", re.compile(r"\b(?:call|phone|tel(?:efon|éfono|ephone)?|mobile?|mobil|cell|handy|fax|reach|ring|text|anruf|rückruf|whatsapp|portable|dial\w*)\b[^\d\n]{0,20}(\+?\d(?:[\s./()-]{0,2}\d){6,14})(?!\w)", re.I), _whole_if(_phone), 1),
    _Rule("address", re.compile(rf"\b\d{{1,5}}[a-zA-Z]?\s+(?:(?:NE|NW|SE|SW|N|S|E|W|North|South|East|West)\.?\s+)?(?:(?:[A-Z][\w'’.-]*|\d{{1,3}}(?:st|nd|rd|th))\s+){{1,4}}{_STREET}\b\.?{_FLAT}")),
    _Rule("address", re.compile(rf"\b\d{{1,5}}[a-z]?\s+(?:[a-z][\w'’.-]*\s+){{1,2}}(?:street|road|avenue|lane|boulevard|blvd)\b\.?{_FLAT}")),
    _Rule("address", re.compile(r"\b(?:[A-ZÄÖÜ][\wäöüß'’]{1,30}\.?[\s-]){0,3}(?:[A-ZÄÖÜ][\wäöüß]{0,30}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ufer|damm|chaussee)|Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Ring|Ufer)\s+\d{1,4}\s?[a-z]?\b")),
    _Rule("address", re.compile(r"\b\d{1,4}\s?(?:bis|ter)?,?\s+(?i:rue|avenue|boulevard|place|chemin|impasse|allée|quai)\s+(?:(?:de|du|des|la|le|les|l'|d')\s?)*[A-ZÉÈ][\w'’-]+(?:[\s-][A-ZÉÈ][\w'’-]+){0,2}")),
    _Rule("address", re.compile(r"\b(?i:calle|avenida|av\.|plaza|paseo|camino|avda\.|c/|via|viale|piazza|corso)\s+(?:(?:de|del|la|las|los|di|della)\s+)*[A-ZÁÉÍÓÚÑ][\w'’-]+(?:\s+[A-ZÁÉÍÓÚÑ][\w'’-]+){0,2},?\s+(?:n[.º°]{1,2}\s*)?\d{1,4}\b")),
    _Rule("address", re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d+\b", re.I)),
    _Rule("name", re.compile(rf"\b(?i:{_TITLES})\.?\s+(?:(?i:{_TITLES})\.?\s+)*((?:[A-Z]\.[ ]?)*{_CAPITAL}(?:[ ](?:van|von|de|der|den|la|le|di)){{0,2}}(?:[ ](?:{_CAPITAL}|[A-Z]\.)){{0,3}})"), part=1),
    _Rule("name", re.compile(rf"\b(?i:this is|it is|hier ist|ici) ({_CAPITAL}(?:[ ]{_CAPITAL}){{0,2}})(?=,?\s+(?:from|speaking|calling|again|here|at|von|de)\b)"), part=1),
    _Rule("name", re.compile(rf"\b(?i:my (?:full )?name(?:['’]s| is)|i am called|name:|mein name ist|ich heiße|ich bin (?:der|die)|je m['’]appelle|me llamo|mi nombre es|mi chiamo|(?:regards|sincerely|grüßen|grüße|gruß|cordialement|saludos)[,.]?)[ \n]+((?:[A-Z]\.[ ]?)*{_CAPITAL}(?:[ ](?:van|von|de|der|den|la|le|di)){{0,2}}(?:[ ](?:{_CAPITAL}|[A-Z]\.)){{0,3}})"), part=1),
    _Rule("name", re.compile(r"\b(?:my name is|regards,)[ \n]+([a-z]{2,20} [a-z]{2,20})(?=[\s.,]*(?:btw|$|\n))", re.I), part=1),
)  # fmt: skip
_LETTERS_FOR_NAMES = 4  # a shorter name known to the record may be a word


@dataclass(frozen=True)
class Redacted:
    """Words without details, and how many were taken out, by kind."""

    text: str
    counts: Counter[str]


class Redactor:
    """Takes personal details out; knows the record's own names of customers, accounts and persons."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = _known_names(names)

    def redact(self, text: str) -> Redacted:
        """The text with every detail replaced by its kind."""
        counts: Counter[str] = Counter()
        for rule in _RULES:
            if rule.kind == "name" or _may_hold(rule, text):
                text = _replace(rule, text, counts)
        if self._names and self._names.keys() & set(_WORD.findall(text.casefold())):
            text = self._without_known_names(text, counts)
        return Redacted(text, counts)

    def _without_known_names(self, text: str, counts: Counter[str]) -> str:
        """By the words of the text that begin a known name: the longest such name goes."""
        words = [(match.group().casefold(), match.start(), match.end()) for match in _WORD.finditer(text)]
        kept, last, index = [], 0, 0
        while index < len(words):
            for name in self._names.get(words[index][0], ()):
                if tuple(word for word, _, _ in words[index : index + len(name)]) == name:
                    kept += [text[last : words[index][1]], "‹name›"]
                    last = words[index + len(name) - 1][2]
                    index += len(name) - 1
                    counts["name"] += 1
                    break
            index += 1
        return "".join([*kept, text[last:]])


_WORD = re.compile(r"[^\W_]+")


_LEGAL_FORMS = frozenset(
    [
        "inc",
        "incorporated",
        "llc",
        "llp",
        "lp",
        "ltd",
        "limited",
        "plc",
        "co",
        "corp",
        "corporation",
        "company",
        "companies",
        "group",
        "holding",
        "holdings",
        "na",
        "n",
        "a",
        "national",
        "association",
        "fsb",
        "gmbh",
        "ag",
        "kg",
        "ohg",
        "ug",
        "ev",
        "eg",
        "se",
        "sa",
        "sas",
        "sarl",
        "srl",
        "spa",
        "bv",
        "nv",
        "ab",
        "as",
        "oy",
        "pty",
        "the",
        "financial",
        "services",
        "bank",
        "usa",
        "us",
    ]
)


def _without_legal_form(words: tuple[str, ...]) -> tuple[str, ...]:
    """A name without what lawyers and printers add at its end; a name of nothing else is none."""
    while words and words[-1] in _LEGAL_FORMS:
        words = words[:-1]
    return words[1:] if words[:1] == ("the",) else words


def words_of_names(texts: Iterable[str], holders: Iterable[str | None]) -> set[str]:
    """Words of holders' names that mostly their own texts use: people shorten names, and say the word that is left.

    A word that other holders' texts use as much is a word of the language, and stays.
    """
    total: Counter[str] = Counter()
    own: Counter[str] = Counter()
    name_words: dict[str, set[str]] = {}
    pairs = [(text, holder) for text, holder in zip(texts, holders, strict=True) if holder]
    for holder in {holder for _, holder in pairs}:
        name_words[holder] = set(_without_legal_form(tuple(_WORD.findall(holder.casefold())))) - _LEGAL_FORMS
    candidates = set().union(*name_words.values()) if name_words else set()
    for text, holder in pairs:
        present = candidates & set(_WORD.findall(text.casefold()))
        total.update(present)
        own.update(present & name_words[holder])
    return {word for word, count in own.items() if count >= 3 and count * 2 >= total[word] and len(word) > 2}


def _known_names(names: Iterable[str]) -> dict[str, list[tuple[str, ...]]]:
    """First word -> names that begin with it, as words, longest first; numbers and short words are no names."""
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for name in sorted(set(names)):
        words = _without_legal_form(tuple(_WORD.findall(name.casefold())))
        if words and sum(map(len, words)) >= _LETTERS_FOR_NAMES and not all(word.isdigit() for word in words):
            by_first.setdefault(words[0], []).append(words)
    return {first: sorted(known, key=lambda words: (-len(words), words)) for first, known in by_first.items()}


def _may_hold(rule: _Rule, text: str) -> bool:
    """What every detail of the kind has: spares most texts most rules."""
    if rule.kind == "mail":
        return "@" in text or "＠" in text or "(at)" in text or "[at]" in text
    return rule.kind == "link" or bool(_DIGITS.search(text)) or ":" in text


def _replace(rule: _Rule, text: str, counts: Counter[str]) -> str:
    def one_detail(match: re.Match[str]) -> str:
        detail = match.group(rule.part)
        if not (length := rule.length(detail)):
            return match.group()
        counts[rule.kind] += 1
        start = match.start(rule.part) - match.start()
        end = start + length
        return f"{match.group()[:start]}‹{rule.kind}›{match.group()[end:]}"

    return rule.pattern.sub(one_detail, text)
