"""Does a bullet still say what was signed? Its words are free; its numbers are not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wellserved.claim.file import SENTENCE_FORMS, VARIANTS, open_claim, restrict_claim

BulletState = Literal["as signed", "numbers as signed", "not as signed", "no longer holds", "own word"]
NOT_YOURS: Final = "you have no claim of this number"
HELD_BACK: Final = "your house does not let these figures leave"
NO_CAVEAT: Final = "it leaves out what the claim says is not excluded"
OTHER_NUMBERS: Final = "its numbers are not those that were signed"
STATE_MARKS: Final[dict[BulletState, str]] = {
    "as signed": "checked", "numbers as signed": "numbers checked", "not as signed": "not as signed", "no longer holds": "", "own word": "",
}  # fmt: skip
"""What stands in brackets behind a bullet, with the claim's number; nothing: no mark."""
STATE_MEANINGS: Final[dict[BulletState, str]] = {
    "as signed": "the sentence as it was signed",
    "numbers as signed": "the numbers as they were signed, in the author's own words",
    "not as signed": OTHER_NUMBERS,
    "no longer holds": "the author's own word: the claim behind it does not hold any more",
    "own word": "the author's own word",
}
_MARK: Final = re.compile(r"\s*\((?:checked|numbers checked|not as signed)(?:, *\w+)?: *([^()]*)\)", re.IGNORECASE)
_SIGN: Final = re.compile("[✓✔☑✅✗✘]\ufe0f? ?")  # nobody signs by typing one
_CAVEAT: Final = re.compile(r"\([^()]*not excluded[^()]*\)")
_UNITS: Final = {
    "%": "percent", "percent": "percent", "pct": "percent", "point": "point", "pt": "point",
    "second": "second", "sec": "second", "s": "second", "minute": "minute", "min": "minute", "hour": "hour", "hr": "hour", "h": "hour",
    "day": "day", "d": "day", "week": "week", "wk": "week", "month": "month", "mo": "month", "quarter": "quarter", "year": "year", "yr": "year",
}  # fmt: skip
_NUMBER_WORDS: Final = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
         "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")
    )
} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100",
    "hundreds": "100", "thousand": "1000", "thousands": "1000", "million": "1000000", "millions": "1000000", "dozen": "12", "dozens": "12",
    "half": "1/2", "halved": "1/2", "halving": "1/2", "halves": "1/2", "third": "1/3", "thirds": "1/3", "double": "x2", "doubled": "x2", "doubling": "x2",
    "twice": "x2", "triple": "x3", "tripled": "x3", "tripling": "x3", "thrice": "x3", "twofold": "x2", "threefold": "x3", "tenfold": "x10",
}  # fmt: skip
_TOKEN: Final = re.compile(r"(?:\d[\d.,]*\d|\d)|%|[^\W\d_]+")
_RANGE: Final = re.compile(r"\s*(?:[-–—]|to|and|or)\s*")


@dataclass(frozen=True)
class SignedNumber:
    """A number of a sentence: its value, what it counts, and whether it is where a change comes from or goes to."""

    value: str
    unit: str = ""
    side: str = ""  # from, to; empty: neither is said


@dataclass(frozen=True)
class HeldClaim:
    """A claim that a bullet may be bound to: its file, or why it is not handed out."""

    raw: bytes  # with all that it may hide
    refusal: str = ""
    address: str = ""  # where the house shows it to whoever has the address


@dataclass(frozen=True)
class SealedBullet:
    """A bullet, and what stands behind it."""

    text: str  # without its mark
    state: BulletState = "own word"
    claim_id: str = ""
    grade: str = ""  # of the claim: proved, measured
    sentence: str = ""  # as it was signed, in the form that the bullet tells
    raw: bytes = b""  # the claim file that goes along: it shows no more than the bullet does
    reason: str = ""  # why it is not sealed, for its author alone
    address: str = ""  # where the house shows its claim

    @property
    def marked_text(self) -> str:
        """The bullet with its mark, as it stands where only text can."""
        mark = STATE_MARKS[self.state]
        return f"{self.text} ({mark}, {self.grade}: {self.claim_id})" if mark else self.text

    @property
    def is_sealed(self) -> bool:
        """Its numbers are those that were signed."""
        return self.state in ("as signed", "numbers as signed")


