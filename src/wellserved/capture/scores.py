"""Scores of a line and their scale: by its name, as 4/5, in stars, as nps 9, or as expected 9 got 6.

A named scale wins where what stands beside it can be meant on it; where not, it is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

from wellserved.capture.question import CaptureQuestion
from wellserved.scales import Scale, Scales

_SCALE_BY_TOP: Final = {"5": "csat5", "10": "nps10", "7": "ces7"}
_SCALE_BY_NAME: Final = {"nps": "nps10", "csat": "csat5", "ces": "ces7"}
_VALUE = r"\d{1,2}(?:[.,]\d{1,2})?"
_TOP = r"(?:/(\d{1,3})\b)?"
_RATED_OUT_OF = re.compile(rf"\b(?:rated|got) ({_VALUE})/(\d{{1,3}})\b", re.IGNORECASE)
_STARS = re.compile(r"(?<![\w.,/])(\d(?:[.,]\d)?) stars?\b", re.IGNORECASE)
_SCALE_AND_SCORE = re.compile(rf"\b(nps|csat|ces) ({_VALUE}){_TOP}(?![\w/]|[.,]\d)", re.IGNORECASE)
_EXPECTED_AND_GOT = re.compile(r"\bexpected\b(?:[^.!?]|\.(?=\d)){0,80}?\bgot\b", re.IGNORECASE)


@dataclass(frozen=True)
class Scores:
    """What was expected, what was given, and the scale, where it was named; or what is to be asked about them."""

    expected: float | None = None
    score: float | None = None
    scale: str | None = None
    questions: tuple[CaptureQuestion, ...] = ()


def read_scores(text: str, scales: Scales) -> Scores:
    """The scores of a line; one alone is never taken from words that say what was expected and what was got."""
    if match := _gap_pattern(text, scales).search(text):
        return _gap_scores(match, text, scales)
    if _EXPECTED_AND_GOT.search(text):
        return Scores()
    for start, end, score, scale, top in _single_scores(text, scales):
        if _top_agrees(scales[scale], top) and scales[scale].has_score(score):
            return Scores(score=score, scale=scale)
        if readings := _readings((score,), (scale,), (top,), scales, lambda name, values: f"{name} {values[0]:g}"):
            return Scores(questions=(CaptureQuestion(text[start:end], start, readings),))
    return Scores()


def begins_gap(text: str, scales: Scales) -> bool:
    """Whether a line begins with what was expected and what was got."""
    return _gap_pattern(text, scales).match(text) is not None


def _gap_pattern(text: str, scales: Scales) -> re.Pattern[str]:
    """expected 9 got 6; each with /10, or with a scale's name before or after it, or as one of a named scale's words."""
    names = _alternatives((*scales, *_SCALE_BY_NAME))
    words = _alternatives(word for name in _scale_names(text, scales) for word, _ in scales[name].words)

    def side_pattern(side: int) -> str:
        word = rf"|(?P<word{side}>{words})(?!\w)" if words else ""
        return (
            rf"(?:(?P<before{side}>{names})(?:: ?|[ =]))?"
            rf"(?:(?P<score{side}>{_VALUE})(?:/(?P<top{side}>\d{{1,3}})\b)?(?!\d|[.,]\d){word})"
            rf"(?: (?P<after{side}>{names})(?![\w-]))?"
        )

    return re.compile(
        rf"\bexpected {side_pattern(1)}[, ;]{{0,5}}(?:but |and )?got {side_pattern(2)}(?![\d/]|[.,]\d)", re.IGNORECASE
    )


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _scale_names(text: str, scales: Scales) -> list[str]:
    """The scales that a line gives by their names; a word that is also a name of the language's own is no matter: csat5, smile4."""
    matches = re.finditer(rf"(?<![\w#@+-])({_alternatives(scales)})(?![\w-])", text, re.IGNORECASE)
    return list(dict.fromkeys(match[1].lower() for match in matches))


def _named_scale(text: str, top: str | None, scales: Scales) -> str | None:
    """The scale that a line names beside a score: the one that ends with its /N, if there is such a one, else the first."""
    names = _scale_names(text, scales)
    return next((name for name in names if _top_agrees(scales[name], top)), names[0] if names else None)


