"""Business cases: inputs as people type them, results kept, and later what came beside what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db.models import QuerySet

from wellserved.business_case import (
    GAIN_WORDS,
    CaseInput,
    CaseModel,
    CaseResult,
    Forecast,
    ForecastRecord,
    GainTerm,
    InputKind,
    evaluate_case,
)
from wellserved.errors import RequestError
from wellserved.moments import NotComputable
from wellserved.prove import Proof
from wellserved.store.access import AccessScope, has_permission, record_event
from wellserved.store.models import Person
from wellserved.store.plan_models import SavedCase


@dataclass(frozen=True)
class InputField:
    """An input that a case may rest on."""

    name: str
    label: str
    kind: InputKind
    is_needed: bool = False


INPUT_FIELDS: Final = (
    InputField("cases_a_year", "cases a year", "positive", True),
    InputField("avoidable_share", "part of them that need not be", "share", True),
    InputField("adoption", "part of the house that takes it up", "share"),
    InputField("hours_each", "hours that a case takes", "positive"),
    InputField("hourly_rate", "an hour costs", "positive"),
    InputField("money_each", "returns, credits and postage a case", "positive"),
    InputField("customers_lost", "customers lost to it a year", "positive"),
    InputField("margin_each", "margin of such a customer a year (not revenue)", "positive"),
    InputField("kept_share", "part of them that would stay", "share"),
    InputField("cost", "what it costs once", "positive", True),
    InputField("yearly_cost", "what it costs a year", "positive"),
)
_GAINS: Final = (
    ("hours", ("hours_each", "hourly_rate")),
    ("cash", ("money_each",)),
)
_REVENUE: Final = ("customers_lost", "margin_each", "kept_share")


def visible_cases(scope: AccessScope) -> QuerySet[SavedCase]:
    """One's own; whoever looks after money sees all."""
    rows = SavedCase.objects.select_related("owner")
    return (
        rows if scope.alone or has_permission(scope.person, "read_business_cases") else rows.filter(owner=scope.person)
    )


def case_model(inputs: Mapping[str, Mapping[str, Any]], years: float, widening: float = 1.0) -> CaseModel:
    """The model of what was typed in; raises where something is missing. Stated ranges are widened by what the house's forecasts taught."""
    fields = {field.name: field for field in INPUT_FIELDS}
    items: dict[str, CaseInput] = {}
    for name, facts in inputs.items():
        field = fields[name]
        try:
            item = CaseInput(
                name, float(facts["low"]), float(facts["high"]), field.kind, bool(facts.get("measured")), str(facts.get("origin", ""))
            )  # fmt: skip
        except RequestError as error:  # in the words that people read
            raise RequestError(error.problem.replace(name, field.label), error.remedy) from error
        items[name] = item if item.is_measured else item.widened(widening)
    missing = [field.label for field in INPUT_FIELDS if field.is_needed and field.name not in items]
    if missing:
        raise RequestError(
            f"The case needs {', '.join(missing)}.", "Give a range for each: the lower and the higher end."
        )
    shared = ["cases_a_year", "avoidable_share", *(["adoption"] if "adoption" in items else [])]
    gains = [GainTerm(kind, (*shared, *names)) for kind, names in _GAINS if all(name in items for name in names)]  # type: ignore[arg-type]
    if all(name in items for name in _REVENUE):
        gains.append(GainTerm("revenue", (*(["adoption"] if "adoption" in items else []), *_REVENUE)))
    groups = [names for _kind, names in _GAINS] + [_REVENUE]
    halves = [
        name for names in groups for name in names if name not in items and any(other in items for other in names)
    ]
    if halves:
        raise RequestError(f"{fields[halves[0]].label} is missing.", "Give it too, or leave out what goes with it.")
    if not gains:
        raise RequestError("Nothing is gained in this case.", "Give hours and what an hour costs, or money a case, or customers and their margin.")  # fmt: skip
    used = {name for term in gains for name in term.factors} | {"cost", "yearly_cost"}
    kept = tuple(item for name, item in items.items() if name in used)
    return CaseModel(kept, tuple(gains), ("cost",), ("yearly_cost",) if "yearly_cost" in items else (), years)


def result_record(result: CaseResult) -> dict[str, Any]:
    """A result as it is kept."""
    payback = result.payback_months
    return {
        "base": result.base, "median": result.median, "low": result.low, "high": result.high, "loss_chance": result.loss_chance,
        "payback_months": None if isinstance(payback, NotComputable) else payback,
        "without_hours": result.without_hours,
        "payback_reason": payback.reason if isinstance(payback, NotComputable) else "",
        "parts": [[GAIN_WORDS[kind], *numbers] for kind, numbers in result.parts.items()],
        "tornado": [[swing.name, swing.at_low, swing.at_high] for swing in result.tornado],
    }  # fmt: skip


def keep_case(owner: Person, facts: Mapping[str, Any], inputs: Mapping[str, Mapping[str, Any]]) -> SavedCase:
    """Compute a case and keep it, with the ranges as they were typed; its result is never computed anew."""
    widening = forecast_record().widening
    result = evaluate_case(case_model(inputs, float(facts["years"]), widening))
    row = SavedCase(owner=owner, inputs=dict(inputs), result=result_record(result), widened=widening, **facts)
    row.save()
    record_event(owner, "kept a business case", row.pk)
    return row


def forecast_record() -> ForecastRecord:
    """All cases of the house of which one knows what came."""
    rows = SavedCase.objects.exclude(came=None).order_by("created")
    return ForecastRecord(
        tuple(
            Forecast(str(row.pk), row.result["median"], row.result["low"], row.result["high"], row.came) for row in rows
        )
    )


def note_outcome(scope: AccessScope, row: SavedCase, came: float, came_from: str, today: date) -> None:
    """Set what came beside what was expected; once."""
    if row.came is not None:
        raise RequestError("What came is noted already.", "It stays, so that forecasts can be judged by it.")
    row.came, row.came_from, row.came_on = came, came_from[:300], today
    row.save(update_fields=["came", "came_from", "came_on"])
    record_event(scope.person, "noted what came of a business case", row.pk)


def outcome_of_verdict(row: SavedCase, proof: Proof) -> tuple[float, float, float] | NotComputable:
    """What a proved change of a problem's share is worth over the case's horizon: value, low, high, less its costs.

    The part of the cases that the verdict says are no more, times cases, times what a case costs by the middle of the
    ranges that were typed in.
    """
    effect = proof.verdict.relative
    if proof.verdict.status not in ("improved", "worse") or effect is None:
        return NotComputable(f"the verdict is: {proof.headline.replace('_', ' ')}")
    if proof.series.measure.kind != "share" or proof.series.measure.better != "lower":
        return NotComputable(f"a change of {proof.series.measure.name} is no number of cases")
    model = case_model(row.inputs, row.years)
    middle = {item.name: item.at(0) for item in model.inputs}
    each = middle.get("hours_each", 0.0) * middle.get("hourly_rate", 0.0) + middle.get("money_each", 0.0)
    costs = middle["cost"] + middle.get("yearly_cost", 0.0) * row.years
    ends = sorted(-end * middle["cases_a_year"] * each * row.years - costs for end in (effect.low, effect.high))
    return -effect.value * middle["cases_a_year"] * each * row.years - costs, ends[0], ends[1]
