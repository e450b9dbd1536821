"""A claim as a file: what was signed, what of it is shown, and whether all of it belongs together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wellserved.claim.canonical import ClaimFormatError, NotAClaimError, canonical_bytes, parse_file, parse_json
from wellserved.claim.envelope import fingerprint, key_id, open_envelope, read_key, sign_statement, verification_key
from wellserved.claim.shapes import FACT_SHAPES, PREDICATE_SHAPES, STATEMENT_SHAPE, has_shape, plain_texts

CLAIM_FORMAT: Final = "wellserved claim 1"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:wellserved:claim:1"
SENTENCE_FORMS: Final = ("full", "ratio", "ratio_without_service")
VARIANTS: Final[dict[str, tuple[str, ...]]] = {
    "full": (
        "sentence_full", "sentence_ratio", "sentence_ratio_without_service", "person", "cases", "count", "relative_effect",
        "segment", "change", "windows", "effect", "sources",
    ),
    "ratio": ("sentence_ratio", "sentence_ratio_without_service", "person", "cases", "relative_effect"),
    "ratio_without_service": ("sentence_ratio_without_service", "person", "cases", "relative_effect"),
}  # fmt: skip
"""What each form of a claim file shows, of all that was signed."""
UNKNOWABLE: Final = (
    "that the records themselves are true and complete",
    "that the person named did it",
    "that the key belongs to the employer, unless you compared its words with theirs",
    "when it was signed: the date is the signer's own",
    "what was corrected since, unless you have a list of states that is newer",
    "of a measured claim, how its day and its measure were chosen",
    "what else was tried outside this workspace",
)
"""What nobody can know from a claim file."""


@dataclass(frozen=True)
class OpenedClaim:
    """A claim file whose parts belong together, and whose signature fits the key that it names."""

    id: str
    predicate: dict[str, Any]
    evidence_root: str
    shown: dict[str, Any]  # what of it is disclosed, by name
    public_key: bytes

    @property
    def sentence(self) -> str:
        """The fullest sentence that is shown."""
        return next(str(self.shown[f"sentence_{form}"]) for form in SENTENCE_FORMS if f"sentence_{form}" in self.shown)

    @property
    def fingerprint(self) -> str:
        """The key, in words."""
        return fingerprint(self.public_key)

    @property
    def key_id(self) -> str:
        """The key, as a hash."""
        return key_id(self.public_key)


def disclosure_digest(salt: str, name: str, value: object) -> str:
    """What is signed in place of a fact that may stay hidden."""
    return hashlib.sha256(canonical_bytes([salt, name, value])).hexdigest()


def sign_claim(
    predicate: Mapping[str, object],
    facts: Mapping[str, object],
    evidence_root: str,
    private_key: bytes,
    make_salt: Callable[[], str],
) -> bytes:
    """A claim file that shows everything. `facts`: what may be shown or hidden, by name; `make_salt`: 32 random hex digits."""
    disclosures = [
        {"name": name, "salt": make_salt(), "value": plain_texts(value)} for name, value in sorted(facts.items())
    ]
    digests = sorted(disclosure_digest(str(item["salt"]), str(item["name"]), item["value"]) for item in disclosures)
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "evidence", "digest": {"merkleSha256": evidence_root}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {**plain_texts(dict(predicate)), "hidden": digests},
    }
    envelope = sign_statement(statement, private_key)
    return _file_bytes(disclosures, envelope, verification_key(private_key))


def _file_bytes(disclosures: list[dict[str, Any]], envelope: object, public_key: bytes) -> bytes:
    content = {"disclosures": disclosures, "envelope": envelope, "format": CLAIM_FORMAT, "key": public_key.hex()}
    return canonical_bytes(content) + b"\n"


def restrict_claim(raw: bytes, names: Collection[str]) -> bytes:
    """The claim file with these facts alone; the others stay signed, and hidden. Without a sentence it is none."""
    content = parse_json(raw)
    disclosures = [item for item in content["disclosures"] if item["name"] in names]
    return _file_bytes(disclosures, content["envelope"], bytes.fromhex(content["key"]))


def open_claim(raw: bytes) -> OpenedClaim:
    """Read a claim file; raises `ClaimFormatError` where anything in it does not belong together.

    It says nothing of whose key it is: compare `fingerprint` with the one that the employer names.
    """
    content = parse_file(raw)
    if not isinstance(content, dict) or set(content) != {"disclosures", "envelope", "format", "key"}:
        raise NotAClaimError("It is no claim of wellserved.")
    if content["format"] != CLAIM_FORMAT:
        raise ClaimFormatError("It is a claim of a form that this version does not know.")
    public_key = read_key(content["key"])
    statement = open_envelope(content["envelope"], public_key)
    predicate, root = _statement_parts(statement)
    return OpenedClaim(predicate["id"], predicate, root, _shown_facts(content["disclosures"], predicate), public_key)


def _statement_parts(statement: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The predicate, and the root of the evidence."""
    predicate = statement.get("predicate")
    is_claim = (
        has_shape(statement, STATEMENT_SHAPE)
        and statement["_type"] == STATEMENT_TYPE
        and statement["predicateType"] == PREDICATE_TYPE
        and len(statement["subject"]) == 1
        and isinstance(predicate, dict)
        and predicate.get("grade") in PREDICATE_SHAPES
        and has_shape(predicate, PREDICATE_SHAPES[predicate["grade"]])
        and sorted(set(predicate["hidden"])) == predicate["hidden"]
    )
    if not is_claim or not isinstance(predicate, dict):
        raise ClaimFormatError("What was signed is no claim.")
    return predicate, str(statement["subject"][0]["digest"]["merkleSha256"])


def _shown_facts(disclosures: object, predicate: dict[str, Any]) -> dict[str, Any]:
    """The facts that are shown; each has to be among those that were signed, and of its shape."""
    if not has_shape(disclosures, [{"name": "text", "salt": "salt", "value": "any"}]):
        raise ClaimFormatError("It shows nothing, or facts without a name.")
    assert isinstance(disclosures, list)
    names = [item["name"] for item in disclosures]
    if names != sorted(set(names)):
        raise ClaimFormatError("Facts in it are out of order, or stand in it twice.")
    for item in disclosures:
        name, value = item["name"], item["value"]
        if disclosure_digest(item["salt"], name, value) not in predicate["hidden"]:
            raise ClaimFormatError(f"The {name.replace('_', ' ')} was changed after signing.")
        if name not in FACT_SHAPES or not has_shape(value, FACT_SHAPES[name]):
            raise ClaimFormatError(f"The {name.replace('_', ' ')} is not of a form that this version knows.")
    if not any(f"sentence_{form}" in names for form in SENTENCE_FORMS):
        raise ClaimFormatError("It shows no sentence.")
    return {item["name"]: item["value"] for item in disclosures}
