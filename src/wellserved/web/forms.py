"""Forms name every field that they take; what else is sent is ignored."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime, time
from functools import lru_cache
from itertools import count
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.dates import WEEKDAYS
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from wellserved.actions.live_sources import LiveSource
from wellserved.actions.mail_settings import check_address, load_settings
from wellserved.actions.membership import login_of
from wellserved.capture import ENTRY_WORDS, MAX_ENTRY_LETTERS, RATINGS, SEVERITIES, readable_text
from wellserved.errors import RequestError
from wellserved.improvement import Improvement, list_records
from wellserved.journal.handle import DecryptedEntry
from wellserved.measure import SUBJECTS
from wellserved.measure.coverage import PRIVATE_COLUMNS
from wellserved.moments import EARLIEST_DATE, LATEST_DATE, SEGMENTS
from wellserved.scales import load_scales
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Account, Audience, Customer, Person, Role, Team, WeeklyMail
from wellserved.web.template_filters import SCALE_NAMES

Choices = list[tuple[str, Any]]  # value, label; a label may be translated when it is shown


def _choices(values: Iterable[str]) -> Choices:
    return [("", ""), *((value, _(value)) for value in values)]


def _scale_choices() -> Choices:
    """All scales, the workspace's own by their names."""
    scales = load_scales(settings.WORKSPACE.folder).values()
    return [("", ""), *((scale.name, SCALE_NAMES.get(scale.name, f"{scale.name}, {scale.span}")) for scale in scales)]


def measure_choices() -> list[tuple[Any, Any]]:
    """Measures of which one side is better, by subject, as the questions that they answer."""
    groups = (
        (
            _(subject),
            [(one.name, _(one.question)) for one in measures if one.better != "neither" and not one.today_only],
        )
        for subject, measures in SUBJECTS.items()
    )
    return [group for group in groups if group[1]]


_WORD_CHOICES: Choices = [
    (word, format_lazy("{}: {}", _(word), _(entry.meaning))) for word, entry in ENTRY_WORDS.items()
]


class _DateTimeInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


DATE_VALIDATORS = (
    MinValueValidator(datetime.combine(EARLIEST_DATE, time(), UTC), _("This lies before 1900.")),
    MaxValueValidator(datetime.combine(LATEST_DATE, time(), UTC), _("This lies after 2200.")),
)


class DateInput(forms.DateInput):
    """A day, picked from a calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def _check_score(form: forms.Form, name: str, score: float, scale: str) -> None:
    """Say in a form where a score is not one of its scale."""
    scale_definition = load_scales(settings.WORKSPACE.folder)[scale]
    if scale_definition.has_score(score):
        return
    if not scale_definition.lowest <= score <= scale_definition.highest:
        ends = {"low": scale_definition.lowest, "high": scale_definition.highest}
        form.add_error(name, _("The scale runs from %(low)g to %(high)g.") % ends)
    elif scale_definition.whole_numbers:
        form.add_error(name, _("This scale has whole numbers alone."))
    else:
        form.add_error(name, _("This scale has whole and half numbers alone."))


_TEXT_AREA = forms.Textarea(attrs={"rows": 4})


class EntryForm(forms.Form):
    """An entry, field by field."""

    word = forms.ChoiceField(label=_("What it is"), choices=_WORD_CHOICES, initial="note")
    text = forms.CharField(label=_("What happened"), widget=_TEXT_AREA, max_length=MAX_ENTRY_LETTERS, required=False)
    at = forms.DateTimeField(label=_("When"), widget=_DateTimeInput(), validators=DATE_VALIDATORS)
    customer = forms.CharField(label=_("Customer"), max_length=200, required=False)
    service = forms.CharField(label=_("Service"), max_length=100, required=False)
    due = forms.DateTimeField(
        label=_("Promised for"), widget=_DateTimeInput(), required=False, validators=DATE_VALIDATORS
    )
    expected = forms.FloatField(label=_("Expected (score)"), required=False)
    score = forms.FloatField(label=_("Got (score)"), required=False)
    scale = forms.ChoiceField(label=_("Scale"), choices=_scale_choices, required=False)
    cause = forms.CharField(
        label=_("Cause"), max_length=80, required=False, widget=forms.TextInput(attrs={"list": "causes"})
    )
    severity = forms.ChoiceField(label=_("Severity"), choices=_choices(SEVERITIES), required=False)
    hours = forms.FloatField(label=_("Hours spent"), min_value=0, max_value=10_000, required=False)
    amount = forms.FloatField(label=_("Cost or worth"), required=False)
    currency = forms.CharField(label=_("Currency"), max_length=3, required=False)
    returns = forms.IntegerField(label=_("Returns"), min_value=0, max_value=100_000, required=False)
    returns_saved = forms.IntegerField(label=_("Returns saved"), min_value=0, max_value=100_000, required=False)
    rating = forms.ChoiceField(label=_("My own judgement"), choices=_choices(RATINGS), required=False)

    @staticmethod
    def initial_values(facts: dict[str, Any], at: datetime) -> dict[str, Any]:
        """What the form shows of an entry."""
        due = facts.get("due")
        return {**facts, "at": at, "due": datetime.fromisoformat(due) if due and isinstance(due, str) else due or None}

    def clean(self) -> dict[str, Any]:
        """An entry says something; a score needs its scale, and has to lie on it."""
        data = super().clean() or {}
        is_empty = all(value in (None, "") for name, value in data.items() if name not in ("word", "at"))
        if is_empty and "word" in self.fields:
            self.add_error("text", _("Say what happened."))
        for name in ("expected", "score"):
            value, scale = data.get(name), data.get("scale")
            if value is not None and not scale:
                self.add_error("scale", _("Name the scale of the score."))
            elif value is not None and scale:
                _check_score(self, name, value, scale)
        return data

    def facts(self) -> dict[str, Any]:
        """What was filled in, as a journal's facts; an emptied field is empty."""
        facts = {name: value for name, value in self.cleaned_data.items() if name not in ("at", "audience")}
        due = facts.get("due")
        return {**facts, "due": due.astimezone(UTC).isoformat() if due else ""}


