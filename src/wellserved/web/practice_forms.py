"""The forms of practices: what one does, who took it up, and other shares."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from wellserved.actions.practices import TEAM_MARK, CreditView, holder_of
from wellserved.improvement import list_records
from wellserved.store.models import Team
from wellserved.web.forms import DateInput


class PracticeForm(forms.Form):
    """A way of serving."""

    name = forms.CharField(label=_("What it is called"), max_length=100)
    what = forms.CharField(label=_("What one does"), max_length=1_000, widget=forms.Textarea({"rows": 3}))
    since = forms.DateField(label=_("You do it since"), widget=DateInput)
    idea_from = forms.CharField(
        label=_("Whose idea it was, if not yours"), max_length=150, required=False, help_text=_("A login, or a name.")
    )
    improvement = forms.ChoiceField(label=_("The declared change that measures it"), required=False)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        records = list_records(settings.WORKSPACE)
        choices = [("", _("none")), *((record.improvement.name, record.improvement.what) for record in records)]
        self.fields["improvement"].choices = choices  # type: ignore[attr-defined]


class AdoptionForm(forms.Form):
    """Who took it up, and from whom."""

    adopter = forms.CharField(
        label=_("Who takes it up"), max_length=160, required=False, help_text=_("A login; empty: you yourself.")
    )
    since = forms.DateField(label=_("Since"), widget=DateInput)
    taught_by = forms.ChoiceField(label=_("Learnt from"), required=False)
    helpers = forms.CharField(
        label=_("Who helped with it"), max_length=500, required=False, help_text=_("Logins, with blanks between them.")
    )

    def __init__(self, *arguments: Any, view: CreditView, **named: Any) -> None:
        """`view`: as whoever fills it in may see it; who took it up is no choice where that is not shown."""
        super().__init__(*arguments, **named)
        holders = [view.practice.starter.username, *(holder_of(adoption) for adoption in view.adoptions)]
        self.fields["taught_by"].choices = [(holder, holder) for holder in holders]  # type: ignore[attr-defined]
        teams = ", ".join(f"{TEAM_MARK}{team.name}" for team in Team.objects.all()[:20])
        if teams:
            self.fields["adopter"].help_text = _("A login, or one of: %(teams)s; empty: you yourself.") % {
                "teams": teams
            }


class SharesForm(forms.Form):
    """Other shares of what came of it at one adopter."""

    adoption = forms.IntegerField(required=False, widget=forms.HiddenInput)
    parts = forms.CharField(
        label=_("Other shares, one a line: name 50%"), max_length=1_000, widget=forms.Textarea({"rows": 3})
    )

    def clean_parts(self) -> dict[str, Fraction]:
        """Holder -> share."""
        parts: dict[str, Fraction] = {}
        for line in self.cleaned_data["parts"].splitlines():
            if not line.strip():
                continue
            match = re.fullmatch(r"\s*(.+?)[\s:]+(\d{1,3}(?:\.\d{1,4})?|\d{1,3}/[1-9]\d{0,2})\s*%?\s*", line)
            if match is None:
                raise forms.ValidationError(_("Write one a line: name 50%."))
            parts[match[1]] = Fraction(match[2]) / (1 if "/" in match[2] else 100)
        return parts
