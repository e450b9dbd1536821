"""The form of a résumé: what people change of it; what else an imported one holds stays as it is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from wellserved.resume.document import ResumeDocument, entries_of

_DAY: Final = re.compile(r"[12]\d{3}(-[01]\d(-[0-3]\d)?)?")
MAX_BULLETS_LETTERS: Final = 10_000


def _check_day(text: str) -> None:
    if not _DAY.fullmatch(text):
        raise ValidationError(_("Write 2024, 2024-05 or 2024-05-31."))


def _day_field(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, validators=[_check_day])


class ResumeForm(forms.Form):
    """Who one is, and how to be reached."""

    name = forms.CharField(label=_("Name"), max_length=200)
    label = forms.CharField(label=_("Occupation"), max_length=200, required=False)
    email = forms.EmailField(label=_("Mail"), required=False)
    phone = forms.CharField(label=_("Telephone"), max_length=50, required=False)
    city = forms.CharField(label=_("Town"), max_length=100, required=False)
    url = forms.URLField(label=_("Web page"), required=False, assume_scheme="https")
    summary = forms.CharField(
        label=_("About yourself"), max_length=5_000, required=False, widget=forms.Textarea({"rows": 4})
    )
    skills = forms.CharField(
        label=_("Skills, one a line"), max_length=5_000, required=False, widget=forms.Textarea({"rows": 4})
    )
    revision = forms.CharField(widget=forms.HiddenInput, required=False)  # of the document that was shown
    languages = forms.CharField(
        label=_("Languages, one a line: English, fluent"),
        max_length=2_000,
        required=False,
        widget=forms.Textarea({"rows": 3}),
    )


class JobForm(forms.Form):
    """A job, and what one did there."""

    number = forms.IntegerField(required=False, widget=forms.HiddenInput)  # of the entry that it is; none: a new one
    position = forms.CharField(label=_("Position"), max_length=200, required=False)
    name = forms.CharField(label=_("Employer"), max_length=200, required=False)
    startDate = _day_field(_("From (2024-03)"))  # noqa: N815
    endDate = _day_field(_("To (empty: today)"))  # noqa: N815
    summary = forms.CharField(label=_("In short"), max_length=5_000, required=False, widget=forms.Textarea({"rows": 2}))
    highlights = forms.CharField(
        label=_("What you did, one a line"),
        max_length=MAX_BULLETS_LETTERS,
        required=False,
        widget=forms.Textarea({"rows": 8, "class": "wide"}),
    )

    @property
    def title(self) -> str:
        """What the job is called; empty: it is a new one."""
        return str(self.initial.get("position") or self.initial.get("name") or "")


class SchoolForm(forms.Form):
    """A school, or what one learnt."""

    number = forms.IntegerField(required=False, widget=forms.HiddenInput)
    studyType = forms.CharField(label=_("Degree or course"), max_length=200, required=False)  # noqa: N815
    area = forms.CharField(label=_("Subject"), max_length=200, required=False)
    institution = forms.CharField(label=_("School"), max_length=200, required=False)
    startDate = _day_field(_("From (2024-03)"))  # noqa: N815
    endDate = _day_field(_("To"))  # noqa: N815

    @property
    def title(self) -> str:
        """What the school is called; empty: it is a new one."""
        return str(self.initial.get("institution") or self.initial.get("area") or "")


class _EntryForms(forms.BaseFormSet):  # type: ignore[type-arg]
    """Entries, each of which can be taken out."""

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        """Deletion, as people say it."""
        super().add_fields(form, index)
        form.fields["DELETE"].label = _("Take it out")


JobForms = forms.formset_factory(JobForm, _EntryForms, extra=1, can_delete=True, max_num=60)
SchoolForms = forms.formset_factory(SchoolForm, _EntryForms, extra=1, can_delete=True, max_num=60)


class ResumeForms:
    """All forms of the page together. What was not changed on it stays to the letter, whatever the forms can show of it."""

    def __init__(self, document: ResumeDocument, data: Any = None) -> None:
        self.document = document
        basics = document.get("basics", {})
        initial = {name: basics.get(name, "") for name in ("name", "label", "email", "phone", "url", "summary")}
        initial["city"] = basics.get("location", {}).get("city", "")
        initial["skills"] = "\n".join(_skill_line(skill) for skill in entries_of(document, "skills"))
        initial["languages"] = "\n".join(_language_line(language) for language in entries_of(document, "languages"))
        initial["revision"] = revision_of(document)
        self.person = ResumeForm(data, initial=initial)
        self.jobs = JobForms(data, prefix="work", initial=_initial(document, "work"))
        self.schools = SchoolForms(data, prefix="education", initial=_initial(document, "education"))

    def is_valid(self) -> bool:
        """Everything in it can be kept, and nothing was changed meanwhile, in another window."""
        if not all([self.person.is_valid(), self.jobs.is_valid(), self.schools.is_valid()]):
            return False
        if self.person.cleaned_data["revision"] not in ("", revision_of(self.document)):
            message = _(
                "It was changed meanwhile, in another window. Copy what you want to keep, and open the page anew."
            )
            self.person.add_error(None, message)
            return False
        return True

    @property
    def has_errors(self) -> bool:
        """Something in it cannot be kept."""
        return bool(self.person.errors or any(self.jobs.errors) or any(self.schools.errors))

    def changed_document(self) -> ResumeDocument:
        """The document with what was changed."""
        facts = self.person.cleaned_data
        basics = dict(self.document.get("basics", {}))
        basics |= {name: facts[name] for name in ("name", "label", "email", "phone", "url", "summary")}
        basics["location"] = {**basics.get("location", {}), "city": facts["city"]}
        return {
            **self.document,
            "basics": basics,
            "work": _entries(self.document, "work", self.jobs),
            "education": _entries(self.document, "education", self.schools),
            "skills": _line_entries(self.document, "skills", facts["skills"], _skill_line, _skill),
            "languages": _line_entries(self.document, "languages", facts["languages"], _language_line, _language),
        }


def revision_of(document: ResumeDocument) -> str:
    """What a document is told by: two that differ have different ones."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def _line_entries(
    document: ResumeDocument,
    section: str,
    text: str,
    show: Callable[[dict[str, Any]], str],
    read: Callable[[str], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Entries from their lines: a line that stands as it was shown is the entry that it was."""
    known = {show(entry): entry for entry in entries_of(document, section)}
    return [known.get(line) or read(line) for line in _lines(text)]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _initial(document: ResumeDocument, section: str) -> list[dict[str, Any]]:
    """The entries as their forms show them: bullets one a line."""
    return [
        {**entry, "number": number, "highlights": "\n".join(_shown_bullets(entry))}
        for number, entry in enumerate(entries_of(document, section))
    ]


def _shown_bullets(entry: dict[str, Any]) -> list[str]:
    return [" ".join(str(text).split()) for text in entry.get("highlights", ())]


def _entries(document: ResumeDocument, section: str, formset: Any) -> list[dict[str, Any]]:
    """The entries of a section as they were left, new ones first; what no form shows of them stays."""
    old_entries, kept_entries, new_entries = entries_of(document, section), [], []
    for form in formset:
        facts = {name: value for name, value in form.cleaned_data.items() if name not in ("number", "DELETE")}
        number = form.cleaned_data.get("number")
        old_entry = old_entries[number] if number is not None and 0 <= number < len(old_entries) else None
        is_emptied = not any(facts.values()) and (old_entry is None or any(name in old_entry for name in facts))
        if form.cleaned_data.get("DELETE") or is_emptied:
            continue
        if "highlights" in facts:
            known = (
                dict(zip(_shown_bullets(old_entry), old_entry.get("highlights", ()), strict=True)) if old_entry else {}
            )
            lines = [line.removeprefix("- ").removeprefix("• ") for line in _lines(facts["highlights"])]
            facts["highlights"] = [known.get(" ".join(line.split()), line) for line in lines]
        if old_entry is None:
            new_entries.append(facts)
        else:
            kept_entries.append({**old_entry, **facts})
    return [*new_entries, *kept_entries]


def _skill_line(skill: dict[str, Any]) -> str:
    """Negotiation: contracts, tenders."""
    keywords = ", ".join(map(str, skill.get("keywords", ())))
    level = f", {skill['level']}" if skill.get("level") else ""
    return f"{skill.get('name', '')}{level}" + (f": {keywords}" if keywords else "")


def _skill(line: str) -> dict[str, Any]:
    head, _colon, keywords = line.partition(":")
    name, _comma, level = head.partition(",")
    return {"name": name.strip(), "level": level.strip(), "keywords": [word.strip() for word in keywords.split(",")]}


def _language_line(language: dict[str, Any]) -> str:
    """English, fluent."""
    return ", ".join(filter(None, (str(language.get("language", "")), str(language.get("fluency", "")))))


def _language(line: str) -> dict[str, Any]:
    language, _comma, fluency = line.partition(",")
    return {"language": language.strip(), "fluency": fluency.strip()}