class ShareForm(EntryForm):
    """The copy that others may see."""

    word = None  # type: ignore[assignment]
    at = None  # type: ignore[assignment]
    rating = None  # type: ignore[assignment]
    audience = forms.ChoiceField(label=_("Who may see it"), choices=Audience.choices)
    field_order = ("audience", "text")

    def carry(self, steps: Iterable[DecryptedEntry]) -> None:
        """What followed goes along, with the words that its author leaves in these fields."""
        labels = {
            "note": _("What the customer answered"), "recovered": _("How it was made right"), "met": _("Accepted by the customer"),
            "complaint": _("Not accepted"), "gap": _("Rated by the customer"), "thanks": _("The customer gave thanks"),
        }  # fmt: skip
        for step in steps:
            label = labels.get(step.entry.word, _(step.entry.word))
            words = readable_text(str(step.facts.get("text", "")))
            area = forms.Textarea(attrs={"rows": 2})
            field = forms.CharField(
                label=label, initial=words, widget=area, max_length=MAX_ENTRY_LETTERS, required=False
            )
            self.fields[f"answer-{step.entry.id}"] = field

    def answers(self) -> dict[uuid.UUID, str]:
        """The words of what followed, by its entry."""
        items = self.cleaned_data.items()
        return {uuid.UUID(name.removeprefix("answer-")): text for name, text in items if name.startswith("answer-")}


class FollowForm(forms.Form):
    """The next step after a failure."""

    word = forms.ChoiceField(
        label=_("Step"),
        choices=[("note", _("What the customer answered to: what could we do to make things right?")), ("recovered", _("Made right")),
                 ("met", _("Accepted by the customer")), ("complaint", _("Not accepted")), ("gap", _("Rated by the customer"))],
    )  # fmt: skip
    text = forms.CharField(label=_("In words"), widget=_TEXT_AREA, max_length=MAX_ENTRY_LETTERS, required=False)
    score = forms.FloatField(label=_("Score"), required=False)
    scale = forms.ChoiceField(label=_("Scale"), choices=_scale_choices, required=False)

    def clean(self) -> dict[str, Any]:
        """An answer has words, a rating a score; that it was made right or accepted says enough."""
        data = super().clean() or {}
        if not data.get("text") and data.get("score") is None and data.get("word") in ("note", "gap"):
            self.add_error("text", _("Say what the customer said."))
        if data.get("score") is not None and data.get("scale"):
            _check_score(self, "score", data["score"], data["scale"])
        return data


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    """A customer."""

    class Meta:
        model = Customer
        fields = ("name", "internal", "account")
        labels: ClassVar = {"account": _("Account")}


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    """An account and what it is worth."""

    class Meta:
        model = Account
        fields = (
            "name",
            "recorded_as",
            "team",
            "revenue_year",
            "revenue_to_date",
            "currency",
            "since",
            "expected_years",
        )
        labels: ClassVar = {"team": _("Team")}
        widgets: ClassVar = {"since": DateInput()}


def empty_form(form: Callable[[], forms.BaseForm], *offered: object) -> SafeString:
    """An empty form, the same for everybody who reads a language as long as what it offers to choose from is the same."""
    return _empty_form(form, get_language() or "", offered)


@lru_cache(maxsize=16)
def _empty_form(form: Callable[[], forms.BaseForm], language: str, _offered: tuple[object, ...]) -> SafeString:
    with override(language):
        return form().render()


