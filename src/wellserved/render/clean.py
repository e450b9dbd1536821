"""Other people's words on a terminal: data, never commands."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def visible_text(words: str) -> str:
    """The words with control and direction characters made visible, so that a terminal obeys none of them."""
    return _CONTROL.sub(lambda match: f"<{unicodedata.name(match[0], f'U+{ord(match[0]):04X}')}>", words)


def one_line(words: str) -> str:
    """The words on one line, with control and direction characters made visible."""
    return " ".join(visible_text(words).split())
