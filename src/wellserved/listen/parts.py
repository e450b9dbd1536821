"""Long texts in parts, so that a story that tells of three things is heard three times."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_WORDS = 150  # a text up to here is one part
WINDOW = (60, 120)  # words of a part: sentences are put together up to the first, and cut beyond the second
QUOTE_LETTERS = 200
FEWEST_WORDS = 4  # what is shorter has no say in which problems there are
SENTENCE_ENDS = re.compile(r"(?<=[.!?。！？…])[\"')\]]*\s+|\n+")


def split_parts(text: str) -> list[str]:
    """The parts of a text, in its order; a short text is one."""
    words = text.split()
    if len(words) <= MAX_WORDS:
        return [" ".join(words)] if words else []
    parts: list[list[str]] = [[]]
    for sentence in SENTENCE_ENDS.split(text):
        for start in range(0, len(chunk := sentence.split()), WINDOW[1]):
            piece = chunk[start : start + WINDOW[1]]
            if parts[-1] and (len(parts[-1]) >= WINDOW[0] or len(parts[-1]) + len(piece) > WINDOW[1]):
                parts.append([])
            parts[-1] += piece
    if len(parts) > 1 and len(parts[-1]) < WINDOW[0] // 2:
        rest = parts.pop()
        parts[-1] += rest
    return [" ".join(part) for part in parts if part]


def is_quotable(text: str) -> bool:
    """Short enough to be quoted, and without a number that may be somebody's."""
    return len(text) <= QUOTE_LETTERS and not re.search(r"\d{5}", text)


def has_a_say(text: str) -> bool:
    """Enough words to tell what it is about; signs of languages without blanks count as half a word each."""
    return len(text.split()) >= FEWEST_WORDS or _dense_letters(text) >= 2 * FEWEST_WORDS


def _dense_letters(text: str) -> int:
    return len(re.findall(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text))


def first_sentences(parts: Sequence[str], letters: int) -> str:
    """As many whole words of the first part as fit."""
    text = parts[0] if parts else ""
    return text if len(text) <= letters else text[: letters - 1].rsplit(" ", 1)[0] + "…"
