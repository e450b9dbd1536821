"""Did the fix work, by how much, how sure, and what got worse? The only place that may say "improved"."""

from wellserved.prove.engine.response import ModelInput, input_from_records
from wellserved.prove.guards import Guardrail, GuardrailResult
from wellserved.prove.observe import observe_measure
from wellserved.prove.period_series import PeriodSeries
from wellserved.prove.proof import Proof, prove
from wellserved.prove.request import ProofRequest
from wellserved.prove.verdict import STATUSES, CheckResult, Estimate, LookPlan, Status, Verdict, assess_change
from wellserved.prove.window import AnalysisWindow

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
