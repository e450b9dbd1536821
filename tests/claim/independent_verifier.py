"""A second verifier of claim files, written from docs/claims.md; it shares no code with the product."""

import base64
import json
import math
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from hashlib import sha256
from hmac import digest as hmac
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TYPE, PAE = "application/vnd.in-toto+json", b"DSSEv1 28 application/vnd.in-toto+json %d "
KINDS = ["wellserved claim 1", "https://in-toto.io/Statement/v1", "urn:wellserved:claim:1"]
SENTENCES = {"sentence_full", "sentence_ratio", "sentence_ratio_without_service"}
HEX, ID, NAME, DECIMAL = "[0-9a-f]{64}", "[a-z2-7]{12}", "[!-~]+", r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,30})?"
VALUES = {"share": "[01]", "wait": "[0-9]+", "mean": f'-?[0-9]+|"{DECIMAL}"'}  # how a row's v is written
ROW = f'{{"c":"[0-9a-z]+","m":"{HEX}","open":[01],"p":[1-9][0-9]{{3}}(0[1-9]|1[0-2]),"v":("{DECIMAL}"|-?[0-9]+)}}'


def verify(raw: bytes, evidence: bytes | None = None) -> dict[str, object]:
    """Return what a genuine claim file shows, by name, with its id and keyid; raise ValueError for any other."""
    file = _fields(_canonical(raw, b"\n"), "disclosures envelope format key")
    payload, keyid = _opened(file["envelope"], bytes.fromhex(_text(file["key"], HEX)))
    statement = _fields(_canonical(payload, b""), "_type predicate predicateType subject")
    _must([file["format"], statement["_type"], statement["predicateType"]] == KINDS, "This is not a claim file.")
    predicate, subject = _of(dict, statement["predicate"]), _of(dict, _of(list, statement["subject"], 1)[0])
    root = _text(_fields(subject.get("digest"), "merkleSha256")["merkleSha256"], HEX)
    claim_id = _text(predicate.get("id"), ID)
    shown = _disclosed(_of(list, file["disclosures"]), _of(list, predicate.get("hidden")))
    rows = _rows(evidence, claim_id, root) if evidence is not None else []
    if evidence is not None and "windows" in shown:
        _recompute(_of(dict, shown["windows"]), _of(dict, predicate.get("measure")), rows)
    return {**shown, "id": claim_id, "keyid": keyid}


def _must(holds: bool, sentence: str) -> None:
    """Raise ValueError with the sentence unless it holds."""
    if not holds:
        raise ValueError(sentence)


def _of(kind: Any, value: Any, length: int | None = None) -> Any:
    """Return the value, which is of this kind exactly, and as long as it has to be."""
    _must(type(value) is kind and (length is None or len(value) == length), f"A value is no {kind.__name__} that fits.")
    return value


def _fields(value: Any, names: str) -> Any:
    """Return the object, which has exactly these fields."""
    _must(set(_of(dict, value)) == set(names.split()), f"An object does not have exactly the fields '{names}'.")
    return value


def _text(value: Any, pattern: str) -> str:
    """Return the text, all of which has the pattern."""
    _must(re.fullmatch(pattern, _of(str, value)) is not None, f"A text is not of the form {pattern}.")
    return str(value)


def _dump(value: Any) -> bytes:
    """Return the canonical JSON of a value; refuse what the format does not know, at any depth."""
    if isinstance(value, dict):
        _must("".join(value).isascii(), "The name of a field is not ASCII.")
        return b"{" + b",".join(_dump(name) + b":" + _dump(value[name]) for name in sorted(value)) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_dump, value)) + b"]"
    _must(not isinstance(value, str) or unicodedata.is_normalized("NFC", value), "A text is not in NFC.")
    _must(not isinstance(value, int) or abs(value) < 2**53, "A number is not below 2^53.")
    return json.dumps(value, ensure_ascii=False).encode()


def _canonical(raw: bytes, end: bytes) -> Any:
    """Return the value of bytes that are its canonical JSON and this end; refuse any other writing."""
    try:
        value = json.loads(raw.decode(), parse_float=int, parse_constant=int)  # int refuses what is not whole
        _must(_dump(value) + end == raw, "it is not in its canonical form")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This is not JSON that the format allows: {error}") from error
    return value


