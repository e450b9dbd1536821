"""Which of the old code pages a text that is not UTF-8 was written in: by what its letters would be.

Windows-1252 unless something speaks for another: Cyrillic writes whole words beyond ASCII, Polish and Czech put letters
where Windows-1252 has signs or accents that no western language has within a word, Japanese comes in pairs with kana.
"""

from __future__ import annotations

import re
from pathlib import Path

_SAMPLE_BYTES = 1 << 20
MIN_SHARE = 0.5  # of the bytes beyond ASCII that must speak for another code page
FEWEST_SIGNS = 3  # letters that only another code page explains
_WHOLE_WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[\xa8\xb8\xc0-\xff]{3,}(?![A-Za-z\x80-\xff])")
_HIGH = re.compile(rb"[\x80-\xff]")
_KANA = re.compile("[\u3041-\u30fe]")
_POLISH = re.compile(
    "[a-zA-ZêóœæñŸ][¹³¿]|[¹³¿][a-zêóœæñŸ]|£[a-zóê]"
)  # Windows-1250's ąłż and Ł, as Windows-1252 shows them
_CZECH = re.compile("[ìùòï](?=[a-zíáéýžš])|ø(?=[a-zíáéýžšìù])")  # ě, ů, ň, ď and ř within words
_CARONS = re.compile("[ŠŽšž]")


def guess_code_page(path: Path) -> str:
    """The code page of a file that is not UTF-8, by its first megabyte."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    high_count = len(_HIGH.findall(sample))
    if _is_japanese(sample):
        return "cp932"
    if sum(map(len, _WHOLE_WORD.findall(sample))) > MIN_SHARE * high_count:
        return "cp1251"
    western = sample.decode("cp1252", "replace")
    is_czech = _CARONS.search(western) or {"ì", "ø"} <= set(western)
    czech_count = len(_CZECH.findall(western)) if is_czech else 0
    return "cp1250" if max(len(_POLISH.findall(western)), czech_count) >= FEWEST_SIGNS else "cp1252"


def _is_japanese(sample: bytes) -> bool:
    try:
        text = sample.decode("cp932")
    except UnicodeDecodeError:
        return False
    beyond_ascii = sum(character > "\x7f" for character in text)
    return beyond_ascii > 0 and len(_KANA.findall(text)) >= max(FEWEST_SIGNS, 0.1 * beyond_ascii)
