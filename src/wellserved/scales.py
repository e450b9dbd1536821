"""Scales of ratings: those that everybody knows, and a workspace's own (scales.toml).

What an own scale means is kept with the ratings (scales-used.json) when the first of them is recorded; from then on
another meaning under the same name is refused, since it would change what was measured. Words, and what is bad where that
was not declared, may be added: no number rests on them yet.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wellserved import disk
from wellserved.errors import DamageError, ScaleError

SCALES_FILE, USED_SCALES_FILE = "scales.toml", "scales-used.json"
MAX_NAME_LENGTH, MAX_SCALES = 10, 50  # letters of a name; scales of a workspace
MAX_BORDER, MAX_RANGE = 10_000.0, 100  # of a border, and of a scale
_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_NAME_LENGTH - 1}}}")
_KEYS = ("lowest", "highest", "good_from", "bad_to", "halves", "words")
_EXAMPLE = "[smile4]\nlowest = 1\nhighest = 4\ngood_from = 3"


@dataclass(frozen=True)
class Scale:
    """What a score on it can be, and which are good and which bad."""

    name: str
    lowest: float
    highest: float
    good_border: float  # border of what counts as good
    bad_border: float | None  # border of what counts as bad; None: not declared
    rule: str = ""  # in words
    whole_numbers: bool = True  # whole numbers alone; else halves too
    low_is_good: bool = False
    words: tuple[tuple[str, float], ...] = ()  # what a source writes in place of a score
    is_own: bool = False  # declared by the workspace

    def has_score(self, score: float) -> bool:
        """Whether the scale has this score."""
        steps = score if self.whole_numbers else score * 2
        return self.lowest <= score <= self.highest and float(steps).is_integer()

    @property
    def span(self) -> str:
        """1 to 5."""
        return f"{self.lowest:g} to {self.highest:g}"

    @property
    def steps(self) -> str:
        """What its scores are."""
        return "whole numbers" if self.whole_numbers else "whole and half numbers"

    def good_sql(self) -> str:
        """SQL: `score` is good."""
        return f"score {'<=' if self.low_is_good else '>='} {self.good_border:g}"

    def bad_sql(self) -> str:
        """SQL: `score` is bad; nothing is, where that is not declared."""
        return "1 = 0" if self.bad_border is None else f"score {'>=' if self.low_is_good else '<='} {self.bad_border:g}"


Scales = Mapping[str, Scale]
BUILT_IN: Final[dict[str, Scale]] = {
    scale.name: scale
    for scale in (
        Scale("csat5", 1, 5, 4, 2, "satisfied = 4 or 5 of 5 (top two boxes)"),
        Scale("stars5", 1, 5, 4, 2, "satisfied = 4 or 5 of 5 stars (top two boxes)", whole_numbers=False),
        Scale("nps10", 0, 10, 9, 6, "promoter = 9 or 10 of 10; this share is not the net score"),
        Scale("points10", 1, 10, 9, 4, "satisfied = 9 or 10 of 10 (top two boxes); bad = 4 or less"),
        Scale("ces7", 1, 7, 5, 3, "easy = 5, 6 or 7 of 7 (CES 2.0: how far the customer agrees that it was made easy)"),
        Scale("ces5", 1, 5, 2, 4, "easy = 1 or 2 of 5 (CES 1.0: how much effort it took, so that a low score is good)", low_is_good=True),
        Scale("good_bad", 0, 1, 1, 0, "good = 1 of 0 or 1"),
    )
}  # fmt: skip


def good_sql(scales: Scales) -> str:
    """SQL: a case's score is good by the rule of its scale."""
    return _by_scale(scales, Scale.good_sql)


def bad_sql(scales: Scales) -> str:
    """SQL: a case's score is bad by the rule of its scale."""
    return _by_scale(scales, Scale.bad_sql)


def _by_scale(scales: Scales, rule: Callable[[Scale], str]) -> str:
    """SQL: one rule for all scales that share it; names are whitelisted, so that they need no quoting."""
    scales_by_rule: dict[str, list[str]] = {}
    for scale in scales.values():
        scales_by_rule.setdefault(rule(scale), []).append(f"scale = '{scale.name}'")
    cases = " ".join(f"WHEN {' OR '.join(names)} THEN {sql}" for sql, names in scales_by_rule.items())
    return f"CASE {cases} END"