def _opened(envelope: Any, public: bytes) -> tuple[bytes, str]:
    """Return the payload that the key has signed, and the id of the key (rules 1 and 2)."""
    envelope, keyid = _fields(envelope, "payload payloadType signatures"), sha256(public).hexdigest()
    signature = _fields(_of(list, envelope["signatures"], 1)[0], "keyid sig")
    _must([envelope["payloadType"], signature["keyid"]] == [TYPE, keyid], "The payloadType or the keyid is another.")
    texts = [_text(envelope["payload"], NAME), _text(signature["sig"], NAME)]
    body, sig = (base64.b64decode(text, validate=True) for text in texts)
    _must([base64.b64encode(part).decode() for part in (body, sig)] == texts, "Base64 is not in its canonical form.")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(sig, PAE % len(body) + body)
    except InvalidSignature as error:
        raise ValueError("The signature is not that of the key over the payload.") from error
    return body, keyid


def _disclosed(items: list[Any], hidden: list[Any]) -> dict[str, object]:
    """Return the shown facts by name, each of which was signed (rule 4)."""
    names = [_text(_fields(item, "name salt value")["name"], NAME) for item in items]
    _must(names == sorted(set(names)), "The disclosures are not in the order of their names, or one stands twice.")
    _must(not SENTENCES.isdisjoint(names), "No sentence is shown.")
    for item in items:
        signed = sha256(_dump([_text(item["salt"], NAME), item["name"], item["value"]])).hexdigest()
        _must(signed in hidden, f"What is shown as {item['name']} was not signed.")
    return {item["name"]: item["value"] for item in items}


def _rows(raw: bytes, claim_id: str, root: str) -> list[dict[str, Any]]:
    """Return the rows of an evidence file, which are those of the claim (rule 5)."""
    file = _fields(_canonical(raw, b"\n"), "claim format rows secret")
    _must((file["format"], file["claim"]) == ("wellserved evidence 1", claim_id), "This is not evidence of this claim.")
    secret, rows = bytes.fromhex(_text(file["secret"], HEX)), _of(list, file["rows"])
    cases = [_text(_dump(row).decode(), ROW) and row["c"] for row in rows]
    _must(cases == sorted(set(cases)), "The rows are not in the order of their cases, or one stands twice.")
    tree = [sha256(b"\0" + hmac(secret, row["c"].encode(), "sha256")[:16] + _dump(row)).digest() for row in rows]
    while len(tree) > 1:  # pairing level by level, the odd one out moving up, is the split at powers of two
        odd = tree[len(tree) // 2 * 2 :]
        tree = [sha256(b"\1" + left + right).digest() for left, right in zip(tree[::2], tree[1::2], strict=False)] + odd
    _must([*tree, sha256().digest()][0].hex() == root, "The rows are not those that were signed.")
    return list(rows)


def _recompute(windows: dict[str, Any], measure: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Refuse shown numbers that do not follow from the rows (rule 6)."""
    kind = _text(measure.get("kind"), "|".join(VALUES))
    for period in _of(list, windows.get("before")) + _of(list, windows.get("after")):
        own = [row for row in rows if row["p"] == _of(int, _of(dict, period).get("key"))]
        _must(_of(int, period.get("n")) == len(own) > 0, "A period's number of cases is not that of its rows.")
        values = [float(_text(_dump(row["v"]).decode(), VALUES[kind]).strip('"')) for row in own]
        found = _quantile(values, own, measure) if kind == "wait" else math.fsum(values) / len(own)
        told = float(_text(period.get("value"), DECIMAL))
        _must(math.isclose(told, found, rel_tol=1e-9, abs_tol=1e-9), "A period's number does not follow from its rows.")


def _quantile(values: list[float], rows: list[dict[str, Any]], measure: dict[str, Any]) -> float:
    """Return the Kaplan-Meier quantile: at equal times, ends come before what is censored."""
    ended = Counter(value for value, row in zip(values, rows, strict=True) if row["open"] == 0)
    share = float(_text(measure.get("quantile"), DECIMAL))
    waits, times, curve = sorted(values), sorted(ended), 1.0
    for time, later in zip(times, [*times[1:], math.inf], strict=True):
        curve *= 1 - ended[time] / (len(waits) - bisect_left(waits, time))
        if curve <= 1 - share + 1e-12:
            return (time + later) / 2 if share == 0.5 and curve >= 0.5 - 1e-12 and later < math.inf else time
    raise ValueError("The rows of a period do not reach the quantile.")