def _gap_scores(match: re.Match[str], text: str, scales: Scales) -> Scores:
    side_names = [match[f"{position}{side}"] for side in (1, 2) for position in ("before", "after")]
    names = list(dict.fromkeys(_SCALE_BY_NAME.get(name.lower(), name.lower()) for name in side_names if name))
    tops = tuple(match[f"top{side}"] for side in (1, 2))
    top = tops[0] or tops[1]
    if not names and (name := _named_scale(text, top, scales)):
        names = [name]
    if not names and ((tops[0] and tops[1] and tops[0] != tops[1]) or (top and top not in _SCALE_BY_TOP)):
        return Scores()
    scale = names[0] if names else _SCALE_BY_TOP.get(top or "")
    values = [
        _score(match[f"score{side}"], match[f"word{side}"] if "word1" in match.re.groupindex else None, scale, scales)
        for side in (1, 2)
    ]
    if values[0] is None or values[1] is None:
        return Scores()
    scores = (values[0], values[1])
    if scale is None:
        return Scores() if re.search(r"[.,]\d\d", match[0]) else Scores(*scores)
    is_on_scale = all(_top_agrees(scales[scale], side_top) for side_top in tops) and all(
        map(scales[scale].has_score, scores)
    )
    if is_on_scale and len(names) < 2:
        return Scores(*scores, scale)
    readings = _readings(
        scores,
        names or [scale],
        tops,
        scales,
        lambda name, both_scores: f"expected {name} {both_scores[0]:g} got {both_scores[1]:g}",
    )
    return Scores(questions=(CaptureQuestion(match[0], match.start(), readings),) if readings else ())


def _score(number: str | None, word: str | None, scale: str | None, scales: Scales) -> float | None:
    """A score as it is written: a number, with a decimal comma or point, or a word of its scale."""
    if number:
        return float(number.replace(",", "."))
    words = {scale_word.lower(): score for scale_word, score in scales[scale].words} if scale else {}
    return words.get((word or "").lower())


def _single_scores(text: str, scales: Scales) -> Iterator[tuple[int, int, float, str, str | None]]:
    """Scores with where they stand, their scale, and the N of /N: smile4 3, smile4 Good, rated 4/5, 5 stars, nps 9."""
    for name in _scale_names(text, scales):
        yield from _scores_after_name(text, name, scales)
    for match in _RATED_OUT_OF.finditer(text):
        if scale := _named_scale(text, match[2], scales) or _SCALE_BY_TOP.get(match[2]):
            yield *match.span(), float(match[1].replace(",", ".")), scale, match[2]
    for match in _STARS.finditer(text):
        yield *match.span(), float(match[1].replace(",", ".")), "stars5", None
    for match in _SCALE_AND_SCORE.finditer(text):
        yield *match.span(), float(match[2].replace(",", ".")), _SCALE_BY_NAME[match[1].lower()], match[3]


def _scores_after_name(text: str, name: str, scales: Scales) -> Iterator[tuple[int, int, float, str, str | None]]:
    """What stands after a scale's name: a number, or one of its words."""
    words = _alternatives(word for word, _ in scales[name].words)
    word = rf"|({words})(?!\w)" if words else "|(?!)()"
    value = rf"(?:(-?\d{{1,5}}(?:[.,]\d{{1,2}})?){_TOP}(?![\w/.,]\d|\d){word})"
    for match in re.finditer(rf"(?<![\w#@+-]){re.escape(name)}(?: |: |=){value}", text, re.IGNORECASE):
        if (score := _score(match[1], match[3], name, scales)) is not None:
            yield *match.span(), score, name, match[2]


def _top_agrees(scale: Scale, top: str | None) -> bool:
    """Whether a score's /N, if it has one, is the scale's end."""
    return top is None or float(top) == scale.highest


def _readings(
    scores: tuple[float, ...],
    names: Iterable[str],
    tops: Iterable[str | None],
    scales: Scales,
    write: Callable[[str, tuple[float, ...]], str],
) -> tuple[str, ...]:
    """The clear ways to write scores: on each scale that may be meant and has them; else the nearest that there are."""
    names = list(names)
    top_scales = [_SCALE_BY_TOP[top] for top in tops if top in _SCALE_BY_TOP]
    fitting_scales = [name for name in dict.fromkeys((*names, *top_scales)) if all(map(scales[name].has_score, scores))]
    if fitting_scales:
        return tuple(write(name, scores) for name in fitting_scales)
    candidates = [
        (names[0], candidate_scores)
        for candidate_scores in product(*(_nearest(scales[names[0]], score) for score in scores))
    ]
    if not all(map(scales["stars5"].has_score, scores)) or "5" not in tops:
        return tuple(write(*candidate) for candidate in candidates)
    return tuple(write(*candidate) for candidate in (("stars5", scores), *candidates))


def _nearest(scale: Scale, score: float) -> list[float]:
    """The scores of a scale between which one lies; none outside it."""
    step = 1.0 if scale.whole_numbers else 0.5
    if not scale.lowest <= score <= scale.highest:
        return []
    return sorted({math.floor(score / step) * step, math.ceil(score / step) * step})