def signed_numbers(text: str) -> tuple[SignedNumber, ...]:
    """The numbers of a text, in their order: digits of every script, and number words."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("per cent", "%")
    tokens = [*_TOKEN.finditer(plain)]
    numbers: list[SignedNumber] = []
    next_start = len(plain)
    for place, token in reversed([*enumerate(tokens)]):
        value = _value(token[0])
        if value is None:
            continue
        after = tokens[place + 1][0] if place + 1 < len(tokens) else ""
        before = tokens[place - 1][0] if place else ""
        unit = _unit(after)
        if not unit and numbers and _RANGE.fullmatch(plain[token.end() : next_start]):
            unit = numbers[-1].unit  # 12-15 days: both are days
        numbers.append(SignedNumber(value, unit, before if before in ("from", "to") else ""))
        next_start = token.start()
    return tuple(reversed(numbers))


def _value(word: str) -> str | None:
    """A number's value, always written alike; None: no number."""
    if word[0].isdigit():
        digits = "".join(str(unicodedata.digit(letter)) if letter.isdigit() else letter for letter in word)
        digits = re.sub(r",(?=\d{3}(?!\d))", "", digits).replace(",", ".")
        whole, _point, part = digits.partition(".")
        part = part.rstrip("0")
        return f"{whole.lstrip('0') or '0'}{'.' + part if part else ''}"
    return _NUMBER_WORDS.get(word)


def _unit(word: str) -> str:
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"), "")


def has_signed_numbers(text: str, sentence: str) -> bool:
    """Whether a text has the numbers of a signed sentence, all of them and no other: of each unit in the same order, and none of
    them moved from where a change comes from to where it goes."""
    own, signed = signed_numbers(text), signed_numbers(sentence)
    for unit in {number.unit for number in (*own, *signed)}:
        own_numbers = [number for number in own if number.unit == unit]
        their_numbers = [number for number in signed if number.unit == unit]
        if [number.value for number in own_numbers] != [number.value for number in their_numbers]:
            return False
        if any(a.side and b.side and a.side != b.side for a, b in zip(own_numbers, their_numbers, strict=True)):
            return False
    return True


def split_mark(text: str) -> tuple[str, str]:
    """A bullet without marks and signs, and the number of the claim that its mark names; empty: none."""
    plain = _SIGN.sub("", text)
    mark = _MARK.search(plain)
    return _MARK.sub("", plain).strip(), mark[1].strip().lower() if mark else ""


def seal_bullet(text: str, claims: Mapping[str, HeldClaim], variants: Sequence[str] = tuple(VARIANTS)) -> SealedBullet:
    """A bullet beside the claim that its mark names, in the form of it that shows least and has the bullet's numbers.

    `claims`: one's own, by their number; `variants`: the forms that the house lets leave.
    """
    words, claim_id = split_mark(text)
    if not claim_id:
        return SealedBullet(words)
    held_claim = claims.get(claim_id)
    if held_claim is None:
        return SealedBullet(words, "no longer holds", claim_id, reason=NOT_YOURS)
    if held_claim.refusal:
        return SealedBullet(words, "no longer holds", claim_id, reason=held_claim.refusal)
    file = open_claim(held_claim.raw)
    shown, grade = file.shown, str(file.predicate["grade"])
    matches = [
        (variant, str(shown[f"sentence_{form}"]))
        for variant, form in zip(VARIANTS, SENTENCE_FORMS, strict=True)
        if f"sentence_{form}" in shown
    ][::-1]  # the one that shows least first
    for state, is_match in (("as signed", _same_words), ("numbers as signed", _says_as_much)):
        for variant, sentence in matches:
            if is_match(words, sentence):
                if variant not in variants:
                    return SealedBullet(words, "no longer holds", claim_id, reason=HELD_BACK)
                raw = restrict_claim(held_claim.raw, VARIANTS[variant])
                return SealedBullet(words, state, claim_id, grade, sentence, raw, address=held_claim.address)  # type: ignore[arg-type]
    allowed = [sentence for variant, sentence in matches if variant in variants]
    has_numbers = any(has_signed_numbers(words, sentence) for sentence in allowed)
    return SealedBullet(
        words, "not as signed", claim_id, grade, allowed[0] if allowed else "",
        reason=NO_CAVEAT if has_numbers else OTHER_NUMBERS,
    )  # fmt: skip


def _says_as_much(text: str, sentence: str) -> bool:
    """Other words with the signed numbers, and with what is not excluded."""
    return has_signed_numbers(text, sentence) and _keeps_caveats(text, sentence)


def _keeps_caveats(text: str, sentence: str) -> bool:
    plain = " ".join(text.casefold().split())
    return all(" ".join(caveat.casefold().split()) in plain for caveat in _CAVEAT.findall(sentence))


def _same_words(text: str, sentence: str) -> bool:
    return text.strip().rstrip(".") == sentence.strip().rstrip(".")
