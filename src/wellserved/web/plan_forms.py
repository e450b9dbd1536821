"""Forms of contracts, objectives and business cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from wellserved.actions.business_cases import INPUT_FIELDS
from wellserved.business_case import MAX_INPUT, MAX_YEARS
from wellserved.errors import RequestError
from wellserved.store.models import Team
from wellserved.store.plan_models import Contract, ContractDeed, Objective, RoleLine, SavedCase
from wellserved.web.forms import DateInput, measure_choices


def _optional_measures() -> list[tuple[Any, Any]]:
    return [("", "–"), *measure_choices()]


class ContractForm(forms.ModelForm):  # type: ignore[type-arg]
    """A contract's dates, notice and rights."""

    exit_periods = forms.IntegerField(label=_("Months in a row"), min_value=1, max_value=36, required=False)
    exit_measure = forms.ChoiceField(label=_("The service level"), choices=_optional_measures, required=False)

    class Meta:
        model = Contract
        fields = ("reference", "starts", "ends", "notice_value", "notice_unit", "notice_to", "renews_itself", "value_year", "currency", "exit_kind", "exit_measure", "exit_threshold", "exit_periods", "exit_words")  # fmt: skip
        widgets: ClassVar = {
            "starts": DateInput(),
            "ends": DateInput(),
            "exit_words": forms.Textarea(attrs={"rows": 3}),
        }

    def clean(self) -> dict[str, Any]:
        """The days fit together, and a right by service level says which."""
        data = super().clean() or {}
        if not self.errors:
            try:
                Contract(**{name: data[name] for name in ("starts", "ends", "notice_value", "notice_unit", "notice_to", "renews_itself")}).terms  # noqa: B018  # fmt: skip
            except RequestError as error:
                raise forms.ValidationError(f"{error.problem} {error.remedy}") from error
        parts = [data.get(name) for name in ("exit_measure", "exit_threshold", "exit_periods")]
        if data.get("exit_kind") == "service_level" and (parts[0] in (None, "") or parts[1] is None or not parts[2]):
            self.add_error(
                "exit_measure", _("Name the measure, what it is missed beyond, and how many months in a row.")
            )
        return data


class TeamRatingForm(forms.Form):
    """How another team served one's own."""

    team = forms.ModelChoiceField(Team.objects.none(), label=_("Team"))
    score = forms.TypedChoiceField(
        label=_("From 1, badly, to 5, very well"), coerce=int, choices=[(n, n) for n in range(1, 6)], initial=5
    )

    def __init__(self, *args: Any, own: Team | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Team.objects.exclude(pk=own.pk) if own else Team.objects.none()
        self.fields["team"].queryset = others.order_by("name")  # type: ignore[attr-defined]


class DeedForm(forms.ModelForm):  # type: ignore[type-arg]
    """What became of a contract."""

    new_end = forms.DateField(label=_("Renewed until"), widget=DateInput(), required=False)

    class Meta:
        model = ContractDeed
        fields = ("deed", "on", "known_on")
        widgets: ClassVar = {"on": DateInput(), "known_on": DateInput()}


class CaseForm(forms.ModelForm):  # type: ignore[type-arg]
    """A business case: what it is about, and a range for each input."""

    measure = forms.ChoiceField(
        label=_("The leader's number that it moves"), choices=_optional_measures, required=False
    )
    years = forms.FloatField(label=_("Years ahead"), min_value=0.1, max_value=MAX_YEARS, initial=1)

    class Meta:
        model = SavedCase
        fields = ("title", "words", "asked", "wrong_if", "problem", "improvement", "measure", "years", "currency")
        widgets: ClassVar = {
            "problem": forms.HiddenInput(),
            "improvement": forms.HiddenInput(),
            **{name: forms.Textarea(attrs={"rows": 2}) for name in ("words", "asked", "wrong_if")},
        }

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for field in INPUT_FIELDS:
            for end in ("low", "high"):
                self.fields[f"{field.name}_{end}"] = forms.FloatField(required=False, min_value=0, max_value=MAX_INPUT)
            self.fields[f"{field.name}_origin"] = forms.CharField(required=False, max_length=200)

    @property
    def ranges(self) -> list[dict[str, Any]]:
        """The inputs as rows of a table."""
        return [
            {"label": _(field.label), "needed": field.is_needed, "kind": field.kind, **{part: self[f"{field.name}_{part}"] for part in ("low", "high", "origin")}}
            for field in INPUT_FIELDS
        ]  # fmt: skip

    @property
    def head_fields(self) -> list[Any]:
        """The fields above the table."""
        return [self[name] for name in self.Meta.fields]

    def clean(self) -> dict[str, Any]:
        """A range has two ends, twice the same number where it is known exactly."""
        data = super().clean() or {}
        for field in INPUT_FIELDS:
            ends = [data.get(f"{field.name}_{end}") for end in ("low", "high")]
            if ends.count(None) == 1:
                self.add_error(f"{field.name}_{'low' if ends[0] is None else 'high'}", _("Give both ends."))
        return data

    def inputs(self, by: str, measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What was typed in: a range each. `measured`: what the records say; where it stands unchanged, it is measured."""
        inputs: dict[str, dict[str, Any]] = {}
        for field in INPUT_FIELDS:
            low, high, origin = (self.cleaned_data.get(f"{field.name}_{part}") for part in ("low", "high", "origin"))
            if low is None or high is None:
                continue
            names = (f"{field.name}_low", f"{field.name}_high")
            is_measured = [measured.get(name) for name in names] == [low, high]
            source = measured.get(f"{field.name}_origin") if is_measured else origin
            inputs[field.name] = {"low": low, "high": high, "measured": is_measured, "origin": source or by}
        return inputs

    def facts(self) -> dict[str, Any]:
        """Everything but the inputs."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields}


class OutcomeForm(forms.Form):
    """What came of a case."""

    came = forms.FloatField(label=_("What came, in money over the same time"))
    came_from = forms.CharField(label=_("How you know"), max_length=300)


class ObjectiveForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a house or a team wants to reach."""

    class Meta:
        model = Objective
        fields = ("name", "team", "since", "until")
        labels: ClassVar = {"team": _("Of the team (empty: of the house)")}
        widgets: ClassVar = {"since": DateInput(), "until": DateInput()}


class TargetForm(forms.Form):
    """A measure that carries an objective."""

    measure = forms.ChoiceField(label=_("Measure"), choices=measure_choices)
    target = forms.FloatField(label=_("Target, in the measure's unit (a share as 0.9)"), required=False)
    by = forms.DateField(label=_("By"), widget=DateInput(), required=False)


class WorkForm(forms.ModelForm):  # type: ignore[type-arg]
    """Work that moves a measure."""

    measure = forms.ChoiceField(label=_("Measure"), choices=measure_choices)

    class Meta:
        model = RoleLine
        fields = ("team", "role", "work", "measure")
        labels: ClassVar = {"team": _("Team")}
