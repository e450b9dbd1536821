"""The sentence of a claim: what its windows and its grade carry, and no word more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal

from wellserved.claim.windows import ClaimPeriod, ClaimWindows, range_words

Grade = Literal["proved", "measured", "counted"]
ClaimRole = Literal["owner", "idea", "helper", "adopter"]
GRADES: Final[dict[Grade, str]] = {
    "proved": "a declared change was proved to have made the difference",
    "measured": "the numbers changed so; the cause was not tested",
    "counted": "what the person shared, counted by rule; what was shared was theirs to choose",
}
_Doer = ClaimRole | Literal["nobody"]
_STARTS: Final[dict[tuple[_Doer, bool], str]] = {
    ("owner", True): "Reduced {subject}", ("owner", False): "Raised {subject}",
    ("idea", True): "Proposed the change that reduced {subject}", ("idea", False): "Proposed the change that raised {subject}",
    ("helper", True): "Helped to reduce {subject}", ("helper", False): "Helped to raise {subject}",
    ("adopter", True): "Took up a change that reduced {subject}", ("adopter", False): "Took up a change that raised {subject}",
    ("nobody", True): "{Subject} fell", ("nobody", False): "{Subject} rose",
}  # fmt: skip
_WITHIN: Final = "within {months}{caveat}."
CLAIM_TEMPLATES: Final[dict[tuple[_Doer, bool, bool], str]] = {
    (doer, lower_is_better, shows_figures): (
        f"{'{Subject} went' if doer == 'nobody' else start} from {{before}} to {{after}} {_WITHIN}"
        if shows_figures
        else f"{start} by {{change}} {_WITHIN}"
    )
    for (doer, lower_is_better), start in _STARTS.items()
    for shows_figures in (True, False)
}
"""Whose doing (nobody's: measured), whether lower is better, whether the figures are shown -> the whole sentence, which can be
put in any order of words by whoever translates it."""
_NUMBER_WORDS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


@dataclass(frozen=True)
class ClaimSubject:
    """What a sentence is about."""

    measure: str  # as a sentence calls it: typical (median) time to first reply
    service: str = ""  # with its preposition: to quote requests
    other_filters: str = ""  # further limits, in brackets: (team Front desk)
    named_measure: str = ""  # with the problem that it is about: share of cases about “damaged pumps”

    def phrase(self, names_service: bool = True) -> str:
        """The time to first reply to quote requests (team Front desk)."""
        if not names_service:
            return f"the {self.measure}"
        return " ".join(filter(None, ("the", self.named_measure or self.measure, self.service, self.other_filters)))


def claim_sentences(
    subject: ClaimSubject,
    windows: ClaimWindows,
    grade: Grade,
    role: ClaimRole,
    lower_is_better: bool,
    caveat: str = "",
) -> dict[str, str]:
    """The sentence with its figures (`full`), as a ratio that hides them (`ratio`), and that without the service; of what
    was nothing, or less, or of ratings, whose zero is a convention, there is no ratio.

    `caveat`: what is not excluded; it is said in every form.
    """
    forms = {"full": (True, "")}
    if windows.ratio is not None and windows.unit.has_zero:
        low, high = (_percent(share) for share in windows.ratio)
        by = f"{low}%" if low == high else f"{low}-{high}%"
        by += " of what it was" if windows.unit.name == "%" else ""  # these are no points of the share
        forms |= {"ratio": (True, by), "ratio_without_service": (False, by)}
    words = {
        "before": _said(windows.rounded_before, windows),
        "after": _said(windows.rounded_after, windows),
        "months": _months(windows.months),
        "caveat": f" ({caveat})" if caveat else "",
    }
    sentences = {}
    for name, (names_service, change) in forms.items():
        template = CLAIM_TEMPLATES["nobody" if grade == "measured" else role, lower_is_better, not change]
        phrase = subject.phrase(names_service)
        sentences[name] = template.format(
            subject=phrase, Subject=f"{phrase[0].upper()}{phrase[1:]}", change=change, **words
        )
    return sentences


def _said(ends: tuple[Decimal, Decimal], windows: ClaimWindows) -> str:
    """12-15 days, 1 day, 60-65%, 4.1 points."""
    low, high = ends
    unit = windows.unit.name
    number = range_words(ends)
    if unit == "%":
        return f"{number}%"
    return f"{number} {unit.removesuffix('s') if low == high == 1 else unit}"


def _percent(share: float) -> int:
    """Whole per cent, half away from zero; all of it is said of all of it alone."""
    percent = int((Decimal(repr(share)) * 100).quantize(Decimal(1), ROUND_HALF_UP))
    return 99 if percent == 100 and share < 1 else percent


def _months(count: int) -> str:
    number = _NUMBER_WORDS[count] if count < len(_NUMBER_WORDS) else str(count)
    return f"{number} month{'' if count == 1 else 's'}"


def window_words(periods: Sequence[ClaimPeriod], granularity: str) -> str:
    """A window in words: how many periods, from which month to which, over how many cases."""
    cases = sum(period.n for period in periods)
    last_day = periods[-1].end - timedelta(days=1)
    return f"{len(periods)} {granularity}s, {periods[0].start:%B %Y} to {last_day:%B %Y}, {cases:,} cases"
