"""How values are shown in the pages; everything here ends as escaped text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from django import template
from django.utils import timezone
from django.utils.dates import MONTHS_3, WEEKDAYS_ABBR
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from wellserved import wording
from wellserved.capture import ENTRY_WORDS
from wellserved.store.access import AccessScope
from wellserved.store.models import Shared

register = template.Library()
SCALE_NAMES = {
    "csat5": gettext_lazy("satisfaction, 1 to 5"),
    "stars5": gettext_lazy("stars, 1 to 5"),
    "nps10": gettext_lazy("would recommend, 0 to 10 (NPS)"),
    "points10": gettext_lazy("points, 1 to 10"),
    "ces7": gettext_lazy("made it easy, 1 to 7 (CES 2.0)"),
    "ces5": gettext_lazy("effort it took, 1 to 5 (CES 1.0)"),
    "good_bad": gettext_lazy("bad 0, good 1"),
}
"""Scales of scores, as people call them."""


def _day_text(at: date) -> str:
    """Weekday, day and month; by their names in the reader's language."""
    return f"{WEEKDAYS_ABBR[at.weekday()]} {at.day:02} {str(MONTHS_3[at.month]).capitalize()}"


@register.filter
def moment(value: datetime | str | None) -> str:
    """An instant in the workspace's zone."""
    if not value:
        return ""
    at = timezone.localtime(datetime.fromisoformat(value) if isinstance(value, str) else value)
    return f"{_day_text(at)} {at:%Y, %H:%M}"


@register.filter
def day(value: date) -> str:
    """The day of an instant, in the workspace's zone."""
    return _day_text(timezone.localtime(value) if isinstance(value, datetime) else value)


@register.filter("named")
def translate(word: object) -> str:
    """A name of ours in the reader's language: a word, a state, a column; `vocabulary` lists them for translators."""
    return gettext(str(word)) if word else ""


@register.filter("counted")
def count_text(count: int, note: str) -> str:
    """A note of an import, said of one or of many."""
    return wording.format_note(count, note)


@register.filter
def under(values: Mapping[str, object], name: str) -> object:
    """What stands under a name; nothing where nothing does."""
    return values.get(name) if values else None


@register.filter
def column(name: str) -> str:
    """A field's name in the reader's language."""
    return translate(name.replace("_", " "))


@register.filter
def scale(code: str) -> str:
    """A scale as people call it."""
    return str(SCALE_NAMES.get(code, code))


@register.filter
def meaning(word: str) -> str:
    """What a word at the head of a line says."""
    return gettext(ENTRY_WORDS[word].meaning) if word in ENTRY_WORDS else word


@register.filter
def fact(value: object, name: str) -> str:
    """What is known of an entry: dates, numbers, lists and closed vocabularies as they are read, words as they were written."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return f"{_day_text(value)} {value.year}"
    if isinstance(value, list | tuple):
        return ", ".join(translate(item) if name == "ticks" else str(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    if name in ("kind", "severity", "rating"):
        return translate(value)
    return scale(str(value)) if name == "scale" else str(value)


@register.filter
def amount(value: float | None) -> str:
    """A number without needless noughts."""
    return "" if value is None else f"{float(value):,.10g}"


@register.filter("share")
def share_text(value: float | str | None) -> str:
    """A part of all, in per cent."""
    return "" if value in (None, "") else wording.format_percent(float(value or 0))


@register.filter
def short(text: str, letters: int) -> str:
    """The beginning of a text; a fifth of the cost of Django's own, which knows of markup."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


@register.filter("customer")
def customer_name(row: Shared, scope: AccessScope) -> str:
    """Whom a shared moment is about, as far as its reader may know."""
    return scope.customer_of(row)


def safe_html(page: str) -> SafeString:
    """A page's content from `render`, which has escaped all that is not its own."""
    return SafeString(page)
