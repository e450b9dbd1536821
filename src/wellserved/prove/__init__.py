"""Did the fix work, by how much, how sure, and what got worse? The only place that may say "improved"."""

from wellserved.prove.guards import Guardrail, GuardrailResult
from wellserved.prove.observe import AnalysisWindow, PeriodSeries, observe_measure
from wellserved.prove.proof import Proof, ProofRequest, prove
from wellserved.prove.response import ModelInput, input_from_records
from wellserved.prove.verdict import STATUSES, CheckResult, Estimate, LookPlan, Status, Verdict, assess_change

__all__ = [
    "STATUSES",
    "AnalysisWindow",
    "CheckResult",
    "Estimate",
    "Guardrail",
    "GuardrailResult",
    "LookPlan",
    "ModelInput",
    "PeriodSeries",
    "Proof",
    "ProofRequest",
    "Status",
    "Verdict",
    "assess_change",
    "input_from_records",
    "observe_measure",
    "prove",
]