def load_scales(folder: Path) -> dict[str, Scale]:
    """All scales of the workspace in this folder, its own after the others; raises where they cannot be relied on."""
    file = folder / SCALES_FILE
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ScaleError(f"{file} cannot be read: {error}.", "Write it again in UTF-8.") from error
    own_scales = parse_scales(text, file.name)
    used_meanings = _used(folder)
    _check_meaning(own_scales, used_meanings)
    return {**BUILT_IN, **own_scales}


def parse_scales(text: str, origin: str = SCALES_FILE) -> dict[str, Scale]:
    """Own scales from the text of their file; every mistake is named at once, with what to write instead."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScaleError(f"{origin} is not valid TOML: {error}.", "Mend that line and try again.") from error
    mistakes = [f"there are {len(raw)} scales, {MAX_SCALES} at most are kept"] if len(raw) > MAX_SCALES else []
    for name, facts in list(raw.items())[:MAX_SCALES]:
        mistakes += [f"{name}: {mistake}" for mistake in _mistakes(name, facts)]
    if mistakes:
        raise ScaleError(
            f"{origin} cannot be read: {'; '.join(mistakes[:12])}.",
            f"A whole example: {_EXAMPLE!r}; see docs/sources.md.",
        )
    return {name: _scale(name, facts) for name, facts in raw.items()}


def _mistakes(name: str, facts: Any) -> Iterator[str]:
    """Everything that is wrong with one declaration."""
    if not _NAME.fullmatch(name):
        yield f"a name has up to {MAX_NAME_LENGTH} small letters, digits and _, and begins with a letter"
    if name in BUILT_IN:
        yield "this scale is known already; choose another name"
    if not isinstance(facts, dict):
        yield f"write [{name}] above its settings"
        return
    if unknown_keys := sorted(set(facts) - set(_KEYS)):
        yield f"{unknown_keys[0]!r} is not known; it can have {', '.join(_KEYS)}"
    missing = [key for key in _KEYS[:3] if key not in facts]
    if missing:
        yield f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    if not isinstance(facts.get("halves", False), bool):
        yield "halves takes true or false"
    wrong_keys = [key for key in _KEYS[:4] if key in facts and not _is_number(facts[key])]
    yield from (f"{key} takes a number up to {MAX_BORDER:,.0f}, not {_cut(facts[key])!r}" for key in wrong_keys)
    if not missing and not wrong_keys:
        yield from _disorder(name, facts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_BORDER


def _cut(value: Any) -> str:
    """The beginning of what somebody wrote."""
    try:
        return str(value)[:40]
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"


def _disorder(name: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """What does not go together."""
    scale = _scale(name, {**facts, "words": {}})
    if not scale.lowest < scale.highest:
        yield f"lowest ({scale.lowest:g}) is not below highest ({scale.highest:g})"
        return
    if scale.highest - scale.lowest > MAX_RANGE:
        yield f"it runs over {scale.highest - scale.lowest:,.0f} points, {MAX_RANGE} at most are kept"
    steps = "a whole number" if scale.whole_numbers else "a whole number or a half"
    borders = {
        "lowest": scale.lowest,
        "highest": scale.highest,
        "good_from": scale.good_border,
        "bad_to": scale.bad_border,
    }
    for key, border in borders.items():
        if border is not None and not scale.has_score(border):
            yield f"{key} = {border:g} is not {steps} from {scale.span}"
    if scale.good_border == scale.lowest:
        yield "good_from is the lowest score, so that every rating would be good"
    if scale.bad_border is not None and scale.bad_border >= scale.good_border:
        yield f"bad_to ({scale.bad_border:g}) is not below good_from ({scale.good_border:g})"
    yield from _wrong_words(scale, facts.get("words", {}))


def _wrong_words(scale: Scale, words: Any) -> Iterator[str]:
    if not isinstance(words, dict):
        yield "words takes a table, such as words = { Good = 3, Bad = 1 }"
        return
    scores_by_word: dict[str, float] = {}
    for word, score in words.items():
        if not word.strip() or "\0" in word:
            yield "a word is empty"
        elif not _is_number(score) or not scale.has_score(score):
            yield f"the word {word!r} stands for {_cut(score)}, which is not on the scale"
        elif scores_by_word.setdefault(word.strip().lower(), score) != score:
            yield f"the word {word!r} stands for two scores"


def _scale(name: str, facts: Mapping[str, Any]) -> Scale:
    halves = facts.get("halves") is True
    good, bad = float(facts["good_from"]), facts.get("bad_to")
    rule = f"good = {good:g} or more of {float(facts['highest']):g}" + (
        "" if bad is None else f"; bad = {float(bad):g} or less"
    )
    words = tuple((word, float(score)) for word, score in facts.get("words", {}).items())
    rule += f"; words: {', '.join(f'{word} = {score:g}' for word, score in words)}" if words else ""
    return Scale(
        name, float(facts["lowest"]), float(facts["highest"]), good, None if bad is None else float(bad), rule,
        not halves, False, words, True,
    )  # fmt: skip


def _facts(scale: Scale) -> dict[str, Any]:
    """A declaration as it is kept with the ratings."""
    return {
        "lowest": scale.lowest, "highest": scale.highest, "good_from": scale.good_border, "bad_to": scale.bad_border,
        "halves": not scale.whole_numbers, "words": dict(scale.words),
    }  # fmt: skip


def _used(folder: Path) -> dict[str, dict[str, Any]]:
    """What own scales meant when ratings on them were first recorded."""
    file = folder / USED_SCALES_FILE
    if not file.exists():
        return {}
    try:
        meanings: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        for name, facts in meanings.items():
            if setting := _invalid_setting(facts):
                raise ValueError(f"{setting} of {name!r} cannot be that of a scale")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DamageError(
            f"{file} is damaged: {error}.", f"Bring it back from a backup (files/{USED_SCALES_FILE})."
        ) from error
    return meanings


def _invalid_setting(facts: Mapping[str, Any]) -> str:
    """The first setting of a kept scale that is missing or of a wrong kind; empty: none is."""
    if set(_KEYS) != set(facts):
        return "the settings"
    wrong_settings = [
        key for key in _KEYS[:4] if not (_is_number(facts[key]) or (key == "bad_to" and facts[key] is None))
    ]
    wrong_settings += [] if isinstance(facts["halves"], bool) else ["halves"]
    words = facts["words"]
    wrong_settings += [] if isinstance(words, dict) and all(map(_is_number, words.values())) else ["words"]
    return wrong_settings[0] if wrong_settings else ""


def _check_meaning(scales: Scales, used: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise where scales mean something else than what ratings rest on."""
    changes = [change for name, facts in used.items() if (change := _meaning_change(scales.get(name), name, facts))]
    if changes:
        raise ScaleError(
            f"{SCALES_FILE} gives scales another meaning than the ratings recorded on them have: {'; '.join(changes)}.",
            "Set that back, and declare the new meaning under a name of its own.",
        )


