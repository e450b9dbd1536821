"""Which of the old code pages a text that is not UTF-8 was written in: by what its letters would be.

Windows-1252 unless nearly everything beyond ASCII speaks for another: Cyrillic writes whole words so; Polish and Czech put
letters where Windows-1252 has signs, or accents that no western language has within a word; Japanese writes kana.
"""

from __future__ import annotations

import re
from pathlib import Path

_SAMPLE_BYTES = 1 << 20
_MIN_SHARE = 0.9  # of the letters beyond ASCII that another language must explain
_FEWEST_SIGNS = 2  # letters that it alone explains
_FEWEST_KANA = 8
_WHOLE_WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[\xa8\xb8\xc0-\xff]{3,}(?![A-Za-z\x80-\xff])")
_HIGH = re.compile(rb"[\x80-\xff]")
_CAPITAL_WITHIN = re.compile("[а-я][А-Я]")  # Greek and other Cyrillic pages, read as Windows-1251
_KANA = re.compile("[\u3041-\u30fe]")
# As Windows-1252 shows what Windows-1250 means; the letters of the language, and those that it alone explains:
_POLISH = ("¹æê³ñóœŸ¿¥ÆÊ£ÑÓŒ¯", re.compile("[a-zóêœ][¹³¿](?=[a-zóêœ¹³¿])"))  # ą ł ż within words
_CZECH = ("áèïéìíòóøšúùýžÁÈÏÉÌÍÒÓØŠÚÙÝŽ", re.compile("[a-zøèšž]?ì(?=[a-zøšžè])"))  # ě within words


def guess_code_page(path: Path) -> str:
    """The code page of the lines of a file that are not UTF-8, by its first megabyte."""
    with path.open("rb") as file:
        lines = file.read(_SAMPLE_BYTES).splitlines(keepends=True)
    sample = b"".join(line for line in lines if not _is_utf8(line))
    if _is_japanese(sample):
        return "cp932"
    if _is_cyrillic(sample):
        return "cp1251"
    western = sample.decode("cp1252", "replace")
    beyond_ascii = [
        character
        for character in western
        if character > "\x7f" and character not in "\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u2026\u20ac°§"
    ]
    for letters, own_letters in (_POLISH, _CZECH):
        share = sum(character in letters for character in beyond_ascii) / max(1, len(beyond_ascii))
        if share >= _MIN_SHARE and len(own_letters.findall(western)) >= _FEWEST_SIGNS:
            return "cp1250"
    return "cp1252"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_cyrillic(sample: bytes) -> bool:
    """Words that are beyond ASCII from end to end, and small within."""
    in_words = sum(map(len, _WHOLE_WORD.findall(sample)))
    capitals = len(_CAPITAL_WITHIN.findall(sample.decode("cp1251", "replace")))
    return in_words > 0.5 * len(_HIGH.findall(sample)) and capitals < 0.02 * in_words


def _is_japanese(sample: bytes) -> bool:
    try:
        text = sample.decode("cp932")
    except UnicodeDecodeError:
        return False
    beyond_ascii = sum(character > "\x7f" for character in text)
    kana_count = len(_KANA.findall(text))
    return kana_count >= _FEWEST_KANA and kana_count > 0.3 * beyond_ascii
