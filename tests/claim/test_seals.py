"""Bytes, trees and envelopes: exact values, and one form for one content."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellserved.claim.canonical import ClaimFormatError, canonical_bytes, parse_json
from wellserved.claim.envelope import key_id, pre_authentication_encoding, verification_key
from wellserved.claim.key_words import KEY_WORDS
from wellserved.claim.tree import leaf_hash, merkle_root, root_of_rows

SECRET = bytes(range(32))


def test_the_envelope_s_published_example() -> None:
    """github.com/secure-systems-lab/dsse, protocol.md, test vectors."""
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_the_root_of_the_reference_s_rows() -> None:
    rows: list[dict[str, object]] = [
        {"case": f"Q-{index}", "asked": 1_700_000_000 + 86_400 * index, "waited": str(86_400 * 13 if index < 3 else 86_400 * 2)}
        for index in range(5)
    ]  # fmt: skip
    assert root_of_rows(rows, SECRET, "case") == "cc5a18ef75da7f6fe686a224a7b8ef16b73cdf66ba67de8ef7a74268e60c943f"
    assert key_id(verification_key(SECRET)) == "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"


def test_the_tree_of_the_standard() -> None:
    """RFC 9162, 2.1.1: what splits at the largest power of two, written out by hand."""
    leaves = [hashlib.sha256(bytes([index])).digest() for index in range(7)]

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    left = node(node(leaves[0], leaves[1]), node(leaves[2], leaves[3]))
    assert merkle_root(leaves) == node(left, node(node(leaves[4], leaves[5]), leaves[6]))
    assert merkle_root(leaves[:1]) == leaves[0]
    with pytest.raises(ClaimFormatError):
        merkle_root([])


def test_no_inner_node_passes_for_a_row_and_no_row_can_be_guessed() -> None:
    row = {"c": "a", "v": 5}
    assert leaf_hash(b"", row) != leaf_hash(b"salt", row)
    assert merkle_root([b"x" * 32, b"y" * 32]) != merkle_root([b"x" * 32, b"y" * 32, b"y" * 32])
    assert leaf_hash(b"", row) != hashlib.sha256(b"\x01" + canonical_bytes(row)).digest()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=6), values, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(value=VALUES)
def test_what_is_written_is_read_and_written_alike(value: Any) -> None:
    raw = canonical_bytes(value)
    assert canonical_bytes(parse_json(raw)) == raw
    assert canonical_bytes(json.loads(json.dumps(value))) == raw


@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53), "\ud800", b"x", {"é": 1}, {1: 2}, float("nan")])
def test_what_has_no_single_form_is_refused(value: object) -> None:
    with pytest.raises(ClaimFormatError):
        canonical_bytes(value)


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":2}', b"[1.0]", b"[1e3]", b"[NaN]", b"\xff", b"[" * 100_000, b"", b"[9007199254740993]"]
)
def test_json_that_may_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(ClaimFormatError):
        parse_json(raw)


def test_composed_and_decomposed_letters_are_one_text() -> None:
    assert canonical_bytes("e\u0301") == canonical_bytes("é")


def test_every_byte_has_a_word_of_its_own() -> None:
    assert len(KEY_WORDS) == len(set(KEY_WORDS)) == 256
    assert all(word.isascii() and word.islower() and word.isalpha() for word in KEY_WORDS)
