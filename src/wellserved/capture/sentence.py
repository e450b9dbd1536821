"""What kind of moment a sentence speaks of, where nobody said so at its head: proposed, and never taken in silence.

English and German. Each word of a sentence, its beginning and each pair of them weighs for some kinds and against others;
the weights were learnt from lines as people write them (`python -m bench.sentences`) and stand in sentence_weights.tsv.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wellserved.capture import CapturedLine

READINGS: Final = {
    "asked": "a customer's request", "broken": "a promise that cannot be kept", "complaint": "a customer's complaint",
    "exceeded": "more than was expected", "gap": "what was expected and what was got", "idea": "an idea", "kept": "a promise that was kept",
    "lesson": "a lesson", "met": "an expectation that was met", "missed": "an expectation that was missed", "note": "a note",
    "promise": "a promise", "recovered": "a failure that was made right", "renegotiated": "another time or outcome that was agreed",
    "self": "a judgement of one's own service", "thanks": "a customer's thanks",
}  # fmt: skip
"""Words that a line may begin with -> how a sentence of that kind reads; their order is that of the weights."""
WEIGHTS_FILE: Final = "sentence_weights.tsv"
WEIGHT_SCALE: Final = 10.0  # weights are tenths of a logarithm
LEAST_CHANCE: Final = 0.25  # of what is proposed
LEAST_OTHER_CHANCE: Final = 0.05  # of what is offered beside it
BEGINNING: Final = 4  # letters of a word: what it shares with its other forms
KIND_LETTERS: Final = dict(zip("abcdefghijklmnop", READINGS, strict=True))  # as weights are written
_TOKEN = re.compile(r"[^\W\d_]{1,40}(?:['’][^\W\d_]{1,20})?|\d{1,40}|[?!:%]")
_WEIGHT = re.compile(r"([a-p])(-?\d{1,3})")
_SPELLING = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "’": "'"})


def sentence_features(text: str) -> set[str]:
    """The words of a sentence and their beginnings, and the pairs of each; every number is 0."""
    tokens = ["0" if token[0].isdigit() else token for token in _TOKEN.findall(text.lower().translate(_SPELLING))]
    return set(_with_pairs(["^", *tokens, "$"], "")) | set(
        _with_pairs([token[:BEGINNING] for token in ("^", *tokens, "$")], "<")
    )


def _with_pairs(tokens: list[str], mark: str) -> Iterator[str]:
    yield from (mark + token for token in tokens)
    yield from (f"{mark}{left} {right}" for left, right in pairwise(tokens))


@lru_cache(maxsize=1)
def _weights() -> dict[str, str]:
    """Feature -> its weights as they are written: a letter for the kind, and a whole number."""
    text = (resources.files("wellserved.capture") / WEIGHTS_FILE).read_text(encoding="utf-8")
    return dict(line.split("\t") for line in text.splitlines() if not line.startswith("#"))


def rank_kinds(text: str) -> list[tuple[str, float]]:
    """The words that a line may begin with, the likeliest first, each with its chance."""
    weights = _weights()
    sums = dict.fromkeys(READINGS, 0)
    for feature in ("", *sentence_features(text)):  # the empty one weighs in every sentence
        for letter, number in _WEIGHT.findall(weights.get(feature, "")):
            sums[KIND_LETTERS[letter]] += int(number)
    highest = max(sums.values())
    odds = {word: math.exp((weight - highest) / WEIGHT_SCALE) for word, weight in sums.items()}
    total = sum(odds.values())
    return sorted(((word, value / total) for word, value in odds.items()), key=lambda pair: (-pair[1], pair[0]))


_NO_NAMES = (  # after a title: a gentleman on the phone, a family who
    "am|an|vom|von|aus|mit|im|in|und|oder|der|die|das|den|mir|sich|hat|ist|war|the|a|before|after|who|that|with|from|at|on|arriving|members?|of"
    "|and|has|had|is|was|were|wants?|wanted|says?|said|room|doctor|gathering|ticket|plan|visit|meeting|name|business|called|came"
)
_TITLED = re.compile(
    rf"(?<![\w@#+])((?:mrs?|ms|miss|dr|prof|frau|herrn?|familie|family)\b\.? (?:dr\.? )?(?!(?:{_NO_NAMES})\b)[^\W\d_][\w’-]{{1,39}}(?: (?!I\b)[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ][\w’-]{{0,39}})?)"
    r"(?:['’]s?\b)?",
    re.IGNORECASE,
)  # the second name is written with a capital, whatever the case of the first


@dataclass(frozen=True)
class Proposal:
    """What a sentence may be, and the line as it would be written then: its word at the head, its customer marked."""

    word: str
    line: str
    other_words: tuple[str, ...] = ()  # that it may be as well, the likeliest first

    @property
    def reading(self) -> str:
        """How it reads: a customer's complaint."""
        return READINGS[self.word]


def propose_for(captured_line: CapturedLine) -> Proposal | None:
    """What a line may be that says nothing at its head; None: it says what it is, or it is a note."""
    if captured_line.word != "note" or captured_line.text != captured_line.line:
        return None
    return propose(captured_line.line, captured_line.customer is not None)


def propose(text: str, has_customer: bool = False) -> Proposal | None:
    """What a line without a word at its head may be; None: a note. `has_customer`: it names one that is known."""
    (word, chance), *next_words = rank_kinds(text)
    if word == "note" or chance < LEAST_CHANCE:
        return None
    other_words = tuple(
        next_word for next_word, chance in next_words if chance >= LEAST_OTHER_CHANCE and next_word != "note"
    )
    return Proposal(word, f"{word}: {text.strip() if has_customer else mark_customer(text.strip())}", other_words)


def mark_customer(text: str) -> str:
    """The sentence with the name after its first title marked as a customer's, unless a customer is marked already."""
    name = _titled_name(text)
    if name is None or '+"' in text:
        return text
    return re.sub(rf"(?<![\w@#+\"]){re.escape(name)}(?!\w)", f'+"{name}"', text, count=1)


def _titled_name(text: str) -> str | None:
    """Mrs Jones, herr brandt, Familie Seidel: a name after its title; a capitalised thing after it is none of it."""
    match = _TITLED.search(text)
    if match is None:
        return None
    words = match[1].split()
    title_count = 2 if len(words) > 2 and words[1].rstrip(".").casefold() == "dr" else 1
    if len(words) > title_count + 1 and not (words[-1][0].isupper() and words[title_count][0].isupper()):
        words = words[: title_count + 1]
    if words[0].casefold() in ("frau", "herr", "herrn", "familie"):
        words = words[: title_count + 1]  # in German every noun has a capital
    return " ".join(words)
