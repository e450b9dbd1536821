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

from wellserved.capture.question import Question
from wellserved.scales import Scale, Scales

_OUT_OF: Final = {"5": "csat5", "10": "nps10", "7": "ces7"}
_SCALED: Final = {"nps": "nps10", "csat": "csat5", "ces": "ces7"}
_VALUE = r"\d{1,2}(?:[.,]\d{1,2})?"
_TOP = r"(?:/(\d{1,3})\b)?"
_RATED = re.compile(rf"\b(?:rated|got) ({_VALUE})/(\d{{1,3}})\b", re.IGNORECASE)
_STARS = re.compile(r"(?<![\w.,/])(\d(?:[.,]\d)?) stars?\b", re.IGNORECASE)
_SHORT = re.compile(rf"\b(nps|csat|ces) ({_VALUE}){_TOP}(?![\w/]|[.,]\d)", re.IGNORECASE)
_BOTH = re.compile(r"\bexpected\b(?:[^.!?]|\.(?=\d)){0,80}?\bgot\b", re.IGNORECASE)


@dataclass(frozen=True)
class Scores:
    """What was expected, what was given, and the scale, where it was named; or what is to be asked about them."""

    expected: float | None = None
    score: float | None = None
    scale: str | None = None
    questions: tuple[Question, ...] = ()


def read_scores(text: str, scales: Scales) -> Scores:
    """The scores of a line; one alone is never taken from words that say what was expected and what was got."""
    if found := _gap_pattern(text, scales).search(text):
        return _gap(found, text, scales)
    if _BOTH.search(text):
        return Scores()
    for start, end, score, scale, top in _alone(text, scales):
        if _agrees(scales[scale], top) and scales[scale].holds(score):
            return Scores(score=score, scale=scale)
        if readings := _readings((score,), (scale,), (top,), scales, lambda name, said: f"{name} {said[0]:g}"):
            return Scores(questions=(Question(text[start:end], start, readings),))
    return Scores()


def begins_gap(text: str, scales: Scales) -> bool:
    """Whether a line begins with what was expected and what was got."""
    return _gap_pattern(text, scales).match(text) is not None


def _gap_pattern(text: str, scales: Scales) -> re.Pattern[str]:
    """expected 9 got 6; each with /10, or with a scale's name before or after it, or as one of a named scale's words."""
    names = _any((*scales, *_SCALED))
    words = _any(word for name in _names(text, scales) for word, _ in scales[name].words)

    def side(number: int) -> str:
        word = rf"|(?P<word{number}>{words})(?!\w)" if words else ""
        return (
            rf"(?:(?P<before{number}>{names})(?:: ?|[ =]))?"
            rf"(?:(?P<score{number}>{_VALUE})(?:/(?P<top{number}>\d{{1,3}})\b)?(?!\d|[.,]\d){word})"
            rf"(?: (?P<after{number}>{names})(?![\w-]))?"
        )

    return re.compile(rf"\bexpected {side(1)}[, ;]{{0,5}}(?:but |and )?got {side(2)}(?![\d/]|[.,]\d)", re.IGNORECASE)


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _names(text: str, scales: Scales) -> list[str]:
    """The scales that a line gives by their names; a word that is also a name of the language's own is no matter: csat5, smile4."""
    found = re.finditer(rf"(?<![\w#@+-])({_any(scales)})(?![\w-])", text, re.IGNORECASE)
    return list(dict.fromkeys(one[1].lower() for one in found))


def _named(text: str, top: str | None, scales: Scales) -> str | None:
    """The scale that a line names beside a score: the one that ends with its /N, if there is such a one, else the first."""
    names = _names(text, scales)
    return next((name for name in names if _agrees(scales[name], top)), names[0] if names else None)


