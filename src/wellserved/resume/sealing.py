"""Does a bullet still say what was signed? Its words are free; its numbers are not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
_MARK: Final = re.compile(
    r"[(\[{（【［]\s{0,9}(?:numbers\s{1,9})?(?:checked|not\s{1,9}as\s{1,9}signed)\b([^()\[\]{}（）【】［］]{0,80})[)\]}）】］]",
    re.IGNORECASE,
)
_SIGN: Final = re.compile("[✓✔☑✅✗✘❌❎🗸🗹🗷🗵]\ufe0f?")  # nobody signs by typing one
_CLAIM_ID: Final = re.compile(r"\b[a-z2-7]{12}\b", re.IGNORECASE)
_CAVEAT: Final = re.compile(r"\(([^()]*not excluded[^()]*)\)")
_UNITS: Final = {
    "%": "percent", "percent": "percent", "pct": "percent", "point": "point", "pt": "point",
    "second": "second", "sec": "second", "s": "second", "minute": "minute", "min": "minute", "hour": "hour", "hr": "hour", "h": "hour",
    "day": "day", "d": "day", "week": "week", "wk": "week", "month": "month", "mo": "month", "quarter": "quarter", "year": "year", "yr": "year",
}  # fmt: skip
_SMALL: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_WORDS: Final = (
    {word: str(number) for number, word in enumerate(_SMALL)}
    | {word: str(10 * number) for number, word in enumerate(_TENS, 2)}
    | {f"{ten}-{_SMALL[one]}": str(10 * number + one) for number, ten in enumerate(_TENS, 2) for one in range(1, 10)}
    | {f"{word}s": value for word, value in (("hundred", "100"), ("thousand", "1000"), ("million", "10**6"), ("billion", "10**9"), ("dozen", "12"))}
    | {"hundred": "100", "thousand": "1000", "million": "10**6", "billion": "10**9", "trillion": "10**12", "dozen": "12"}
    | dict.fromkeys(("half", "halved", "halves", "halving"), "1/2")
    | {f"{word}{end}": f"x{size}" for word, size in (("doubl", 2), ("tripl", 3), ("quadrupl", 4)) for end in ("e", "ed", "es", "ing")}
    | {"twice": "x2", "thrice": "x3"}
    | {f"{word}fold": f"x{number}" for number, word in enumerate(_SMALL) if number > 1} | {"hundredfold": "x100", "manifold": "x?"}
    | {"third": "1/3", "thirds": "1/3", "fourth": "1/4", "fifth": "1/5", "sixth": "1/6", "tenth": "1/10", "tenths": "1/10"}
)  # fmt: skip
_COMPARING: Final = frozenset(
    {"more", "less", "fewer", "over", "above", "under", "below", "beyond", "nearly", "almost", "least", "most", "up", "than", "minus", "another", "additional", "extra", "not", "excess"}
)  # fmt: skip
_DOWN: Final = frozenset(
    {"reduced", "reduce", "reducing", "reduction", "cut", "cutting", "cuts", "lowered", "lower", "decreased", "decrease", "fell", "fall", "fallen", "dropped",
     "drop", "shortened", "shorter", "faster", "quicker", "sooner", "down"}
)  # fmt: skip
_UP: Final = frozenset(
    {"raised", "raise", "raising", "increased", "increase", "increasing", "rose", "rise", "risen", "grew", "grow", "growth", "grown", "higher", "longer", "slower", "up", "lengthened"}
)  # fmt: skip
_TOKEN: Final = re.compile(r"\d{1,3}(?:[\u00a0\u202f ]\d{3})+(?!\d)|\d[\d.,]*\d|\d|%|[^\W\d_]+(?:-[^\W\d_]+)?")
_ORDINAL: Final = re.compile(r"(?:st|nd|rd|th)\b")
_RANGE: Final = re.compile(r"\s*(?:[-–—]|to|and|or)\s*")
_PERCENT_RANGE: Final = re.compile(r"\s*%\s*(?:[-–—]|to|and)\s*")  # by 80% to 85%
_SIDES: Final = {"from": "from", "to": "to"}


@dataclass(frozen=True)
class SignedNumber:
    """A number of a sentence: its value, what it counts, and whether it is where a change comes from or goes to."""

    value: str
    unit: str = ""
    side: str = ""  # from, to; empty: neither is said
    comparing: str = ""  # words before it that make it more or less than it is


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
        grade = f", {self.grade}" if self.is_sealed else ""
        return f"{self.text} ({mark}{grade}: {self.claim_id})" if mark else self.text

    @property
    def is_sealed(self) -> bool:
        """Its numbers are those that were signed."""
        return self.state in ("as signed", "numbers as signed")


def signed_numbers(text: str) -> tuple[SignedNumber, ...]:
    """The numbers of a text, in their order: digits of every script, and number words; those of a range have one unit and one side."""
    plain = _number_months(_plain(text))
    tokens = [*_TOKEN.finditer(plain)]
    numbers: list[tuple[SignedNumber, int, int]] = []  # each with where it begins and ends
    for index, token in enumerate(tokens):
        words = [other[0] for other in tokens[max(index - 3, 0) : index]]
        after = [other[0] for other in tokens[index + 1 : index + 3]]
        value = _value(token[0], plain[token.end() :], words, after)
        if value is not None:
            if re.search(r"(?:^|[\s(])[-−]$", plain[: token.start()]):
                value = f"-{value}"
            side = _SIDES.get(words[-1], "") if words else ""
            comparing = " ".join(word for word in words if word in _COMPARING)
            numbers.append((SignedNumber(value, _unit(after), side, comparing), token.start(), token.end()))
    return tuple(_joined(numbers, plain))


_MONTH_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_MONTH_RANGE: Final = re.compile(rf"\b{_MONTH}(\s*(?:[-–—]|to|and|until|through)\s*){_MONTH}\s+((?:19|20)\d\d)\b")
_MONTH_OF_YEAR: Final = re.compile(rf"\b{_MONTH}\s+((?:19|20)\d\d)\b")


def _number_months(plain: str) -> str:
    """Months of years as one number each, 202506, so that none is taken for another; June to December 2026 are two."""

    def number(name: str, year: str) -> str:
        return f"{year}{_MONTH_NAMES.index(name[:3]) + 1:02d}"

    ranges = _MONTH_RANGE.sub(
        lambda match: f"{number(match[1], match[4])}{match[2]}{number(match[3], match[4])}", plain
    )
    return _MONTH_OF_YEAR.sub(lambda match: number(match[1], match[2]), ranges)


def _plain(text: str) -> str:
    """A text as it is compared: in one writing, without letters that show nothing."""
    folded = unicodedata.normalize("NFKC", "".join(letter for letter in text if unicodedata.category(letter) != "Cf"))
    plain = folded.casefold().replace("per cent", "%").replace("−", "-")
    return re.sub(r"[>~≥≈]|\+(?=\s|$|\W)", " more ", plain)


def _joined(numbers: list[tuple[SignedNumber, int, int]], plain: str) -> list[SignedNumber]:
    """12-15 days: both are days, and both are where the change comes from. "12 to 15 days" is a range; "12-15 to 2-3 days" are two."""
    joined, is_end = [number for number, _start, _end in numbers], [False] * len(numbers)
    for index in range(1, len(numbers)):
        gap = plain[numbers[index - 1][2] : numbers[index][1]]
        is_by = plain[: numbers[index - 1][1]].endswith(("by ", "between ")) and _PERCENT_RANGE.fullmatch(gap)
        is_end[index] = bool(
            is_by or (_RANGE.fullmatch(gap) and not joined[index - 1].unit and not ("to" in gap and is_end[index - 1]))
        )
        if is_end[index]:
            joined[index] = replace(joined[index], side=joined[index - 1].side)
    for index in reversed(range(len(numbers) - 1)):
        if not joined[index].unit and _RANGE.fullmatch(plain[numbers[index][2] : numbers[index + 1][1]]):
            joined[index] = replace(joined[index], unit=joined[index + 1].unit)
    return joined


def _value(word: str, rest: str, before: Sequence[str], after: Sequence[str]) -> str | None:
    """A number's value, always written alike; None: no number, or a word that only looks like one (one of us, the third desk)."""
    if word[0].isdigit():
        return None if _ORDINAL.match(rest) else _digits(word)
    if word == "one" and not _unit(after):
        return None
    if word in ("quarter", "quarters"):
        return "1/4" if not before or before[-1] in ("a", "one", "three", "by") else None
    if word in ("third", "fourth", "fifth", "sixth", "tenth") and not (before and before[-1] in ("a", "one", "by")):
        return None
    if word in _NUMBER_WORDS:
        return _NUMBER_WORDS[word]
    if len(word) == 1 and unicodedata.numeric(word, None) is not None:
        return str(unicodedata.numeric(word))
    return None


