"""What a stranger can find out: whatever is changed in a claim, its evidence or a list of states is seen, offline."""

from __future__ import annotations

import json
import random
import secrets
import statistics
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.claim.independent_verifier import verify
from wellserved.claim.canonical import MAX_FILE_BYTES, ClaimFormatError, canonical_bytes
from wellserved.claim.check import check_claim, evidence_file, sign_states
from wellserved.claim.draft import evidence_root
from wellserved.claim.envelope import fingerprint, key_id, sign_statement, verification_key
from wellserved.claim.file import (
    CLAIM_FORMAT,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    VARIANTS,
    disclosure_digest,
    open_claim,
    restrict_claim,
    sign_claim,
)
from wellserved.errors import RequestError

PRIVATE_KEY, OTHER_KEY, SECRET = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
KEY = fingerprint(verification_key(PRIVATE_KEY))
CLAIM_ID = "abcdefgh2345"
EACH = 2_500  # mutations of each kind


def rows_of() -> list[dict[str, object]]:
    """Sixty cases in six months; one of them goes on."""
    rng = random.Random(5)
    return [
        {"c": f"{index:016x}", "m": f"{rng.getrandbits(256):064x}", "open": int(index == 59), "p": 202601 + index // 10, "v": 864_000 - 100_000 * (index // 30) + index}
        for index in range(60)
    ]  # fmt: skip


def windows_of(rows: list[dict[str, object]]) -> dict[str, Any]:
    sides: dict[str, Any] = {"before": [], "after": []}
    for key in range(202601, 202607):
        waits = [int(str(row["v"])) for row in rows if row["p"] == key]
        side = "before" if key < 202604 else "after"
        sides[side].append(
            {
                "key": key,
                "n": 10,
                "start": f"2026-{key % 100:02d}-01",
                "end": "2026-12-31",
                "value": repr(float(statistics.median(waits))),
            }
        )
    return {**sides, "granularity": "month", "unit": "days", "unit_size": "86400", "change": "2026-04-01"}  # fmt: skip


def predicate_of(claim_id: str = "abcdefgh2345") -> dict[str, Any]:
    """What every form of a measured claim shows."""
    measure = {
        "name": "m",
        "version": 1,
        "question": "q",
        "kind": "wait",
        "counted": "c",
        "formula": "f",
        "quantile": "0.5",
        "sha256": "0" * 64,
    }
    return {
        "id": claim_id, "grade": "measured", "grade_words": "the numbers changed so", "issued": "2026-07-01T00:00:00+00:00", "supersedes": "",
        "as_of": "2026-07-01", "zone": "UTC", "log_version": 1, "made_with": "wellserved", "sources_left_out": 0, "measure": measure,
        "periods": {"granularity": "month", "before": 3, "after": 3, "months": 1},
    }  # fmt: skip


def signed(private_key: bytes = PRIVATE_KEY, claim_id: str = CLAIM_ID) -> tuple[bytes, bytes]:
    """A claim with its evidence."""
    rows = rows_of()
    predicate = predicate_of(claim_id)
    facts: dict[str, object] = {
        "sentence_full": "It went from 10 days to 9 days.", "sentence_ratio": "It fell by 10%.", "sentence_ratio_without_service": "Fell by 10%.",
        "cases": {"before": 30, "after": 30}, "windows": windows_of(rows), "person": {"name": "Kim", "role": "owner"}, "segment": [["service", "canary-6174"]],
    }  # fmt: skip
    raw = sign_claim(predicate, facts, evidence_root(rows, SECRET), private_key, lambda: secrets.token_hex(16))
    return raw, evidence_file(claim_id, rows, SECRET)


RAW, EVIDENCE = signed()


def test_an_unchanged_claim_holds() -> None:
    check = check_claim(RAW, KEY, EVIDENCE)
    assert check.exit_code == 0
    assert (
        check.evidence_words
        == "The 60 rows of evidence are the signed ones, and all numbers were recomputed from them."
    )
    assert check_claim(RAW).exit_code == 1  # whose key it is, nobody said
    assert check_claim(RAW, KEY.upper().replace(" ", ", ")).exit_code == 0
    assert check_claim(RAW, key_id(verification_key(PRIVATE_KEY))).exit_code == 0


def flip_bit(raw: bytes, rng: random.Random) -> bytes:
    position = rng.randrange(len(raw) * 8)
    changed = bytearray(raw)
    changed[position // 8] ^= 1 << position % 8
    return bytes(changed)


def change_field(raw: bytes, rng: random.Random) -> bytes:
    """Another value somewhere in the file, written as it has to be."""
    content = json.loads(raw)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            if isinstance(value[key], dict | list):
                walk(value[key])
            else:
                places.append((value, key))

    walk(content)
    holder, key = rng.choice(places)
    old = holder[key]
    holder[key] = old + rng.choice([-1, 1, 1000]) if isinstance(old, int) else old + rng.choice("xyz 0")
    return canonical_bytes(content) + b"\n"


def change_statement(raw: bytes, rng: random.Random) -> bytes:
    """The file of another claim, with this one's signature, key or facts in it: manifests swapped."""
    content, other = json.loads(raw), json.loads(OTHER_CLAIM)
    part = rng.choice(["payload", "signatures", "disclosures", "key"])
    if part in ("payload", "signatures"):
        content["envelope"][part] = other["envelope"][part]
    elif part == "disclosures":
        index = rng.randrange(len(content["disclosures"]))
        content["disclosures"][index] = other["disclosures"][index]
    else:
        content["key"] = verification_key(OTHER_KEY).hex()
    return canonical_bytes(content) + b"\n"


OTHER_CLAIM = signed(claim_id="zyxwvuts7654")[0]


@pytest.mark.parametrize("mutate", [flip_bit, change_field, change_statement])
def test_no_change_of_a_claim_passes(mutate: Callable[[bytes, random.Random], bytes]) -> None:
    rng = random.Random(11)
    for _ in range(EACH):
        changed = mutate(RAW, rng)
        assert changed != RAW
        assert check_claim(changed, KEY).exit_code == 2, changed


def test_no_change_of_the_evidence_passes() -> None:
    rng = random.Random(12)
    for _ in range(EACH):
        content = json.loads(EVIDENCE)
        rows, index = content["rows"], rng.randrange(60)
        match rng.randrange(4):
            case 0:
                rows[index]["v"] += rng.choice([-1, 1, 86_400])
            case 1:
                del rows[index]
            case 2:
                rows[:] = sorted(
                    [*rows, {**rows[index], "c": f"{rng.getrandbits(64):016x}"}], key=lambda row: str(row["c"])
                )
            case _:
                rows[index]["open"] = 1 - rows[index]["open"]
        assert check_claim(RAW, KEY, canonical_bytes(content) + b"\n").exit_code == 2
    assert "another claim" in check_claim(OTHER_CLAIM, KEY, EVIDENCE).problem


def test_a_number_that_the_rows_do_not_give_is_seen_although_it_is_signed() -> None:
    rows = rows_of()
    windows = windows_of(rows)
    windows["after"][1]["value"] = "1.0"
    predicate = predicate_of()
    raw = sign_claim(
        predicate,
        {"windows": windows, "sentence_full": "x"},
        evidence_root(rows, SECRET),
        PRIVATE_KEY,
        lambda: "0" * 32,
    )
    assert "another number" in check_claim(raw, KEY, EVIDENCE).problem  # fmt: skip


def test_a_second_verifier_by_other_hands_agrees() -> None:
    """independent_verifier was written from docs/claims.md by somebody who had not seen this code."""
    assert verify(RAW, EVIDENCE)["sentence_full"] == "It went from 10 days to 9 days."
    rng = random.Random(31)
    for index in range(600):
        changed = (flip_bit, change_field, change_statement)[index % 3](RAW, rng)
        with pytest.raises(ValueError, match=r"."):
            verify(changed, EVIDENCE)


@pytest.mark.parametrize(
    "key", ["00" * 32, "01" + "00" * 31, "00" * 31 + "80", "ed" + "ff" * 30 + "7f", "ff" * 32, "AB" * 32, ""]
)
def test_keys_that_would_fit_any_text_are_none(key: str) -> None:
    content = json.loads(RAW)
    content["key"] = key
    raw = canonical_bytes(content) + b"\n"
    assert check_claim(raw).problem == "Its key is none."


HOSTILE: dict[str, tuple[str, Any]] = {
    "words that turn others": ("sentence_full", "It fell by 10%\u202e."),
    "a sentence that is none": ("sentence_full", ["x"]),
    "a person of another form": ("person", {"name": "Kim"}),
    "a fact that nobody knows": ("award", "best of all"),
    "windows without a side": ("windows", {"after": []}),
    "a number in another writing": ("relative_effect", {"value": "1e0", "low": "0", "high": "1", "unit": "x"}),
    "cases that are none": ("cases", {"before": -1, "after": 3}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_signed_and_has_no_known_form_is_refused(name: str) -> None:
    fact, value = HOSTILE[name]
    facts = {"sentence_ratio": "x", fact: value}
    disclosures = [{"name": one, "salt": "0" * 32, "value": facts[one]} for one in sorted(facts)]
    predicate = {**predicate_of(), "hidden": sorted(disclosure_digest("0" * 32, one, facts[one]) for one in facts)}
    statement = {"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE, "predicate": predicate,
                 "subject": [{"name": "evidence", "digest": {"merkleSha256": "0" * 64}}]}  # fmt: skip
    content = {"disclosures": disclosures, "envelope": sign_statement(statement, PRIVATE_KEY), "format": CLAIM_FORMAT,
               "key": verification_key(PRIVATE_KEY).hex()}  # fmt: skip
    assert "form that this version knows" in check_claim(canonical_bytes(content) + b"\n").problem


def test_hidden_marks_are_gone_before_anything_is_signed() -> None:
    raw = sign_claim(
        predicate_of(), {"sentence_full": "It\nfell\u202e by 10%."}, "0" * 64, PRIVATE_KEY, lambda: "0" * 32
    )
    assert open_claim(raw).sentence == "It fell  by 10%."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"v": True}, "damaged"), ({"v": "1e5"}, "damaged"), ({"v": -5}, "damaged"), ({"open": 2}, "damaged"), ({"p": 202613}, "other periods"),
        ({"x": 1}, "damaged"), ({"c": "kim"}, "damaged"), ({"m": ""}, "damaged"),
    ],
)  # fmt: skip
def test_rows_of_no_known_form_are_refused_although_they_are_signed(change: dict[str, Any], words: str) -> None:
    rows = rows_of()
    windows = windows_of(rows)
    rows[7] |= change
    rows.sort(key=lambda row: str(row["c"]))
    predicate = predicate_of()
    facts: dict[str, object] = {"windows": windows, "sentence_full": "x"}
    raw = sign_claim(predicate, facts, evidence_root(rows, SECRET), PRIVATE_KEY, lambda: "0" * 32)
    assert words in check_claim(raw, KEY, evidence_file(CLAIM_ID, rows, SECRET)).problem


