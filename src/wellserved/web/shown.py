"""How values are shown in the pages; everything here ends as escaped text."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from wellserved.capture import WORDS

register = template.Library()


@register.filter
def moment(value: datetime | str | None) -> str:
    """An instant in the workspace's zone."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{timezone.localtime(at):%a %d %b %Y, %H:%M}"


@register.filter
def day(value: datetime) -> str:
    """Its day."""
    return f"{timezone.localtime(value):%a %d %b}"


@register.filter
def meaning(word: str) -> str:
    """What a word at the head of a line says."""
    return WORDS[word][1] if word in WORDS else word


@register.filter
def amount(value: float | None) -> str:
    """A number without needless noughts."""
    return "" if value is None else f"{float(value):,.10g}"


@register.filter
def short(text: str, letters: int) -> str:
    """Its beginning; a fifth of the cost of Django's own, which knows of markup."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def drawn(page: str) -> SafeString:
    """A page's content from `render`, which has escaped all that is not its own."""
    return SafeString(page)
