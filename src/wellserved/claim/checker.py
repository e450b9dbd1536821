"""One page that checks claims in a browser: the same for everybody, without a network, and with no word of trust in itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import lru_cache
from importlib import resources

from wellserved.claim.check import STATE_WORDS
from wellserved.claim.envelope import SMALL_ORDER_KEYS
from wellserved.claim.file import UNKNOWABLE
from wellserved.claim.key_words import KEY_WORDS
from wellserved.claim.shapes import SHAPES


@lru_cache(maxsize=1)
def checker_page() -> str:
    """The page, with the words and the hashes of its own script and style in it."""
    page = (resources.files("wellserved") / "claim" / "check.html").read_text(encoding="utf-8")
    page = (
        page.replace("KEY_WORD_LIST", " ".join(KEY_WORDS))
        .replace("LIMIT_LIST", json.dumps(UNKNOWABLE))
        .replace("SHAPE_TABLE", json.dumps(SHAPES))
        .replace("STATE_TABLE", json.dumps(STATE_WORDS))
    )
    page = page.replace("KEYS_THAT_FIT_ALL", json.dumps(sorted(SMALL_ORDER_KEYS)))
    for tag, mark in (("script", "SCRIPT_HASH"), ("style", "STYLE_HASH")):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content is not None
        page = page.replace(mark, base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode())
    return page


def checker_digest() -> str:
    """SHA-256 of the page, hex: what is published beside it."""
    return hashlib.sha256(checker_page().encode()).hexdigest()
