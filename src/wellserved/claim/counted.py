"""How many of how many: claims that count what a person shared, by rule, over whole months that nobody chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from wellserved import __version__
from wellserved.claim.canonical import canonical_bytes
from wellserved.claim.evidence import EvidenceRow
from wellserved.claim.sentence import GRADES, ClaimRole, Grade
from wellserved.claim.tree import EvidenceKeys, case_pseudonym, moments_digest
from wellserved.errors import ClaimRefusedError, UnknownNameError
from wellserved.moments import month_start

MINIMUM_MATTERS: Final = 10
MAX_MONTHS: Final = 12


@dataclass(frozen=True)
class CountedMeasure:
    """What is counted."""

    name: str
    word: str  # of the shared moments that it counts
    question: str
    verb: str  # as the sentence begins
    noun: str  # of what
    formula: str


COUNTED_MEASURES: Final = {
    measure.name: measure
    for measure in (
        CountedMeasure(
            "promises_kept", "promise", "How many of the promises that fell due were kept in time?", "Kept", "promises in time that fell due",
            "shared promises whose due time lies in the month, kept by it; one that was agreed anew before it passed counts at the new one",
        ),
        CountedMeasure(
            "failures_made_right", "missed", "How many of the failures were made right?", "Made right", "failures that came up",
            "shared failures of the month that were made right, by the day of counting",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Matter:
    """A promise or a failure that somebody shared, as it ended."""

    thread: str
    month: date  # its first day
    is_done: bool  # kept in time, made right
    facts: tuple[tuple[str, str, str], ...]  # word, when, due of each moment: what a correction changes


@dataclass(frozen=True)
class CountedRecipe:
    """How a count is made again: what is counted, over which months."""

    counted: str
    since: date
    until: date  # the day after the last
    as_of: str  # instant at which it was counted, ISO 8601

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {"counted": self.counted, "since": str(self.since), "until": str(self.until), "as_of": self.as_of}

    @property
    def subject(self) -> tuple[object, ...]:
        """What two claims are about, where one takes the place of the other."""
        return ("counted", self.counted)


def counted_recipe(facts: Mapping[str, Any]) -> CountedRecipe:
    """As it was kept."""
    return CountedRecipe(
        facts["counted"], date.fromisoformat(facts["since"]), date.fromisoformat(facts["until"]), facts["as_of"]
    )


@dataclass(frozen=True)
class CountedDraft:
    """A sentence that counts, and all that goes with it; nothing is signed yet."""

    measure: CountedMeasure
    recipe: CountedRecipe
    sentences: dict[str, str]
    rows: tuple[EvidenceRow, ...]
    secret: bytes
    predicate: dict[str, Any]
    facts: dict[str, Any]
    log_version: int
    grade: Grade = "counted"
    role: ClaimRole = "owner"


def find_counted(name: str) -> CountedMeasure:
    """What is counted, by its name."""
    if name not in COUNTED_MEASURES:
        raise UnknownNameError("count", name, COUNTED_MEASURES)
    return COUNTED_MEASURES[name]


def counted_months(matters: Sequence[Matter], today: date) -> tuple[date, date]:
    """The months that count: up to twelve, whole, the last being the one before this, the first one that has a matter."""
    end = today.replace(day=1)
    months = [matter.month for matter in matters if month_start(end, -MAX_MONTHS) <= matter.month < end]
    if len(months) < MINIMUM_MATTERS:
        raise ClaimRefusedError(
            f"There are {len(months)} of them in the twelve whole months before this; {MINIMUM_MATTERS} are needed.",
            "Share more of them first.",
        )
    return min(months), end


def counted_rows(matters: Sequence[Matter], recipe: CountedRecipe, keys: EvidenceKeys) -> tuple[EvidenceRow, ...]:
    """A row a matter of the months that count: whether it was done, and a digest of its moments."""
    rows = []
    for matter in matters:
        if recipe.since <= matter.month < recipe.until:
            digest = hashlib.sha256(canonical_bytes([list(fact) for fact in matter.facts])).hexdigest()
            rows.append({
                "c": case_pseudonym(keys, "shared", matter.thread), "m": moments_digest(keys, digest), "open": 0,
                "p": matter.month.year * 100 + matter.month.month, "v": int(matter.is_done),
            })  # fmt: skip
    return tuple(rows)


def draft_counted(
    measure: CountedMeasure,
    recipe: CountedRecipe,
    rows: tuple[EvidenceRow, ...],
    secret: bytes,
    zone: str,
    log_version: int,
) -> CountedDraft:
    """The sentence of a count, with its evidence."""
    done, total = sum(row["v"] == 1 for row in rows), len(rows)
    span = _span_words(recipe.since, month_start(recipe.until, -1))
    share = 99 if done < total and round(100 * done / total) == 100 else round(100 * done / total)
    sentences = {
        "full": f"{measure.verb} {done} of {total} {measure.noun} {span}.",
        "ratio": f"{measure.verb} {share}% of the {measure.noun} {span}.",
    }
    definition = {name: str(getattr(measure, name)) for name in ("name", "question", "formula")}
    months = (recipe.until.year - recipe.since.year) * 12 + recipe.until.month - recipe.since.month
    predicate = {
        "grade": "counted", "grade_words": GRADES["counted"], "sources_left_out": 0,
        "measure": {
            "name": measure.name, "version": 1, "question": measure.question, "kind": "share", "counted": measure.noun, "formula": measure.formula,
            "quantile": "0.5", "sha256": hashlib.sha256(canonical_bytes(definition)).hexdigest(),
        },
        "as_of": recipe.as_of, "zone": zone, "log_version": max(log_version, 0), "made_with": f"wellserved {__version__}",
        "periods": {"granularity": "month", "before": 0, "after": months, "months": months},
    }  # fmt: skip
    facts = {**{f"sentence_{form}": text for form, text in sentences.items()}, "count": {"done": done, "of": total}}
    return CountedDraft(measure, recipe, sentences, rows, secret, predicate, facts, log_version)


def _span_words(first: date, last: date) -> str:
    """In June 2026; from June 2025 to May 2026."""
    return f"in {first:%B %Y}" if first == last else f"from {first:%B %Y} to {last:%B %Y}"