def test_a_successor_s_list_of_states_counts_where_it_is_named() -> None:
    keys = [
        {
            "id": key_id(verification_key(PRIVATE_KEY)),
            "since": "2026-01-01T00:00:00+00:00",
            "until": "2026-07-15T00:00:00+00:00",
        }
    ]
    states = sign_states({CLAIM_ID: ("withdrawn", "2026-08-01")}, keys, "2026-08-02", "2026-09-02", OTHER_KEY)
    assert "by another key" in check_claim(RAW, KEY, states=states).problem  # nobody named its key
    check = check_claim(RAW, fingerprint(verification_key(OTHER_KEY)), states=states)
    assert (check.state, check.exit_code) == ("withdrawn", 1)
    ended = [{**keys[0], "until": "2026-06-30T00:00:00+00:00"}]  # before the claim was signed: the key was stolen
    stolen = sign_states({}, ended, "2026-08-02", "2026-09-02", OTHER_KEY)
    problem = check_claim(RAW, fingerprint(verification_key(OTHER_KEY)), states=stolen).problem
    assert problem == "It is signed with a key that had ended by then."


@pytest.mark.parametrize(
    ("name", "value"),
    [("grade", None), ("grade", "proved"), ("measure", {}), ("issued", "0"), ("issued", "2026-07-01T00:00:00-12:00"), ("grade_words", ["x"]), ("as_of", 5), ("zone", None)],
)  # fmt: skip
def test_what_every_form_shows_has_its_form(name: str, value: Any) -> None:
    predicate = {**predicate_of(), name: value}
    raw = sign_claim(predicate, {"sentence_full": "x"}, "0" * 64, PRIVATE_KEY, lambda: "0" * 32)
    assert check_claim(raw).problem == "What was signed is no claim."


