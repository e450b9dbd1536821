"""What a verdict carries of a claim: whether any, with what caveat, and what of it is signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from wellserved import improvement
from wellserved.claim.canonical import canonical_bytes, decimal_text
from wellserved.claim.sentence import ClaimRole
from wellserved.errors import ClaimRefusedError, RequestError
from wellserved.improvement import PEOPLE_FACTS, Improvement, ImprovementRecord
from wellserved.measure import find_measure
from wellserved.prove import Proof
from wellserved.prove.verdict import Estimate
from wellserved.storage.workspace import Workspace

MAX_NAMED_DOUBTS: Final = 2  # in a sentence; more are counted
_EXCLUDED_BY_CHECK: Final = {
    "no others to compare with": "another change at the same time",
    "the others": "what moved all cases alike",
    "trend before": "a trend from before",
    "placebo in time": "changes that come by themselves",
    "bad stretch before": "a bad stretch before it",
    "a jump overnight": "another way of recording",
    "shape of the waits": "easier work",
    "times of asking": "a clock that starts elsewhere",
    "moments before the ask": "a clock that starts elsewhere",
    "work after the close": "cases closed before they were done",
    "replies alike": "answers by machines",
}
"""What a check would have excluded, as a sentence says it; the names of the others say it themselves."""
CLAIMED_HEADLINES: Final = ("improved", "improved_harm_not_excluded")


def require_proved(record: ImprovementRecord, proof: Proof) -> None:
    """Raise where a verdict allows no claim."""
    advice = f"`wellserved prove {record.improvement.name}` says what would have to be otherwise."
    if not record.is_genuine:
        raise ClaimRefusedError("The record of improvements was altered by hand.", "Nothing in it can be claimed.")
    if record.has_early_look:
        raise ClaimRefusedError(
            "It was declared, or changed, after its result had been looked at.", "Declare the next change first."
        )
    if proof.blocking_harm:
        raise ClaimRefusedError(f"Harm is shown: {proof.blocking_harm}.", advice)
    if proof.headline not in CLAIMED_HEADLINES:
        reason = proof.verdict.reason or "no change is seen"
        raise ClaimRefusedError(f"The verdict is {proof.headline.replace('_', ' ')}: {reason}.", advice)
    if not proof.verdict.levels_agree:
        raise ClaimRefusedError("Before and after lie further apart, or nearer, than the change explains.", advice)


def caveat_of(proof: Proof) -> str:
    """What is not excluded, as a sentence says it: few by name, many as a number. Empty: nothing."""
    names = [_doubt_name(doubt.name) for doubt in proof.doubts]
    if len(names) <= MAX_NAMED_DOUBTS:
        return f"not excluded: {', '.join(names)}" if names else ""
    count = len(proof.guardrail_results) + len(proof.verdict.checks) + len(proof.questions)
    return f"harm not excluded in {len(names)} of {count} checks"


def _doubt_name(name: str) -> str:
    try:
        return f"a worse {find_measure(name).phrase}"
    except RequestError:  # a check
        return _EXCLUDED_BY_CHECK.get(name, name)


def _tried(workspace: Workspace, record: ImprovementRecord) -> dict[str, int]:
    """How much else was tried: whoever tries often enough finds something."""
    since = record.improvement.since
    entries = improvement.read_entries(workspace)
    same_day = {entry.name for entry in entries if entry.did == "declared" and entry.facts.get("since") == since}
    return {
        "looks": len(record.looks) + 1,
        "changed": len(record.changes),
        "withdrawn": len(record.withdrawals),
        "others_of_that_day": len(same_day - {record.improvement.name}),
    }


def verdict_facts(workspace: Workspace, record: ImprovementRecord, proof: Proof) -> dict[str, Any]:
    """What the verdict says, without a figure."""
    return {
        "declared": {"at": record.declared_at, "since": record.improvement.since},
        "declarations": improvement.declarations_digest(workspace),
        "verdict": proof.headline,
        "guardrails": [{"name": result.guardrail.name, "result": result.safety} for result in proof.guardrail_results],
        "tried": _tried(workspace, record),
    }


def effect_facts(declaration: Improvement, proof: Proof) -> dict[str, Any]:
    """The change and its effect, which may be hidden."""
    people = {"who": declaration.who, "idea": declaration.idea_from, "helpers": list(declaration.helpers)}
    change = {"name": declaration.name, "what": declaration.what, "since": declaration.since, **people}
    estimates = {
        "effect": (proof.verdict.effect, proof.request.measure.unit),
        "relative_effect": (proof.verdict.relative, "share of the level before"),
    }
    return {
        "change": change,
        **{name: _estimate(estimate, unit) for name, (estimate, unit) in estimates.items() if estimate is not None},
    }


def _estimate(estimate: Estimate, unit: str) -> dict[str, str]:
    return {
        "value": decimal_text(estimate.value),
        "low": decimal_text(estimate.low),
        "high": decimal_text(estimate.high),
        "unit": unit,
    }


def declaration_digest(declaration: Improvement) -> str:
    """What was declared, as a hash; who is named in it decides nothing."""
    facts = {name: str(value) for name, value in asdict(declaration).items() if name not in PEOPLE_FACTS}
    return hashlib.sha256(canonical_bytes(facts)).hexdigest()


def role_of(declaration: Improvement, names: Sequence[str]) -> ClaimRole | None:
    """What somebody, by any of their names, was in an improvement; None: nobody named them."""
    own_names = {name.casefold() for name in names if name}
    for role, named_people in (
        ("owner", [declaration.who]),
        ("idea", [declaration.idea_from]),
        ("helper", declaration.helpers),
    ):
        if any(name.casefold() in own_names for name in named_people):
            return role  # type: ignore[return-value]
    return None
