"""One look at everything that was said: made ready, read, named; what was known before keeps its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from wellserved.listen.book import (
    FEWEST_OF_A_PROBLEM,
    Book,
    CustomerProblem,
    Decision,
    LookRecord,
    Quote,
    in_force,
    split_off,
)
from wellserved.listen.fit import EarlierFit, Fit, count_customers, fit_problems, vector_text
from wellserved.listen.graph import NO_GROUP
from wellserved.listen.model import OWN_WORDS, load_meaning
from wellserved.listen.names import ProblemNames, name_problems
from wellserved.listen.novelty import Neighbourhood, NoveltyScan
from wellserved.listen.said import Said, make_ready, part_edges, previous_numbers
from wellserved.listen.vectors import Vectoriser, unit_rows
from wellserved.moments import NotComputable, day_number
from wellserved.progress import ProgressCallback, no_progress

SCANNED_DAYS = 400
MAX_SCANNED = 50_000
SHOWN_QUOTES = 5


def look_for_problems(
    said: pa.Table,
    before: Book | None,
    before_parts: pa.Table | None,
    seed: int,
    on_progress: ProgressCallback = no_progress,
    names: Sequence[str] = (),
    mode: str = OWN_WORDS,
) -> tuple[LookRecord, tuple[CustomerProblem, ...], pa.Table]:
    """How it was looked, what was found, and every part with its problem.

    `before_parts`: those of the look before, by which problems keep their numbers; None: problems are looked for as if for
    the first time, and numbers go on. `names`: of people who serve, to be taken out. `mode`: by the house's own words, or the
    model that is asked beside them.
    """
    meaning = load_meaning(mode, on_progress)
    ready = make_ready(said, on_progress, names)
    texts, customers = ready.parts["text"].to_pylist(), ready.parts["customer"].to_pylist()
    earlier = None
    if before is not None and before_parts is not None and not before.look.refused:
        numbers, is_new = previous_numbers(ready.parts, before_parts, NO_GROUP)
        earlier = EarlierFit(before.look.resolution, numbers, is_new, before.look.next_number)
    edges = part_edges(ready.parts)
    first_number = before.look.next_number if before else 1
    strata = ready.parts["stratum"].to_pylist()
    fit = fit_problems(texts, customers, strata, seed, earlier, edges, on_progress, first_number, meaning)
    if isinstance(fit, NotComputable):
        return _refused(ready, before, fit.reason, seed, mode)
    on_progress("Naming problems", 0, 0)
    book = before if earlier is not None else None
    problems = _named(fit, ready, texts, customers, book)
    given_up = before.decisions[-1].number if before and book is None and before.decisions else 0
    decisions_from = max(given_up, before.look.decisions_from if before else 0)
    founding = np.ones(len(texts), dtype=bool) if earlier is None else ~earlier.is_new
    parts = _with_numbers(ready.parts, fit.numbers, fit.shares, founding)
    next_number = max([*(number + 1 for number in fit.parents), before.look.next_number if before else 1])
    agreement = fit.grain.agreement if fit.grain else before.look.agreement if before else 0.0
    return _look(ready, fit, seed, mode, agreement, next_number, decisions_from), problems, parts


def _with_numbers(parts: pa.Table, numbers: np.ndarray, shares: np.ndarray, founding: np.ndarray) -> pa.Table:
    """With each part's problem; `founding`: it was there when problems were first looked for."""
    return (
        parts.drop_columns(["holder", "stratum"])
        .append_column("number", pa.array(numbers, pa.int64()))
        .append_column("share", pa.array(shares, pa.float32()))
        .append_column("founding", pa.array(founding, pa.bool_()))
    )


def _refused(
    ready: Said, before: Book | None, reason: str, seed: int, mode: str
) -> tuple[LookRecord, tuple[CustomerProblem, ...], pa.Table]:
    count = len(ready.parts)
    look = LookRecord(
        "", 0, mode, seed, before.look.resolution if before else 1.0, 0.0, before.look.next_number if before else 1, ready.moments, ready.wordless,
        ready.machine, count, 0, 0, count, dict(ready.cut_lines), dict(ready.redacted),
        before.look.decisions_from if before else 0, reason,
    )  # fmt: skip
    return look, (), _with_numbers(ready.parts, np.full(count, NO_GROUP), np.zeros(count), np.zeros(count, dtype=bool))


