"""May I believe this file? What a stranger can find out without a network, a workspace or trust in whoever sent it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from wellserved.claim.canonical import ClaimFormatError, NotAClaimError, canonical_bytes, parse_file
from wellserved.claim.envelope import (
    FINGERPRINT_WORDS,
    fingerprint,
    key_id,
    open_envelope,
    read_key,
    sign_statement,
    verification_key,
)
from wellserved.claim.file import STATEMENT_TYPE, OpenedClaim, open_claim
from wellserved.claim.key_words import KEY_WORDS
from wellserved.claim.numbers import value_of_rows
from wellserved.claim.shapes import STATES_SHAPE, has_shape
from wellserved.claim.tree import evidence_keys, root_of_rows
from wellserved.errors import RequestError

EVIDENCE_FORMAT: Final = "wellserved evidence 1"
EVIDENCE_SHAPE: Final = {
    "claim": "id", "format": "text", "rows": [{"c": "pseudonym", "m": "hash", "open": "count", "p": "count", "v": "any"}], "secret": "hash",
}  # fmt: skip
STATES_FORMAT: Final = "wellserved claim states 1"
STATES_TYPE: Final = "urn:wellserved:claim-states:1"
ClaimState = Literal["current", "stale", "superseded", "withdrawn"]
STATE_WORDS: Final[dict[ClaimState, str]] = {
    "current": "The employer's list shows it as current.",
    "stale": "It no longer holds as it was signed: its records were corrected or added to.",
    "superseded": "A newer claim has taken its place.",
    "withdrawn": "Withdrawn: do not rely on it.",
}


@dataclass(frozen=True)
class ClaimCheck:
    """What came of a check."""

    claim: OpenedClaim | None  # None: it is not genuine
    problem: str = ""  # why it is not
    finding: Literal["forged", "not a claim", "not confirmed"] = "forged"  # where it is not genuine
    knows_key: bool = False  # the key is the one that was named
    state: ClaimState | None = None  # by a list of states; None: not known
    state_words: str = ""
    evidence_words: str = ""  # what the rows beside it tell; empty: none were given
    holds: bool = True  # nothing in a list of states speaks against it, as far as there is one

    @property
    def exit_code(self) -> int:
        """0: genuine, by a known key, and nothing against it; 1: genuine, but not all of that; 2: not genuine."""
        if self.claim is None:
            return 2
        return 0 if self.knows_key and self.holds else 1


def check_claim(
    raw: bytes, key: str = "", evidence: bytes | None = None, states: bytes | None = None, today: date = date.min
) -> ClaimCheck:
    """Check a claim file. `key`: the twelve words, or the hash, of the key that the employer named; `evidence`, `states`:
    the bytes of such files; `today`: the day on which a list has to be up to date."""
    try:
        claim = open_claim(raw)
    except NotAClaimError as error:
        return ClaimCheck(None, error.problem, finding="not a claim")
    except ClaimFormatError as error:
        return ClaimCheck(None, error.problem)
    try:
        published = _open_states(states) if states is not None else None
        _check_key(claim, key, published)
        evidence_words = _check_evidence(claim, evidence) if evidence is not None else ""
    except ClaimFormatError as error:
        return ClaimCheck(None, error.problem, finding="not confirmed")
    if published is None:
        return ClaimCheck(claim, knows_key=bool(key), evidence_words=evidence_words)
    words, holds = published.words_on(claim, today), published.supports(claim, today)
    return ClaimCheck(
        claim,
        knows_key=bool(key),
        state=published.states.get(claim.id),
        state_words=words,
        evidence_words=evidence_words,
        holds=holds,
    )


@dataclass(frozen=True)
class _PublishedStates:
    """A list of states, as its key signed it."""

    public_key: bytes
    states: dict[str, ClaimState]
    key_ends: dict[str, str]  # id of each key that ever signed there -> when it ended; empty: it still signs
    issued: str  # days
    next_update: str

    def words_on(self, claim: OpenedClaim, today: date) -> str:
        """What the list says of a claim."""
        state = self.states.get(claim.id)
        words = STATE_WORDS[state] if state else "The list does not name this claim: ask the employer why."
        late = (
            f" A newer list was due on {self.next_update}: ask for it." if self.next_update < today.isoformat() else ""
        )
        return f"{words} (By the list of {self.issued}.){late}"

    def supports(self, claim: OpenedClaim, today: date) -> bool:
        """Whether nothing in it speaks against a claim."""
        return self.states.get(claim.id) == "current" and self.next_update >= today.isoformat()


def _check_key(claim: OpenedClaim, key: str, published: _PublishedStates | None) -> None:
    """Raise where the key of the claim, or of the list, is not the one that was named, nor followed by it."""
    is_successor = (
        published is not None
        and bool(key)
        and _is_named(published.public_key, key)
        and claim.key_id in published.key_ends
    )
    if key and not _is_named(claim.public_key, key) and not is_successor:
        raise ClaimFormatError(f"It is signed by another key: {claim.fingerprint}.")
    if published is None:
        return
    if published.public_key != claim.public_key and not is_successor:
        raise ClaimFormatError("The list of states is by another key.")
    if (end := published.key_ends.get(claim.key_id, "")) and claim.predicate["issued"] > end:
        raise ClaimFormatError("It is signed with a key that had ended by then.")


def _is_named(public_key: bytes, key: str) -> bool:
    """A key is the one of these words, however they were written, or of this hash."""
    words = re.findall(r"[a-z0-9]+", key.casefold())
    if len(words) != FINGERPRINT_WORDS and not (len(words) == 1 and has_shape(words[0], "hash")):
        raise RequestError(
            f"{key!r} is no key.", f"Give its {FINGERPRINT_WORDS} words, as the employer told you, or its hash."
        )
    if unknown_words := sorted(set(words) - set(KEY_WORDS)) if len(words) > 1 else []:
        raise RequestError(f"{unknown_words[0]!r} is no word of a key.", "Look for a slip in typing.")
    return words in (fingerprint(public_key).split(), [key_id(public_key)])


def evidence_file(claim_id: str, rows: Sequence[Mapping[str, object]], secret: bytes) -> bytes:
    """The rows that a claim rests on, for whoever is to work its numbers out anew; of its secret it tells the salts alone."""
    ordered_rows = sorted(rows, key=lambda row: str(row["c"]))
    content = {
        "claim": claim_id,
        "format": EVIDENCE_FORMAT,
        "rows": ordered_rows,
        "secret": evidence_keys(secret).salts.hex(),
    }
    return canonical_bytes(content) + b"\n"


def _check_evidence(claim: OpenedClaim, raw: bytes) -> str:
    """What the rows tell; raises where they are not those that were signed, or give other numbers."""
    content = parse_file(raw)
    if not has_shape(content, EVIDENCE_SHAPE) or content["format"] != EVIDENCE_FORMAT:
        raise ClaimFormatError("The evidence is damaged, or none.")
    if content["claim"] != claim.id:
        raise ClaimFormatError("The evidence is of another claim.")
    rows: list[dict[str, Any]] = content["rows"]
    names = [row["c"] for row in rows]
    if names != sorted(set(names)):
        raise ClaimFormatError("Rows of the evidence are out of order, or stand in it twice.")
    if root_of_rows(rows, bytes.fromhex(content["secret"])) != claim.evidence_root:
        raise ClaimFormatError("The evidence is not what was signed: a row was changed, left out or added.")
    if count := claim.shown.get("count"):
        _compare_count(count, rows)
        return f"The {len(rows):,} rows of evidence are the signed ones, and give the count."
    if "windows" not in claim.shown:
        return (
            f"The {len(rows):,} rows of evidence are the signed ones. The file shows no numbers to compare with them."
        )
    _compare_numbers(claim, rows)
    return f"The {len(rows):,} rows of evidence are the signed ones, and all numbers were recomputed from them."


def _compare_count(count: Mapping[str, int], rows: Sequence[dict[str, Any]]) -> None:
    """Raise where the rows do not give the count."""
    done = value_of_rows(rows, "share", "0.5")
    if len(rows) != count["of"] or done is None or round(done * len(rows)) != count["done"]:
        raise ClaimFormatError("From the evidence comes another count.")


def _compare_numbers(claim: OpenedClaim, rows: Sequence[dict[str, Any]]) -> None:
    """Raise where the rows are of other periods than the numbers, or do not give them."""
    windows, measure = claim.shown["windows"], claim.predicate["measure"]
    rows_by_period: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        rows_by_period[row["p"]].append(row)
    periods = [*windows["before"], *windows["after"]]
    if sorted(rows_by_period) != sorted(period["key"] for period in periods):
        raise ClaimFormatError("The evidence is of other periods than the numbers.")
    for period in periods:
        own_rows = rows_by_period[period["key"]]
        value = value_of_rows(own_rows, measure["kind"], measure["quantile"])
        is_same = value is not None and math.isclose(value, float(period["value"]), rel_tol=1e-9, abs_tol=1e-12)
        if len(own_rows) != period["n"] or not is_same:
            raise ClaimFormatError(f"From the evidence comes another number for {period['start']}.")
    cases = claim.shown.get("cases")
    sums = {side: sum(period["n"] for period in windows[side]) for side in ("before", "after")}
    if cases is not None and cases != sums:
        raise ClaimFormatError("Its periods have another number of cases in all than it says.")


def sign_states(
    states: Mapping[str, tuple[str, str]],
    keys: Sequence[Mapping[str, str]],
    issued: str,
    next_update: str,
    private_key: bytes,
) -> bytes:
    """A list of claims' states, to be published: id -> state and the day since which. `keys`: all that ever signed here."""
    public_key = verification_key(private_key)
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "claims", "digest": {"keySha256": key_id(public_key)}}],
        "predicateType": STATES_TYPE,
        "predicate": {
            "issued": issued, "next_update": next_update, "keys": [dict(key) for key in keys],
            "states": {claim: list(state) for claim, state in states.items()},
        },
    }  # fmt: skip
    content = {"envelope": sign_statement(statement, private_key), "format": STATES_FORMAT, "key": public_key.hex()}
    return canonical_bytes(content) + b"\n"


def _open_states(raw: bytes) -> _PublishedStates:
    """Read a list of states; raises where its signature does not fit."""
    content = parse_file(raw)
    if (
        not isinstance(content, dict)
        or set(content) != {"envelope", "format", "key"}
        or content["format"] != STATES_FORMAT
    ):
        raise ClaimFormatError("That is not a list of states.")
    public_key = read_key(content.get("key"))
    statement = open_envelope(content.get("envelope"), public_key)
    predicate: Any = statement.get("predicate")
    if statement.get("predicateType") != STATES_TYPE or not has_shape(predicate, STATES_SHAPE):
        raise ClaimFormatError("That is not a list of states.")
    entries = predicate["states"]
    if not isinstance(entries, dict):
        raise ClaimFormatError("That is not a list of states.")
    if not all(has_shape(entry, ["text"]) and entry[0] in STATE_WORDS for entry in entries.values()):
        raise ClaimFormatError("The list of states names a state that this version does not know.")
    states = {claim: entry[0] for claim, entry in entries.items()}
    key_ends = {item["id"]: item["until"] for item in predicate["keys"]}
    return _PublishedStates(public_key, states, key_ends, predicate["issued"], predicate["next_update"])