@pytest.mark.parametrize("quantile", ["0.0", "1.5", "x", "-1", "1e400"])
def test_a_quantile_that_is_none_is_refused(quantile: str) -> None:
    predicate = predicate_of()
    predicate["measure"]["quantile"] = quantile
    rows = rows_of()
    raw = sign_claim(
        predicate,
        {"windows": windows_of(rows), "sentence_full": "x"},
        evidence_root(rows, SECRET),
        PRIVATE_KEY,
        lambda: "0" * 32,
    )
    assert check_claim(raw, KEY, EVIDENCE).claim is None


def test_a_claim_without_filter_or_helpers_is_one() -> None:
    change = {"name": "n", "what": "w", "since": "2026-04-01", "who": "", "idea": "", "helpers": []}
    facts: dict[str, object] = {"sentence_full": "x", "segment": [], "change": change}
    assert open_claim(sign_claim(predicate_of(), facts, "0" * 64, PRIVATE_KEY, lambda: "0" * 32)).shown["segment"] == []


@pytest.mark.parametrize("words", ["hello world", "acorn " * 11, "acorn " * 11 + "acron", "AB" * 31])
def test_a_key_that_is_none_is_a_slip_of_whoever_checks(words: str) -> None:
    with pytest.raises(RequestError):
        check_claim(RAW, words)


