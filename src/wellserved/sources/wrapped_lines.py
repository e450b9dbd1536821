"""Text whose lines are each quoted as a whole, as a spreadsheet saves a table that it took for one column."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import islice
from pathlib import Path

from wellserved.sources.bytes import LineCounts, TextFile
from wellserved.sources.dialect import DELIMITERS, SAMPLE_LINES

MIN_WRAPPED_SHARE = 0.9  # of the lines that are quoted as a whole and then hold rows of one width
FEWEST_COLUMNS = 3  # of such rows: two may be a sentence with a comma


def unwrap_lines(text: TextFile, scratch: Path) -> tuple[TextFile, int]:
    """The text without the quotes around its lines, and how many lines had them; as it is, where they are none."""
    with text.path.open("r", encoding="utf-8", newline="\n") as file:
        sample = [line for line in islice(file, SAMPLE_LINES) if line.strip()]
    if not _are_wrapped(sample):
        return text, 0
    target, counts, wrapped_count = scratch / "unwrapped", LineCounts(), 0
    with text.path.open("r", encoding="utf-8", newline="\n") as file, target.open("wb") as unwrapped:
        for line in file:
            content = _unwrap(line)
            wrapped_count += content is not None
            line_bytes = line.encode() if content is None else f"{content}\n".encode()
            counts.add(line_bytes)
            unwrapped.write(line_bytes)
    return counts.text(target, text.sha256, text.encoding, text.mended_lines), wrapped_count


def _are_wrapped(lines: list[str]) -> bool:
    contents = [content for line in lines if (content := _unwrap(line)) is not None]
    if not contents or len(contents) < MIN_WRAPPED_SHARE * len(lines):
        return False
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(contents, delimiter=delimiter))
        width, count = widths.most_common(1)[0]
        if width >= FEWEST_COLUMNS and count >= MIN_WRAPPED_SHARE * len(contents):
            return True
    return False


def _unwrap(line: str) -> str | None:
    """What stands in a line that is one quoted field; None: it is more, or less."""
    line_text = line.rstrip("\r\n")
    if len(line_text) < 2 or line_text[0] != '"' or line_text[-1] != '"':
        return None
    content = line_text[1:-1].replace('""', "\0")
    return None if '"' in content else content.replace("\0", '"')