def _look(
    ready: Said, fit: Fit, seed: int, mode: str, agreement: float, next_number: int, decisions_from: int
) -> LookRecord:
    return LookRecord(
        "", 0, mode, seed, fit.resolution, agreement, next_number, ready.moments, ready.wordless, ready.machine, len(ready.parts), fit.distinct,
        int((~fit.is_usable).sum()), int((fit.is_usable & (fit.numbers == NO_GROUP)).sum()), dict(ready.cut_lines), dict(ready.redacted),
        decisions_from,
    )  # fmt: skip


def _named(
    fit: Fit, ready: Said, texts: list[str], customers: list[str], before: Book | None
) -> tuple[CustomerProblem, ...]:
    """Every problem with its words; names of before stay, unless nobody is left who says so."""
    decisions: tuple[Decision, ...] = before.decisions if before else ()
    own = fit.numbers[fit.fitted]  # a copy
    fitted_texts = [texts[index] for index in fit.fitted]
    for decision in in_force(decisions):
        if decision.deed == "split":  # what people split off has words of its own
            split_off(own, fitted_texts, decision)
    numbers = np.unique(own[own != NO_GROUP])
    labels = np.where(own == NO_GROUP, NO_GROUP, np.searchsorted(numbers, own))
    holders = ready.parts["holder"].to_pylist()
    words = name_problems(
        fitted_texts, fit.vectors, labels, [customers[index] for index in fit.fitted],
        [holders[index] for index in fit.fitted],
        lambda phrases: fit.vectoriser.views(phrases).whole,
    )  # fmt: skip
    spots = _spots(fit.vectors, labels, len(numbers))
    problems_before = {problem.number: problem for problem in before.problems} if before else {}
    seconds = ready.parts["at_s"].to_numpy()
    problems = []
    taken_names = {problem.name.casefold() for problem in problems_before.values()}
    for label, number in enumerate(map(int, numbers)):
        members = fit.fitted[labels == label]
        fresh = words[label]
        old = problems_before.get(number)
        phrases = old.phrases if old and not old.is_named else fresh.phrases
        name = old.name if old and not old.is_named else fresh.name
        are_enough = count_customers(customers[index] for index in members) >= FEWEST_OF_A_PROBLEM
        quotes = _quotes(fresh, fit, texts, seconds) if are_enough else ()
        sentence = fresh.sentence if are_enough else ""  # the words of few are nobody else's
        if not are_enough and not old:
            name = ", ".join(fresh.phrases) or "told by few customers"
        if not old or old.is_named:  # a name that another has already would be asked about in vain
            name = f"{name} (p{number})" if name.casefold() in taken_names else name
        taken_names.add(name.casefold())
        problems.append(
            CustomerProblem(
                number, name, tuple(phrases), sentence, quotes, fit.parents.get(number, number), int(seconds[members].min()), spots[label]
            )
        )  # fmt: skip
    numbered = {problem.number for problem in problems}
    # what people split up altogether stays in the book, should they take that back
    problems += [
        replace(problems_before[number], quotes=(), sentence="")
        for number in fit.parents
        if number not in numbered and number in problems_before
    ]
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


def _quotes(words: ProblemNames, fit: Fit, texts: list[str], seconds: np.ndarray) -> tuple[Quote, ...]:
    indices = [int(fit.fitted[index]) for index in words.quote_indices[:SHOWN_QUOTES]]
    return tuple(Quote(texts[index], int(seconds[index])) for index in indices)


def scan_for_new(
    said: pa.Table,
    days: int,
    zone: str,
    seed: int,
    on_progress: ProgressCallback = no_progress,
    names: Sequence[str] = (),
) -> tuple[list[Neighbourhood], list[str]]:
    """The last days of a record, each with its least likely neighbourhood; and the texts that these tell apart by index."""
    ready = make_ready(said, on_progress, names)
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
    recent = recent[np.argsort(day[recent], kind="stable")]
    if len(recent) > MAX_SCANNED:
        recent = recent[-MAX_SCANNED:]
    readable = [vector_text(texts[index]) for index in recent]
    vectors = Vectoriser(readable, seed).views(readable).whole
    customers = ready.parts["customer"].to_pylist()
    scan = NoveltyScan(vectors, [customers[index] for index in recent], day[recent], seed)
    last = int(day.max())
    return scan.days(last - days + 1, last), [texts[index] for index in recent]