class MergeForm(forms.Form):
    """Two customers that are one."""

    other = forms.ModelChoiceField(label=_("The same as"), queryset=Customer.objects.none())


class CauseForm(forms.Form):
    """A cause, and the one that it is a kind of."""

    name = forms.CharField(label=_("Cause"), max_length=80)
    parent = forms.CharField(label=_("A kind of"), max_length=80, required=False)


class SystemForm(forms.Form):
    """How a system is reached that is asked; `source`: as it is set up by now."""

    url = forms.CharField(
        label=_("Address"), max_length=300, widget=forms.URLInput({"placeholder": "https://rt.example.org"})
    )
    user = forms.CharField(
        label=_("User"),
        max_length=100,
        required=False,
        help_text=_("Who signs in by a password; empty where there is a token."),
    )
    token = forms.CharField(
        label=_("Token or password"),
        max_length=500,
        required=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )
    name = forms.CharField(label=_("Name of the source (small letters)"), max_length=40, initial="rt")
    title = forms.CharField(label=_("What reports call it"), max_length=80, required=False)
    minutes = forms.IntegerField(label=_("Minutes between two times"), min_value=1, max_value=10_080, initial=10)

    def __init__(self, data: Any = None, *, source: LiveSource | None = None) -> None:
        super().__init__(data, initial=asdict(replace(source, token="")) if source else None)
        if source:  # its name is part of every moment's identity
            self.fields["name"].disabled = True
            self.fields["token"].help_text = _("Empty: the one that is kept.")

    def source(self) -> LiveSource:
        """The system as it is to be."""
        facts = {name: self.cleaned_data[name] for name in ("name", "user", "title", "minutes")}
        return LiveSource(kind="rt", url=self.cleaned_data["url"].rstrip("/"), token="", **facts)


class FileForm(forms.Form):
    """A file to read."""

    file = forms.FileField(label=_("File"))


class MeForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a person says of themselves."""

    class Meta:
        model = Person
        fields = ("first_name", "last_name", "email", "prompt_mail_at")
        widgets: ClassVar = {"prompt_mail_at": forms.TimeInput({"type": "time"}, format="%H:%M")}

    def clean(self) -> dict[str, Any]:
        """A mail needs an address, and a way to stop it."""
        facts, sender = super().clean() or {}, load_settings(settings.WORKSPACE)
        if facts.get("prompt_mail_at") and not facts.get("email"):
            self.add_error("email", _("Where should the mail go?"))
        elif facts.get("prompt_mail_at"):
            try:
                check_address(facts["email"])
            except RequestError as error:
                self.add_error("email", f"{error.problem} {error.remedy}")
        if facts.get("prompt_mail_at") and (sender is None or not sender.url):
            self.add_error(
                "prompt_mail_at",
                _(
                    "Mails are not set up here. Whoever runs wellserved does it: wellserved mail setup --url https://..."
                ),
            )
        return facts


class WeeklyMailForm(forms.ModelForm):  # type: ignore[type-arg]
    """To whom one's week goes, and when."""

    weekday = forms.TypedChoiceField(
        label=_("On"), coerce=int, choices=[(number, name) for number, name in WEEKDAYS.items()], initial=4
    )

    class Meta:
        model = WeeklyMail
        fields = ("recipients", "weekday", "at", "by_itself", "covers_team", "with_pdf")
        labels: ClassVar = {
            "recipients": _("To, one address a line"), "at": _("At"), "by_itself": _("Without asking me, from what I shared alone"),
            "covers_team": _("About what my team shared (for leads)"), "with_pdf": _("With a PDF"),
        }  # fmt: skip
        widgets: ClassVar = {
            "recipients": forms.Textarea({"rows": 3}), "at": forms.TimeInput({"type": "time"}, format="%H:%M"),
        }  # fmt: skip


