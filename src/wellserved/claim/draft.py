"""A sentence that the record carries, with its evidence and all that is signed beside it; nothing is signed yet."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import duckdb

from wellserved import __version__
from wellserved.claim.canonical import canonical_bytes, decimal_text
from wellserved.claim.evidence import EvidenceRow, collect_evidence
from wellserved.claim.numbers import value_of_rows
from wellserved.claim.sentence import GRADES, ClaimRole, ClaimSubject, Grade, claim_sentences
from wellserved.claim.tree import evidence_keys, root_of_rows
from wellserved.claim.windows import (
    PERCENT,
    ClaimPeriod,
    ClaimWindows,
    DisplayUnit,
    choose_windows,
    duration_units,
    mean_units,
)
from wellserved.errors import ClaimRefusedError
from wellserved.measure import find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable
from wellserved.measure.measure import Measure
from wellserved.measure.series import MeasureQuestion, Series, about_condition
from wellserved.moments import EARLIEST_DATE, PROBLEM, Granularity, NotComputable, month_start

CLAIM_GRANULARITIES: Final[tuple[Granularity, Granularity]] = ("month", "quarter")
FIRST_WEEK: Final = timedelta(days=7)  # a month in whose first week a source begins is whole


@dataclass(frozen=True)
class ClaimRecipe:
    """How the evidence of a claim is made: what is asked, of which cases, as they stood when."""

    measure: str
    version: int
    where: tuple[tuple[str, str], ...]
    change: date
    granularity: Granularity = "month"
    periods: tuple[date, ...] = ()  # first days of those that count
    as_of: Mapping[str, int] = field(default_factory=dict)  # source -> epoch second
    zone: str = ""
    hours: str = ""  # fingerprint of the opening hours; empty: they do not matter
    improvement: str = ""  # the declared one; empty: a measured claim
    declaration: str = ""  # digest of what was declared, people aside
    about: str = ""  # of problem_share: the problem's id, or a value of a column (category=Billing)

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "measure": self.measure, "version": self.version, "where": [list(pair) for pair in self.where], "change": str(self.change),
            "granularity": self.granularity, "periods": [str(day) for day in self.periods], "as_of": dict(self.as_of),
            "zone": self.zone, "hours": self.hours, "improvement": self.improvement, "declaration": self.declaration,
            "about": self.about,
        }  # fmt: skip

    @property
    def subject(self) -> tuple[object, ...]:
        """What two claims are about, where one takes the place of the other."""
        return (self.improvement, self.measure, self.where, self.change, self.about)

    @property
    def problem(self) -> str | None:
        """What the cases have to be opened with, so that they tell their problems."""
        return self.question(self.change).problem

    def question(self, since: date) -> MeasureQuestion:
        """What is asked of its cases, from a day on."""
        return MeasureQuestion(
            (find_measure(self.measure),), None, self.granularity, since, None, self.where, about=self.about
        )


def recipe_from_json(facts: Mapping[str, Any]) -> ClaimRecipe:
    """As it was kept."""
    return ClaimRecipe(
        facts["measure"], int(facts["version"]), tuple((str(column), str(value)) for column, value in facts["where"]),
        date.fromisoformat(facts["change"]), facts["granularity"], tuple(map(date.fromisoformat, facts["periods"])), dict(facts["as_of"]),
        facts["zone"], facts["hours"], facts["improvement"], facts["declaration"], facts.get("about", ""),
    )  # fmt: skip


@dataclass(frozen=True)
class ClaimDraft:
    """A sentence that the record carries, and all that goes with it; nothing is signed yet."""

    grade: Grade
    role: ClaimRole
    measure: Measure
    windows: ClaimWindows
    sentences: dict[str, str]
    recipe: ClaimRecipe
    rows: tuple[EvidenceRow, ...]  # its evidence
    secret: bytes
    log_version: int
    predicate: dict[str, Any]  # what is shown in every form
    facts: dict[str, Any]  # what may be hidden, by name


@dataclass(frozen=True)
class ClaimTerms:
    """On what terms a sentence is looked for."""

    grade: Grade
    role: ClaimRole
    lower_is_better: bool
    age_days: int = 0  # that a period's last case has to have had
    caveat: str = ""  # what is not excluded
    ends: date | None = None  # the declared last look: what came later was not proved
    relative_effect: tuple[float, float] | None = None  # the verdict's interval, as shares of the level before
    sources_left_out: int = 0  # that can say nothing of the time since the change


def measured_terms(measure: Measure) -> ClaimTerms:
    """The terms of a measured claim; raises where neither way is better."""
    if measure.better == "neither":
        raise ClaimRefusedError(f"{measure.name} is neither better high nor better low.", "Choose another measure.")
    return ClaimTerms("measured", "owner", measure.better == "lower", measure.least_days)


def draft_claim(
    db: duckdb.DuckDBPyConnection, cases: CaseTable, recipe: ClaimRecipe, terms: ClaimTerms, secret: bytes
) -> ClaimDraft:
    """The sentence about some cases, its windows by rule, and its evidence, which has to give the same numbers by itself.

    `cases`: as `cases_as_of` made them, of those sources alone that the recipe is about. Raises `ClaimRefusedError`.
    """
    measure = find_measure(recipe.measure)
    windows = _choose(cases, measure, recipe, terms)
    _compare_with_verdict(windows, terms)
    periods = tuple(period.start for period in windows.periods)
    recipe = replace(recipe, granularity=windows.granularity, periods=periods, as_of=dict(cases.as_of))
    rows = recipe_rows(db, cases, recipe, secret)
    subject = _subject(measure, recipe, cases.words.labels if cases.words else {})
    sentences = claim_sentences(subject, windows, terms.grade, terms.role, terms.lower_is_better, terms.caveat)
    return ClaimDraft(
        terms.grade, terms.role, measure, windows, sentences, recipe, rows, secret, cases.log_version,
        _predicate(terms, measure, windows, cases), _facts(windows, recipe, sentences, rows),
    )  # fmt: skip


def _compare_with_verdict(windows: ClaimWindows, terms: ClaimTerms) -> None:
    """Raise where what was measured is another change than the one that was proved: a second one, or what others had too."""
    if terms.relative_effect is None or windows.ratio is None:
        return
    low, high = sorted(abs(end) for end in terms.relative_effect)
    middle = sum(windows.ratio) / 2
    if not low <= middle <= high:
        measured, proved = f"{middle:.0%}", f"{low:.0%} to {high:.0%}"
        raise ClaimRefusedError(
            f"By its months the measure changed by {measured}, and {proved} of it was proved to come from this change.",
            "The verdict still says what changed on average, with its interval.",
        )


def _choose(cases: CaseTable, measure: Measure, recipe: ClaimRecipe, terms: ClaimTerms) -> ClaimWindows:
    """The windows of a claim about these cases."""
    first = month_start(recipe.change, -15)  # a year before, and the quarter that it begins in
    months, quarters = (
        _periods(answer_question(cases, replace(recipe, granularity=granularity).question(first))[measure.name])
        for granularity in CLAIM_GRANULARITIES
    )
    known_until = min(cases.known_days.values(), default=EARLIEST_DATE)
    first_second = min(cases.begins.values(), default=0)
    known_since = datetime.fromtimestamp(first_second, UTC).astimezone(ZoneInfo(cases.zone)).date()
    last_mature_day = min(known_until - timedelta(days=terms.age_days), terms.ends or known_until)
    months, quarters = (
        [period for period in periods if period.start >= known_since - FIRST_WEEK] for periods in (months, quarters)
    )
    return choose_windows(
        months, quarters, recipe.change, last_mature_day, measure.minimum_n, _units(measure), terms.lower_is_better
    )


def _units(measure: Measure) -> tuple[DisplayUnit, ...]:
    if measure.kind == "wait":
        return duration_units(measure.clock)
    return PERCENT if measure.kind == "share" else mean_units(measure.unit)


def _periods(series: Series) -> list[ClaimPeriod]:
    """A series as a claim sees it: waits in seconds."""
    size = series.measure.seconds if series.measure.kind == "wait" else 1.0
    return [
        ClaimPeriod(period.start, period.end, n, None if isinstance(value, NotComputable) else value * size)
        for period, n, value in zip(series.periods, series.n, series.value, strict=True)
        if period is not None
    ]


def recipe_rows(
    db: duckdb.DuckDBPyConnection, cases: CaseTable, recipe: ClaimRecipe, secret: bytes
) -> tuple[EvidenceRow, ...]:
    """The evidence of a recipe: the rows of the periods that count."""
    question = recipe.question(min(recipe.periods))
    period_keys = {_period_key(day) for day in recipe.periods}
    return tuple(row for row in collect_evidence(db, cases, question, evidence_keys(secret)) if row["p"] in period_keys)


def evidence_root(rows: Sequence[EvidenceRow], secret: bytes) -> str:
    """The hash over all rows, hex; of none, nothing."""
    return root_of_rows(rows, evidence_keys(secret).salts) if rows else ""


def recipe_values(recipe: ClaimRecipe, rows: Sequence[EvidenceRow]) -> dict[str, str]:
    """First day of each period -> its number, from its rows; a period without one is left out."""
    measure = find_measure(recipe.measure)
    values = {}
    for day in recipe.periods:
        own_rows = [row for row in rows if row["p"] == _period_key(day)]
        value = value_of_rows(own_rows, measure.kind, repr(measure.quantile))
        if value is not None:
            values[str(day)] = decimal_text(value)
    return values


def _period_key(day: date) -> int:
    return day.year * 100 + day.month


def _subject(measure: Measure, recipe: ClaimRecipe, labels: Mapping[str, str]) -> ClaimSubject:
    """What a sentence is about, by the filters of the question; `labels`: those of the problems, by their ids."""
    services = [value for column, value in recipe.where if column == "service"]
    other_filters = [
        f"about “{_problem_name(value, labels)}”" if column == PROBLEM else f"{column.removesuffix('_id')} {value}"
        for column, value in recipe.where
        if column not in ("service", "source")
    ]
    service = f"{measure.serves} {' and '.join(services)}" if services else ""
    named_measure = ""
    if recipe.about:
        named_measure = f"{measure.phrase.removesuffix('the problem')}“{_problem_name(recipe.about, labels)}”"
    limits = f"({', '.join(other_filters)})" if other_filters else ""
    return ClaimSubject(measure.phrase, service, limits, named_measure)


def _problem_name(reference: str, labels: Mapping[str, str]) -> str:
    """What a problem is called: by people or its words, or by the value of its column."""
    if condition := about_condition(reference):
        return condition[0][1]
    return labels.get(reference, reference).removeprefix(f"{reference} ")


def _facts(
    windows: ClaimWindows, recipe: ClaimRecipe, sentences: Mapping[str, str], rows: Sequence[EvidenceRow]
) -> dict[str, Any]:
    """What may be shown or hidden; raises where the rows do not give the numbers of the sentence."""
    values, counts = recipe_values(recipe, rows), Counter(row["p"] for row in rows)
    for period in windows.periods:
        value, key = float(values.get(str(period.start), "nan")), _period_key(period.start)
        if counts[key] != period.n or not math.isclose(value, period.value or 0.0, rel_tol=1e-9, abs_tol=1e-12):
            raise ClaimRefusedError(
                f"From {period.start} on the evidence gives another number than the measure does.",
                "Report this: it is a fault of wellserved.",
            )
    sides = {
        side: [
            {"start": str(period.start), "end": str(period.end), "key": _period_key(period.start), "n": period.n, "value": values[str(period.start)]}
            for period in periods
        ]
        for side, periods in (("before", windows.before), ("after", windows.after))
    }  # fmt: skip
    unit = windows.unit
    return {
        **{f"sentence_{form}": sentence for form, sentence in sentences.items()},
        "cases": {side: sum(int(str(period["n"])) for period in periods) for side, periods in sides.items()},
        "segment": [list(pair) for pair in (*recipe.where, *([("about", recipe.about)] if recipe.about else []))],
        "sources": dict(recipe.as_of),
        "windows": {**sides, "granularity": windows.granularity, "unit": unit.name, "unit_size": decimal_text(unit.size), "change": str(recipe.change)},
    }  # fmt: skip


def _predicate(terms: ClaimTerms, measure: Measure, windows: ClaimWindows, cases: CaseTable) -> dict[str, Any]:
    """What is shown in every form of a claim: how it came about, and no figure of the house."""
    definition = {
        name: str(getattr(measure, name))
        for name in ("name", "version", "kind", "unit", "anchor", "population", "event", "value", "waiting", "since", "clock", "quantile")
    }  # fmt: skip
    as_of = datetime.fromtimestamp(max(cases.as_of.values()), UTC).astimezone(ZoneInfo(cases.zone))
    return {
        "grade": terms.grade,
        "grade_words": GRADES[terms.grade],
        "sources_left_out": terms.sources_left_out,
        "measure": {
            "name": measure.name, "version": measure.version, "question": measure.question, "kind": measure.kind, "counted": measure.counted,
            "formula": measure.formula, "quantile": repr(measure.quantile), "sha256": hashlib.sha256(canonical_bytes(definition)).hexdigest(),
        },
        "as_of": as_of.isoformat(timespec="seconds"),
        "zone": cases.zone,
        "log_version": cases.log_version,
        "made_with": f"wellserved {__version__}",
        "periods": {"granularity": windows.granularity, "before": len(windows.before), "after": len(windows.after), "months": windows.months},
    }  # fmt: skip