def _digits(word: str) -> str:
    digits = "".join(str(unicodedata.digit(letter)) if letter.isdigit() else letter for letter in word)
    digits = re.sub(r"[\s,](?=\d{3}(?!\d))", "", digits).replace(",", ".")
    whole, _point, part = digits.partition(".")
    part = part.rstrip("0")
    return f"{whole.lstrip('0') or '0'}{'.' + part if part else ''}"


def _unit(after: Sequence[str]) -> str:
    """What a number counts, by the words that follow it."""
    units = [_UNITS.get(word) or _UNITS.get(word.removesuffix("s"), "") for word in after]
    if units[:2] == ["percent", "point"]:
        return "point"
    return units[0] if units else ""


def has_signed_numbers(text: str, sentence: str) -> bool:
    """Whether a text has the numbers of a signed sentence, all of them and no other, of the same units, neither more nor less than
    they are, and the change in the same direction: each where it comes from and where it goes to."""
    own, signed = signed_numbers(text), signed_numbers(sentence)
    for unit in {number.unit for number in (*own, *signed)}:
        for side in ("from", "to", ""):
            own_values, their_values = (
                [(number.value, number.comparing) for number in numbers if (number.unit, number.side) == (unit, side)]
                for numbers in (own, signed)
            )
            if own_values != their_values:
                return False
    return not _turns_around(text, sentence)


