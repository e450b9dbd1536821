"""What of a line can be read in more than one way: it is asked, and nothing is chosen in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass

# letters that a comparison without case takes for others, one for one
LOOKALIKE_LETTERS = str.maketrans("ıİſK", "iIsK")


@dataclass(frozen=True)
class CaptureQuestion:
    """A part of a line and the clear ways to write it; each can stand in its place."""

    passage: str
    start: int  # where it stands in the words of the line, blanks collapsed
    readings: tuple[str, ...]

    @property
    def what(self) -> str:
        """What is not clear, in one sentence."""
        if len(self.readings) == 1:
            return f'"{self.passage}" is not clear.'
        return f'"{self.passage}" can be read as {" or as ".join(f"“{reading}”" for reading in self.readings)}.'

    @property
    def do(self) -> str:
        """How to write it so that it is clear."""
        return f"Write {' or '.join(f'“{reading}”' for reading in self.readings)} instead."

    def apply_reading(self, text: str, reading: str) -> str:
        """The words of the line with this reading in the place of what is not clear, otherwise to the letter."""
        collapsed_text = " ".join(text.split())
        earlier_count = collapsed_text[: self.start].count(self.passage)
        pattern = r"\s+".join(map(re.escape, self.passage.split()))
        match_spans = [match.span() for match in re.finditer(pattern, text.translate(LOOKALIKE_LETTERS), re.IGNORECASE)]
        if not match_spans:
            return text
        start, end = match_spans[min(earlier_count, len(match_spans) - 1)]
        return text[:start] + reading + text[end:]
