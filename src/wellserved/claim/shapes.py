"""The shapes of what stands in a claim and in its evidence, as data: the command and the page in a browser read the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_HIDING: Final = r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_HIDDEN: Final = re.compile(f"[{_HIDING}]+")
_PATTERNS: Final = {
    "text": f"[^{_HIDING}]*",  # nothing that hides or turns other words
    "decimal": r"-?[0-9]{1,25}(\.[0-9]{1,40})?",
    "share": r"0\.[0-9]{0,9}[1-9][0-9]{0,9}",
    "instant": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00",
    "day": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "hash": r"[0-9a-f]{64}",
    "salt": r"[0-9a-f]{32}",
    "id": r"[a-z2-7]{12}",
    "pseudonym": r"[0-9a-f]{16}",
}
_ESTIMATE: Final = {"value": "decimal", "low": "decimal", "high": "decimal", "unit": "text"}
_PERIOD: Final = {"start": "day", "end": "day", "key": "count", "n": "count", "value": "decimal"}
FACT_SHAPES: Final[dict[str, Any]] = {
    "sentence_full": "text",
    "sentence_ratio": "text",
    "sentence_ratio_without_service": "text",
    "person": {"name": "text", "role": "text"},
    "cases": {"before": "count", "after": "count"},
    "count": {"done": "count", "of": "count"},
    "relative_effect": _ESTIMATE,
    "effect": _ESTIMATE,
    "segment": [["text"], "or none"],
    "sources": "any",
    "change": {"name": "text", "what": "text", "since": "day", "who": "text", "idea": "text", "helpers": ["text", "or none"]},
    "windows": {
        "before": [_PERIOD], "after": [_PERIOD], "granularity": "text", "unit": "text", "unit_size": "decimal", "change": "day",
    },
}  # fmt: skip
"""What may be shown or hidden, by name. A list has at least one member, where it does not say "or none"."""
STATEMENT_SHAPE: Final[dict[str, Any]] = {
    "_type": "text",
    "predicateType": "text",
    "predicate": "any",
    "subject": [{"name": "text", "digest": {"merkleSha256": "hash"}}],
}
_MEASURE: Final = {
    "name": "text", "version": "count", "question": "text", "kind": "text", "counted": "text", "formula": "text", "quantile": "share",
    "sha256": "hash",
}  # fmt: skip
_MEASURED: Final[dict[str, Any]] = {
    "id": "id", "issued": "instant", "supersedes": "text", "hidden": ["hash"], "grade": "text", "grade_words": "text", "measure": _MEASURE,
    "as_of": "text", "zone": "text", "log_version": "count", "made_with": "text", "sources_left_out": "count",
    "periods": {"granularity": "text", "before": "count", "after": "count", "months": "count"},
}  # fmt: skip
PREDICATE_SHAPES: Final[dict[str, Any]] = {
    "measured": _MEASURED,
    "counted": _MEASURED,
    "proved": {
        **_MEASURED,
        "declared": {"at": "text", "since": "day"},
        "declarations": "hash",
        "verdict": "text",
        "guardrails": [{"name": "text", "result": "text"}, "or none"],
        "tried": {"looks": "count", "changed": "count", "withdrawn": "count", "others_of_that_day": "count"},
    },
}
"""What every form of a claim shows, by its grade."""
STATES_SHAPE: Final = {
    "issued": "day",
    "next_update": "day",
    "keys": [{"id": "hash", "since": "instant", "until": "text"}],
    "states": "any",
}
"""A list of states."""
SHAPES: Final = {
    "patterns": _PATTERNS,
    "facts": FACT_SHAPES,
    "statement": STATEMENT_SHAPE,
    "predicates": PREDICATE_SHAPES,
    "states": STATES_SHAPE,
}


def plain_texts(value: Any) -> Any:
    """A value whose texts hold nothing that hides or turns other words: blanks stand in its place."""
    if isinstance(value, str):
        return _HIDDEN.sub(" ", value)
    if isinstance(value, list | tuple):
        return [plain_texts(item) for item in value]
    return {name: plain_texts(item) for name, item in value.items()} if isinstance(value, dict) else value


def has_shape(value: object, shape: object) -> bool:
    """A value made as the shape says: every field there and no other, texts of their pattern, counts from 0 on."""
    if shape == "any":
        return True
    if shape == "count":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if isinstance(shape, str):
        return isinstance(value, str) and re.fullmatch(_PATTERNS[shape], value) is not None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return False
        return (bool(value) or len(shape) > 1) and all(has_shape(item, shape[0]) for item in value)
    assert isinstance(shape, Mapping)
    return (
        isinstance(value, dict)
        and value.keys() == shape.keys()
        and all(has_shape(value[name], part) for name, part in shape.items())
    )
