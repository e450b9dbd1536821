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
_LEADS: Final[dict[tuple[ClaimRole, bool], str]] = {
    ("owner", True): "Reduced", ("owner", False): "Raised",
    ("idea", True): "Proposed the change that reduced", ("idea", False): "Proposed the change that raised",
    ("helper", True): "Helped to reduce", ("helper", False): "Helped to raise",
    ("adopter", True): "Took up a change that reduced", ("adopter", False): "Took up a change that raised",
}  # fmt: skip
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
    figures = f"from {_said(windows.rounded_before, windows)} to {_said(windows.rounded_after, windows)}"
    forms = {"full": (True, figures)}
    if windows.ratio is not None and windows.unit.has_zero:
        low, high = (_percent(share) for share in windows.ratio)
        by = f"by {low}%" if low == high else f"by {low}-{high}%"
        by += " of what it was" if windows.unit.name == "%" else ""  # these are no points of the share
        forms |= {"ratio": (True, by), "ratio_without_service": (False, by)}
    within = f"within {_months(windows.months)}" + (f" ({caveat})" if caveat else "")
    return {
        name: f"{_start(subject.phrase(names_service), grade, role, lower_is_better, change)} {within}."
        for name, (names_service, change) in forms.items()
    }


def _start(phrase: str, grade: Grade, role: ClaimRole, lower_is_better: bool, change: str) -> str:
    if grade == "measured":  # nobody is its cause
        verb = "went" if change.startswith("from") else "fell" if lower_is_better else "rose"
        return f"{phrase[0].upper()}{phrase[1:]} {verb} {change}"
    return f"{_LEADS[role, lower_is_better]} {phrase} {change}"


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
