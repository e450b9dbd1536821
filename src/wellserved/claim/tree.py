"""Evidence under one number: a salted Merkle tree over the rows that a claim rests on (RFC 9162, section 2.1)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from wellserved.claim.canonical import ClaimFormatError, canonical_bytes


@dataclass(frozen=True)
class EvidenceKeys:
    """What a claim's evidence is hidden by. The salts' key goes out with the evidence; the others never leave the workspace."""

    salts: bytes  # without it, dates and durations could be guessed from the hashes of rows
    cases: bytes  # of the names of cases
    moments: bytes  # of the digests of their moments


def evidence_keys(secret: bytes) -> EvidenceKeys:
    """The keys of a claim, from its own secret of 32 random bytes: none can be worked out from another."""
    return EvidenceKeys(*(hmac.digest(secret, use, "sha256") for use in (b"salts", b"cases", b"moments")))


def row_salt(salts: bytes, case: str) -> bytes:
    """A row's salt."""
    return hmac.digest(salts, case.encode(), "sha256")[:16]


def case_pseudonym(keys: EvidenceKeys, source: str, case_id: str) -> str:
    """What a case is called in the evidence: nobody outside finds its number, or knows it again in another claim."""
    return hmac.digest(keys.cases, f"{source}|{case_id}".encode(), "sha256").hex()[:16]


def moments_digest(keys: EvidenceKeys, digest: str) -> str:
    """What stands for a case's moments: another, wherever one of them is."""
    return hmac.digest(keys.moments, digest.encode(), "sha256").hex()


def leaf_hash(salt: bytes, row: object) -> bytes:
    """The hash of one row."""
    return hashlib.sha256(b"\x00" + salt + canonical_bytes(row)).digest()


def root_of_rows(rows: Sequence[dict[str, object]], salts: bytes, name: str = "c") -> str:
    """The root over all rows, in the order of their names; hex. Of no rows there is none. `salts`: the key of the salts."""
    ordered_rows = sorted(rows, key=lambda row: str(row[name]))
    return merkle_root([leaf_hash(row_salt(salts, str(row[name])), row) for row in ordered_rows]).hex()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree that splits at the largest power of two below its size."""
    if not leaves:
        raise ClaimFormatError("A claim without evidence has no root.")
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()
