"""What is logged holds no secret: addresses that are keys, and keys themselves, are cut out of every line."""

from __future__ import annotations

import logging
import re
from typing import Final

_SECRETS: Final = (
    (
        re.compile(r"(/(?:invitation|calendar|hooks|u|c)/)[^\s/?\"'<>]+"),
        r"\1…",
    ),  # whoever has such an address is let in
    (re.compile(r"\b(ws_|whsec_)[\w+/=-]+"), r"\1…"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 …"),
)


class RedactingFormatter(logging.Formatter):
    """Formats a line, its traceback included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = super().format(record)
        for secret, replacement in _SECRETS:
            line = secret.sub(replacement, line)
        return line
