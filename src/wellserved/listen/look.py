"""One look at everything that was said: made ready, read, named; what was known before keeps its number."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from wellserved.listen.book import Book, CustomerProblem, Decision, LookRecord, Quote, in_force
from wellserved.listen.fit import PROBLEM_CUSTOMERS, EarlierFit, Fit, count_customers, fit_problems
from wellserved.listen.graph import NO_GROUP
from wellserved.listen.names import ProblemNames, name_problems
from wellserved.listen.novelty import Neighbourhood, NoveltyScan
from wellserved.listen.said import Said, make_ready, previous_numbers
from wellserved.listen.vectors import Vectoriser, unit_rows
from wellserved.moments import NotComputable, day_number
from wellserved.progress import ProgressCallback, no_progress

MODE = "words"
SCANNED_DAYS = 400
MAX_SCANNED = 50_000
SHOWN_QUOTES = 5


def look_for_problems(
    said: pa.Table,
    before: Book | None,
    before_parts: pa.Table | None,
    seed: int,
    on_progress: ProgressCallback = no_progress,
) -> tuple[LookRecord, tuple[CustomerProblem, ...], pa.Table]:
    """How it was looked, what was found, and every part with its problem."""
    ready = make_ready(said, on_progress)
    texts, customers = ready.parts["text"].to_pylist(), ready.parts["customer"].to_pylist()
    known = None
    if before is not None and not before.look.refused:
        numbers, is_new = previous_numbers(ready.parts, before_parts, NO_GROUP)
        known = EarlierFit(before.look.resolution, numbers, is_new, before.look.next_number)
    fit = fit_problems(texts, customers, ready.parts["stratum"].to_pylist(), seed, known, on_progress)
    if isinstance(fit, NotComputable):
        return _refused(ready, before, fit.reason, seed)
    on_progress("Naming problems", 0, 0)
    problems = _named(fit, ready, texts, customers, before)
    kept = {problem.number for problem in problems}
    found = np.array([number if number in kept else NO_GROUP for number in fit.numbers.tolist()], dtype=np.int64)
    parts = _with_numbers(ready.parts, found, fit.shares)
    next_number = max([*(number + 1 for number in fit.parents), before.look.next_number if before else 1])
    agreement = fit.grain.agreement if fit.grain else before.look.agreement if before else 0.0
    return _look(ready, fit, seed, agreement, next_number), problems, parts


def _with_numbers(parts: pa.Table, numbers: np.ndarray, shares: np.ndarray) -> pa.Table:
    return parts.append_column("number", pa.array(numbers, pa.int64())).append_column(
        "share", pa.array(shares, pa.float32())
    )


def _refused(
    ready: Said, before: Book | None, reason: str, seed: int
) -> tuple[LookRecord, tuple[CustomerProblem, ...], pa.Table]:
    count = len(ready.parts)
    look = LookRecord(
        "", 0, MODE, seed, before.look.resolution if before else 1.0, 0.0, before.look.next_number if before else 1, ready.moments, ready.wordless,
        ready.machine, count, 0, 0, count, dict(ready.cut_lines), dict(ready.redacted), reason,
    )  # fmt: skip
    return look, (), _with_numbers(ready.parts, np.full(count, NO_GROUP), np.zeros(count))


def _look(ready: Said, fit: Fit, seed: int, agreement: float, next_number: int) -> LookRecord:
    return LookRecord(
        "", 0, MODE, seed, fit.resolution, agreement, next_number, ready.moments, ready.wordless, ready.machine, len(ready.parts), fit.distinct,
        int((~fit.is_usable).sum()), int((fit.is_usable & (fit.numbers == NO_GROUP)).sum()), dict(ready.cut_lines), dict(ready.redacted),
    )  # fmt: skip


def _named(
    fit: Fit, ready: Said, texts: list[str], customers: list[str], before: Book | None
) -> tuple[CustomerProblem, ...]:
    """Every problem with its words; names of before stay, unless nobody is left who says so."""
    decisions: tuple[Decision, ...] = before.decisions if before else ()
    own = fit.numbers[fit.fitted]
    own = _split(own, [texts[index] for index in fit.fitted], decisions)
    numbers = np.unique(own[own != NO_GROUP])
    labels = np.where(own == NO_GROUP, NO_GROUP, np.searchsorted(numbers, own))
    words = name_problems(
        [texts[index] for index in fit.fitted], fit.vectors, labels, [customers[index] for index in fit.fitted],
        lambda phrases: fit.vectoriser.views(phrases).whole,
    )  # fmt: skip
    spots = _spots(fit.vectors, labels, len(numbers))
    known = {problem.number: problem for problem in before.problems} if before else {}
    seconds = ready.parts["at_s"].to_numpy()
    problems = []
    for label, number in enumerate(map(int, numbers)):
        members = fit.fitted[labels == label]
        fresh = words[label]
        old = known.get(number)
        phrases = old.phrases if old and not old.is_named else fresh.phrases
        name = old.name if old and not old.is_named else fresh.name
        quotes = (
            _quotes(fresh, fit, texts, seconds)
            if count_customers(customers[index] for index in members) >= PROBLEM_CUSTOMERS
            else ()
        )
        problems.append(
            CustomerProblem(
                number, name, tuple(phrases), fresh.sentence, quotes, fit.parents.get(number, number), int(seconds[members].min()), spots[label]
            )
        )  # fmt: skip
    return tuple(problems)


def _spots(vectors: np.ndarray, labels: np.ndarray, count: int) -> list[tuple[float, float]]:
    """Where problems lie on a map, by how alike their middles are: the two main dimensions between them, ranks mixed in,
    so that no corner is crowded."""
    if count < 3:
        return [(0.25 + 0.5 * index, 0.5) for index in range(count)]
    middles = unit_rows(np.array([vectors[labels == label].mean(axis=0) for label in range(count)]))
    centred = middles - middles.mean(axis=0)
    left, strength, _ = np.linalg.svd(centred, full_matrices=False)
    flat = left[:, :2] * strength[:2]
    spread = (flat - flat.min(axis=0)) / np.maximum(np.ptp(flat, axis=0), 1e-9)
    ranks = flat.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / (count - 1)
    mixed = 0.4 * spread + 0.6 * ranks
    return [(round(float(x), 3), round(float(y), 3)) for x, y in mixed]


def _split(own: np.ndarray, texts: list[str], decisions: tuple[Decision, ...]) -> np.ndarray:
    """Problems that people split off have words of their own."""
    own = own.copy()
    for decision in in_force(decisions):
        if decision.deed == "split":
            wanted = [word.casefold() for word in decision.facts["words"]]
            inside = np.flatnonzero(own == decision.problem)
            own[[index for index in inside if any(word in texts[index].casefold() for word in wanted)]] = (
                decision.facts["into"]
            )
    return own


def _quotes(words: ProblemNames, fit: Fit, texts: list[str], seconds: np.ndarray) -> tuple[Quote, ...]:
    indices = [int(fit.fitted[index]) for index in words.quote_places[:SHOWN_QUOTES]]
    return tuple(Quote(texts[index], int(seconds[index])) for index in indices)


def scan_for_new(
    said: pa.Table, days: int, zone: str, seed: int, on_progress: ProgressCallback = no_progress
) -> tuple[list[Neighbourhood], list[str]]:
    """The last days of a record, each with its least likely neighbourhood; and the texts that these tell apart by index."""
    ready = make_ready(said, on_progress)
    texts = ready.parts["text"].to_pylist()
    if not texts:
        return [], []
    on_progress("Looking for what is new", 0, 0)
    local = ZoneInfo(zone)
    day = np.array(
        [
            day_number(datetime.fromtimestamp(second, UTC).astimezone(local).date())
            for second in ready.parts["at_s"].to_pylist()
        ]
    )
    recent = np.flatnonzero(day > day.max() - SCANNED_DAYS)
    if len(recent) > MAX_SCANNED:
        recent = recent[-MAX_SCANNED:]
    vectors = Vectoriser([texts[index] for index in recent], seed).views([texts[index] for index in recent]).whole
    customers = ready.parts["customer"].to_pylist()
    scan = NoveltyScan(vectors, [customers[index] for index in recent], day[recent], seed)
    last = int(day.max())
    return scan.days(last - days + 1, last), [texts[index] for index in recent]
