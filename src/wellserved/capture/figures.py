"""A text with what people say in words put into figures, and where each of its letters stood before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Rewrite = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
"""What is said in words, and the figures for it."""


@dataclass(frozen=True)
class FiguredText:
    """A text in figures."""

    text: str
    origins: tuple[int, ...]  # of each of its letters, and of its end, where it stood in the text as written

    def written_span(self, start: int, end: int) -> slice:
        """Where a stretch of it stood in the text as written."""
        return slice(self.origins[start], self.origins[end])


def put_in_figures(text: str, rewrites: Iterable[Rewrite]) -> FiguredText:
    """The text with each rewriting done in turn."""
    origins = list(range(len(text) + 1))
    for pattern, rewrite in rewrites:
        text, origins = _rewritten(text, origins, pattern, rewrite)
    return FiguredText(text, tuple(origins))


def _rewritten(
    text: str, origins: list[int], pattern: re.Pattern[str], rewrite: Callable[[re.Match[str]], str]
) -> tuple[str, list[int]]:
    """The text with each match rewritten, and where its letters stood."""
    pieces, piece_origins, done = [], list[int](), 0
    for match in pattern.finditer(text):
        figures = rewrite(match)
        pieces += [text[done : match.start()], figures]
        piece_origins += origins[done : match.start()] + [origins[match.start()]] * len(figures)
        done = match.end()
    return "".join(pieces) + text[done:], piece_origins + origins[done:]