def _turns_around(text: str, sentence: str) -> bool:
    """Whether a text says up where the sentence says down, or down for up."""
    own, signed = (set(re.findall(r"[^\W\d_]+", _plain(words))) for words in (text, sentence))
    return any(
        bool(signed & said) and not signed & other and bool(own & other) and not own & said
        for said, other in ((_DOWN, _UP), (_UP, _DOWN))
    )


def unmarked(text: str) -> str:
    """A text without marks and signs of a seal: nobody seals by typing one."""
    shown = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return re.sub(r"[ \t]{2,}", " ", _MARK.sub("", _SIGN.sub("", shown))).strip()


def split_mark(text: str) -> tuple[str, str]:
    """A bullet without marks and signs, and the number of the claim that its mark names; empty: none."""
    mark = _MARK.search(text)
    claim_id = _CLAIM_ID.search(mark[1]) if mark else None
    return unmarked(text), claim_id[0].lower() if claim_id else ""


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
    sentences = {
        form: str(shown[f"sentence_{form}"]) for form in reversed(SENTENCE_FORMS) if f"sentence_{form}" in shown
    }
    for state, is_match in (("as signed", _same_words), ("numbers as signed", _says_as_much)):
        for variant, sentence in sentences.items():  # the one that shows least first
            if is_match(words, sentence):
                if variant not in variants:
                    return SealedBullet(words, "no longer holds", claim_id, reason=HELD_BACK)
                raw = restrict_claim(held_claim.raw, VARIANTS[variant])
                return SealedBullet(words, state, claim_id, grade, sentence, raw, address=held_claim.address)  # type: ignore[arg-type]
    allowed = [sentence for variant, sentence in sentences.items() if variant in variants]
    near = next((sentence for sentence in allowed if _has_numbers_but_caveats(words, sentence)), "")
    return SealedBullet(
        words, "not as signed", claim_id, grade, near or (allowed[0] if allowed else ""), reason=NO_CAVEAT if near else OTHER_NUMBERS,
    )  # fmt: skip


def _says_as_much(text: str, sentence: str) -> bool:
    """Other words with the signed numbers, and with what is not excluded, in brackets or without."""
    return _has_numbers_but_caveats(text, sentence) and not _missing_caveats(text, sentence)


def _has_numbers_but_caveats(text: str, sentence: str) -> bool:
    """Whether the numbers are those that were signed, what is not excluded aside."""
    shown = _squeezed(text)
    for caveat in _CAVEAT.findall(sentence):
        shown = shown.replace(_squeezed(caveat), "")
    return has_signed_numbers(shown, _CAVEAT.sub("", sentence))


def _missing_caveats(text: str, sentence: str) -> list[str]:
    return [caveat for caveat in _CAVEAT.findall(sentence) if _squeezed(caveat) not in _squeezed(text)]


def _squeezed(text: str) -> str:
    return " ".join(_plain(text).split())


def _same_words(text: str, sentence: str) -> bool:
    return text.strip().rstrip(".") == sentence.strip().rstrip(".")
