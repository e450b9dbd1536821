"""Did the fix work, by how much, how sure, and what got worse? The only place that may say "improved"."""

from wellserved.prove.guards import Guarded, Guardrail
from wellserved.prove.observe import Looking, Seen, observe
from wellserved.prove.proof import Asked, Proof, prove
from wellserved.prove.response import Observed, of_records
from wellserved.prove.verdict import STATUSES, Check, Estimate, Plan, Status, Verdict, change

__all__ = [
    "STATUSES",
    "Asked",
    "Check",
    "Estimate",
    "Guarded",
    "Guardrail",
    "Looking",
    "Observed",
    "Plan",
    "Proof",
    "Seen",
    "Status",
    "Verdict",
    "change",
    "observe",
    "of_records",
    "prove",
]