class KeyForm(forms.Form):
    """A key for a program."""

    name = forms.CharField(label=_("For what"), max_length=100)
    scopes = forms.MultipleChoiceField(label=_("May"), widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(label=_("Days until it ends"), min_value=1, max_value=730, initial=365)


class InviteForm(forms.Form):
    """Somebody who is to be let in."""

    username = forms.RegexField(r"^[\w.@+-]+$", label=_("User name"), max_length=150)
    role = forms.ChoiceField(label=_("Role"), choices=[choice for choice in Role.choices if choice[0] != Role.alone])
    team = forms.CharField(label=_("Team"), max_length=100, required=False)


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an administrator decides about somebody."""

    role = forms.ChoiceField(label=_("Role"), choices=[choice for choice in Role.choices if choice[0] != Role.alone])
    team = forms.ModelChoiceField(label=_("Team"), queryset=Team.objects.all(), required=False)

    class Meta:
        model = Person
        fields = ("role", "is_staff", "team", "served_as", "is_active")
        labels: ClassVar = {"is_staff": _("administers: invites people and gives roles"), "is_active": _("may come in")}
        help_texts: ClassVar = {"is_staff": "", "is_active": _("Without it, their sessions and keys end at once.")}


class PasswordForm(forms.Form):
    """A first password."""

    password = forms.CharField(
        label=_("Password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        min_length=10,
        max_length=500,
        strip=False,
    )


_PERSON_INPUT = forms.TextInput(attrs={"list": "colleagues"})


class ImprovementForm(forms.Form):
    """A change, declared before its result is known: what, since when, for whom, and by what one will see that it works."""

    what = forms.CharField(label=_("What do you change?"), max_length=200)
    since = forms.DateField(label=_("First day of the new way"), widget=DateInput())
    measure = forms.ChoiceField(label=_("What should get better?"), choices=measure_choices)
    about = forms.CharField(
        label=_("About which problem"), max_length=200, required=False,
        help_text=_("For the share of cases about a problem: its number (p7), or category=Billing."),
    )  # fmt: skip
    expected = forms.IntegerField(
        label=_("By how many percent, at least"), min_value=1, max_value=99, required=False,
        help_text=_("The smallest effect that would be worth it."),
    )  # fmt: skip
    column = forms.ChoiceField(
        label=_("For whom"), required=False, choices=[("", _("everybody")), *((name, _(name)) for name in SEGMENTS if name not in ("source", *PRIVATE_COLUMNS))],
    )  # fmt: skip
    value = forms.CharField(
        label=_("Which"), max_length=200, required=False, help_text=_("The name as it stands in the records.")
    )
    against = forms.CharField(
        label=_("Compared with"), max_length=200, required=False,
        help_text=_("Another of the same kind where nothing is changed; it makes the proof stronger."),
    )  # fmt: skip
    who = forms.CharField(label=_("Who does it"), max_length=100, required=False, widget=_PERSON_INPUT)
    idea_from = forms.CharField(
        label=_("Whose idea it was"), max_length=100, required=False, widget=_PERSON_INPUT,
        help_text=_("Of people who log in here, their login or their name: they are told when it is proved."),
    )  # fmt: skip
    helpers = forms.CharField(
        label=_("Who helps"), max_length=300, required=False, help_text=_("Logins or names, with commas between them.")
    )
    settles = forms.DateField(
        label=_("Fully in place on"), widget=DateInput(), required=False,
        help_text=_("Where it comes in bit by bit: the weeks before this day are left out."),
    )  # fmt: skip
    ends = forms.DateField(
        label=_("Day of the verdict"), widget=DateInput(), required=False,
        help_text=_("One look on a day fixed now proves more than looking every week. Empty: look at any time."),
    )  # fmt: skip

    team: Team | None = None  # of whoever declares; its people are known by their names

    def clean(self) -> dict[str, Any]:
        """A segment has its column, and whoever is compared with is another one."""
        data = super().clean() or {}
        if bool(data.get("column")) != bool(data.get("value")):
            self.add_error("value", _("Choose for whom, and name which."))
        if (data.get("measure") == "problem_share") != bool(data.get("about")):
            self.add_error("about", _("A share of cases is about a problem; name it, or choose another measure."))
        if data.get("against") and not data.get("value"):
            self.add_error("against", _("Say first for whom the change is."))
        for field in ("who", "idea_from", "helpers"):
            names = str(data.get(field) or "")
            try:
                logins = [login_of(name, self.team) for name in (names.split(",") if field == "helpers" else [names])]
                data[field] = ", ".join(dict.fromkeys(filter(None, logins)))
            except RequestError as error:
                self.add_error(field, f"{error.problem} {error.remedy}")
        if "," in str(data.get("idea_from") or ""):
            self.add_error("idea_from", _("Name one person here; the others help."))
        return data

    def declaration(self, workspace: Workspace) -> Improvement:
        """The declaration; its name is made from what is changed."""
        data = self.cleaned_data
        names = {record.improvement.name for record in list_records(workspace)}
        name = next(
            name for n in count(1) if (name := f"change-{n}") not in names
        )  # a name goes into the audit: no words
        column = data["column"]
        return Improvement(
            name,
            data["what"],
            data["since"].isoformat(),
            data["measure"],
            who=data["who"],
            idea_from=data["idea_from"],
            helpers=tuple(part.strip() for part in data["helpers"].split(",") if part.strip()),
            where=((column, data["value"]),) if column else (),
            against=((column, data["against"]),) if column and data["against"] else (),
            expected=data["expected"] / 100 if data["expected"] else None,
            ends=data["ends"].isoformat() if data["ends"] else None,
            settles=data["settles"].isoformat() if data["settles"] else None,
            about=data["about"],
        )