def test_another_kind_of_file_is_no_forgery() -> None:
    for raw in (b"%PDF-1.7", b"\x89PNG", b"", b"{}"):
        assert check_claim(raw).finding == "not a claim"
    assert check_claim(RAW[:-1]).finding == "forged"
    assert check_claim(RAW, KEY, b"%PDF").finding == "not confirmed"


def test_another_key_is_another_s_claim() -> None:
    raw, _ = signed(OTHER_KEY)
    assert check_claim(raw).exit_code == 1
    check = check_claim(raw, KEY)
    assert (check.exit_code, "another key" in check.problem) == (2, True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_hidden_is_nowhere_in_the_file(variant: str) -> None:
    raw = restrict_claim(RAW, VARIANTS[variant])
    assert check_claim(raw, KEY).exit_code == 0
    text = raw + b"".join(json.loads(raw)["envelope"]["payload"].encode().split())
    import base64

    text += base64.b64decode(json.loads(raw)["envelope"]["payload"])
    assert (b"canary-6174" in text) == (variant == "full")
    assert (b"from 10 days" in text) == (variant == "full")
    assert (b"by 10%" in raw) is True
    if variant != "full":
        words = check_claim(raw, KEY, EVIDENCE).evidence_words
        assert words == "The 60 rows of evidence are the signed ones. The file shows no numbers to compare with them."


def test_a_file_that_shows_no_sentence_is_no_claim() -> None:
    with pytest.raises(ClaimFormatError, match="shows no sentence"):
        open_claim(restrict_claim(RAW, ("cases",)))


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]\n", b"null\n", b"\xff\xfe", b"x" * (MAX_FILE_BYTES + 1), b'{"a":' * 9_000]
)
def test_what_is_no_claim_is_said_to_be_none(raw: bytes) -> None:
    assert check_claim(raw).exit_code == 2


def test_lists_of_states() -> None:
    first_key = [{"id": key_id(verification_key(PRIVATE_KEY)), "since": "2026-01-01T00:00:00+00:00", "until": ""}]
    states = sign_states({CLAIM_ID: ("stale", "2026-08-01")}, first_key, "2026-08-02", "2026-09-02", PRIVATE_KEY)
    check = check_claim(RAW, KEY, states=states)
    assert (check.state, check.exit_code) == ("stale", 1)
    absent = sign_states({}, first_key, "2026-08-02", "2026-09-02", PRIVATE_KEY)
    check = check_claim(RAW, KEY, states=absent)
    assert (check.exit_code, check.state) == (1, None)
    assert "does not name this claim" in check.state_words
    current = sign_states({CLAIM_ID: ("current", "2026-07-01")}, first_key, "2026-08-02", "2026-09-02", PRIVATE_KEY)
    assert check_claim(RAW, KEY, states=current, today=date(2026, 9, 2)).exit_code == 0
    late = check_claim(RAW, KEY, states=current, today=date(2026, 9, 3))
    assert (late.exit_code, "A newer list was due on 2026-09-02" in late.state_words) == (1, True)
    odd = sign_states({CLAIM_ID: ("fine", "2026-07-01")}, first_key, "2026-08-02", "2026-09-02", PRIVATE_KEY)
    assert "does not know" in check_claim(RAW, KEY, states=odd).problem
    other_key = [{"id": key_id(verification_key(OTHER_KEY)), "since": "2026-01-01T00:00:00+00:00", "until": ""}]
    forged = sign_states({CLAIM_ID: ("current", "2026-07-01")}, other_key, "2026-08-02", "2026-09-02", OTHER_KEY)
    assert "by another key" in check_claim(RAW, KEY, states=forged).problem
    assert check_claim(RAW, KEY, states=b"{}").exit_code == 2