def _meaning_change(scale: Scale | None, name: str, used: Mapping[str, Any]) -> str:
    """How a declaration differs from what ratings rest on; empty: it does not. Words may be added, and bad_to once."""
    if scale is None:
        return f"{name} is gone"
    current = _facts(scale)
    for key in _KEYS[:5]:
        is_added = key == "bad_to" and used[key] is None  # no number was computed without it
        if current[key] != used[key] and not is_added:
            return f"{name}: {key} was {_value_text(used[key])} and is {_value_text(current[key])}"
    for word, score in used["words"].items():
        if current["words"].get(word) != score:
            return f"{name}: the word {word!r} stood for {score:g}"
    return ""


def _value_text(value: Any) -> str:
    return "not given" if value is None else str(value).lower() if isinstance(value, bool) else f"{value:g}"


def keep_meaning(folder: Path, scratch: Path, scales: Iterable[Scale]) -> None:
    """Before ratings on own scales are recorded: keep what these mean. The caller holds the workspace's write lock.

    Raises where another process has meanwhile recorded ratings on them that mean something else.
    """
    own_scales = {scale.name: scale for scale in scales if scale.is_own}
    if not own_scales:
        return
    used_meanings = _used(folder)
    _check_meaning(own_scales, {name: facts for name, facts in used_meanings.items() if name in own_scales})
    meanings = {**used_meanings, **{name: _facts(scale) for name, scale in own_scales.items()}}
    if meanings != used_meanings:
        with disk.rewrite_file(folder / USED_SCALES_FILE, scratch / "scales") as file:
            file.write(json.dumps(meanings, ensure_ascii=False, indent=1) + "\n")