def _gap(found: re.Match[str], text: str, scales: Scales) -> Scores:
    beside = [found[f"{where}{n}"] for n in (1, 2) for where in ("before", "after")]
    names = list(dict.fromkeys(_SCALED.get(name.lower(), name.lower()) for name in beside if name))
    tops = tuple(found[f"top{n}"] for n in (1, 2))
    top = tops[0] or tops[1]
    if not names and (name := _named(text, top, scales)):
        names = [name]
    if not names and ((tops[0] and tops[1] and tops[0] != tops[1]) or (top and top not in _OUT_OF)):
        return Scores()
    scale = names[0] if names else _OUT_OF.get(top or "")
    values = [
        _score(found[f"score{n}"], found[f"word{n}"] if "word1" in found.re.groupindex else None, scale, scales)
        for n in (1, 2)
    ]
    if values[0] is None or values[1] is None:
        return Scores()
    said = (values[0], values[1])
    if scale is None:
        return Scores() if re.search(r"[.,]\d\d", found[0]) else Scores(*said)
    fits = all(_agrees(scales[scale], one) for one in tops) and all(map(scales[scale].holds, said))
    if fits and len(names) < 2:
        return Scores(*said, scale)
    readings = _readings(
        said, names or [scale], tops, scales, lambda name, both: f"expected {name} {both[0]:g} got {both[1]:g}"
    )
    return Scores(questions=(Question(found[0], found.start(), readings),) if readings else ())


def _score(number: str | None, word: str | None, scale: str | None, scales: Scales) -> float | None:
    """A score as it is written: a number, with a decimal comma or point, or a word of its scale."""
    if number:
        return float(number.replace(",", "."))
    words = {one.lower(): score for one, score in scales[scale].words} if scale else {}
    return words.get((word or "").lower())


def _alone(text: str, scales: Scales) -> Iterator[tuple[int, int, float, str, str | None]]:
    """Scores with where they stand, their scale, and the N of /N: smile4 3, smile4 Good, rated 4/5, 5 stars, nps 9."""
    for name in _names(text, scales):
        yield from _after_name(text, name, scales)
    for found in _RATED.finditer(text):
        if scale := _named(text, found[2], scales) or _OUT_OF.get(found[2]):
            yield *found.span(), float(found[1].replace(",", ".")), scale, found[2]
    for found in _STARS.finditer(text):
        yield *found.span(), float(found[1].replace(",", ".")), "stars5", None
    for found in _SHORT.finditer(text):
        yield *found.span(), float(found[2].replace(",", ".")), _SCALED[found[1].lower()], found[3]


def _after_name(text: str, name: str, scales: Scales) -> Iterator[tuple[int, int, float, str, str | None]]:
    """What stands after a scale's name: a number, or one of its words."""
    words = _any(word for word, _ in scales[name].words)
    word = rf"|({words})(?!\w)" if words else "|(?!)()"
    value = rf"(?:(-?\d{{1,5}}(?:[.,]\d{{1,2}})?){_TOP}(?![\w/.,]\d|\d){word})"
    for found in re.finditer(rf"(?<![\w#@+-]){re.escape(name)}(?: |: |=){value}", text, re.IGNORECASE):
        if (score := _score(found[1], found[3], name, scales)) is not None:
            yield *found.span(), score, name, found[2]


def _agrees(scale: Scale, top: str | None) -> bool:
    """Whether a score's /N, if it has one, is the scale's end."""
    return top is None or float(top) == scale.highest


def _readings(
    said: tuple[float, ...],
    names: Iterable[str],
    tops: Iterable[str | None],
    scales: Scales,
    write: Callable[[str, tuple[float, ...]], str],
) -> tuple[str, ...]:
    """The clear ways to write scores: on each scale that may be meant and has them; else the nearest that there are."""
    names = list(names)
    others = [_OUT_OF[top] for top in tops if top in _OUT_OF]
    fitting = [name for name in dict.fromkeys((*names, *others)) if all(map(scales[name].holds, said))]
    if fitting:
        return tuple(write(name, said) for name in fitting)
    ways = [(names[0], way) for way in product(*(_nearest(scales[names[0]], score) for score in said))]
    if not all(map(scales["stars5"].holds, said)) or "5" not in tops:
        return tuple(write(*way) for way in ways)
    return tuple(write(*way) for way in (("stars5", said), *ways))


def _nearest(scale: Scale, score: float) -> list[float]:
    """The scores of a scale between which one lies; none outside it."""
    step = 1.0 if scale.whole else 0.5
    if not scale.lowest <= score <= scale.highest:
        return []
    return sorted({math.floor(score / step) * step, math.ceil(score / step) * step})
