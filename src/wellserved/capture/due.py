"""When a promise is due: by the word that says so, else by the first day of the line, or, where it was put off, the last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from wellserved.capture.question import CaptureQuestion
from wellserved.capture.when import DateMention, Standpoint, read_span, read_when, unambiguous_date

_DUE_START = re.compile(r"\b(?:by|until|till|due|before|bis(?: zum)?|spätestens|spaetestens)\s", re.IGNORECASE)
_SPAN_START = re.compile(r"\b(?:in|within|binnen|innerhalb von)\s", re.IGNORECASE)
_UNTIL = ("until", "till", "bis")
NO_LONGER_REACH: Final = 24  # letters before a day
_NO_LONGER = re.compile(
    r"\b(?:from|instead of|in place of|in lieu of|rather than|not|no longer|meant for|planned for|was for|von|vom|statt|anstatt|nicht)"
    r"(?: (?:the|on|am|this|wie (?:geplant|versprochen|zugesagt|vereinbart))){0,2} $",
    re.IGNORECASE,
)  # before a day that is no longer meant
_LASTED = re.compile(
    r"\b(?:no|not|without|nobody|wait\w{0,3}|sat|stood|lay|lag|closed|down|off|ohne|kein\w{0,2})\b[^,;.]{0,40}$",
    re.IGNORECASE,
)
_NOT_AFTER = re.compile(r" (?:not|nicht)\b", re.IGNORECASE)
_THIS_PART = re.compile(r"this (?:morning|afternoon|evening)\b", re.IGNORECASE)
_WORD = re.compile(r"(?<![\w.,/:€$£#@+-])\w")


def read_due(text: str, standpoint: Standpoint, is_put_off: bool = False) -> datetime | CaptureQuestion | None:
    """The local time until which something is promised, as a line's words say it; a question where it is not clear.

    `is_put_off`: another time was agreed, so that, where no such word says it, the latest day counts of those that are not named
    as the one before.
    """
    if due := _due_after_word(text, standpoint, is_put_off):
        return due
    if is_put_off and (new_mentions := list(_mentions_of_days(text, standpoint))):
        return _due_of(text, max(new_mentions, key=lambda mention: mention.day))
    return None if standpoint.is_past else _first_due(text, standpoint)


def date_question(text: str, mention: DateMention) -> CaptureQuestion | None:
    """What is to be asked about a day or a time; None: it is clear."""
    return (
        CaptureQuestion(text[mention.start : mention.end], mention.start, mention.readings)
        if mention.readings
        else None
    )


def _due_of(text: str, mention: DateMention) -> datetime | CaptureQuestion:
    return date_question(text, mention) or mention.latest()


def _due_after_word(text: str, standpoint: Standpoint, is_put_off: bool) -> datetime | CaptureQuestion | None:
    """By what follows "by" and the like, or "in" with a length of time; of a failure, by what it had been due."""
    openings = [
        (match.start(), False, match.end())
        for match in _DUE_START.finditer(text)
        if not (standpoint.is_past and _has_lasted(text, match))
    ]
    if not standpoint.is_past:
        openings += [(match.start(), True, match.end()) for match in _SPAN_START.finditer(text)]
    for start, is_span, position in sorted(openings):
        if is_span and (span := read_span(text, position, standpoint.now)):
            end, instants = span
            if day_mention := _mention_around(text, start, end, standpoint):
                return _due_of(text, day_mention)
            readings = tuple(f"{unambiguous_date(instant.date())} {instant:%H:%M}" for instant in instants)
            return instants[0] if len(instants) == 1 else CaptureQuestion(text[position:end], position, readings)
        if not is_span and (mention := read_when(text, position, standpoint, after_preposition=True)):
            goes_on_today = mention.day == standpoint.now.date() and text[start:].casefold().startswith(_UNTIL)
            if goes_on_today and (standpoint.is_past or (is_put_off and _NOT_AFTER.match(text, mention.end))):
                continue  # it went on until today, or cannot be done until today
            day_mention = None if mention.names_day else _mention_around(text, start, mention.end, standpoint)
            return _due_of(text, day_mention or mention)
    return None


def _has_lasted(text: str, match: re.Match[str]) -> bool:
    """Until when something went on, and not when it was due."""
    return match[0].casefold().startswith(_UNTIL) and _LASTED.search(text[: match.start()]) is not None


def _mention_around(text: str, start: int, end: int, standpoint: Standpoint) -> DateMention | None:
    """The day whose time this is: Friday by 2pm, Freitag in einer Woche."""
    before = text[max(0, start - NO_LONGER_REACH) : start]
    for match in _WORD.finditer(before):
        mention = read_when(text, start - len(before) + match.start(), standpoint)
        if mention and mention.names_day and mention.end >= end:
            return mention
    return None


def _mentions_of_days(text: str, standpoint: Standpoint) -> Iterator[DateMention]:
    """Every day of a text that is not said to be no longer meant, in order."""
    end = 0
    for match in _WORD.finditer(text):
        if match.start() < end:
            continue
        if (mention := read_when(text, match.start(), standpoint)) and mention.names_day:
            end = mention.end
            if not _is_no_longer_meant(text, match.start()):
                yield mention


def _first_due(text: str, standpoint: Standpoint) -> datetime | CaptureQuestion | None:
    """By the first day or time of the text; this morning, where that is over, is when it was said."""
    end = 0
    for match in _WORD.finditer(text):
        if match.start() < end or _is_no_longer_meant(text, match.start()):
            continue
        if mention := read_when(text, match.start(), standpoint):
            if _THIS_PART.match(text, mention.start) and mention.latest() < standpoint.now:
                end = mention.end
                continue
            return _due_of(text, mention)
    return None


def _is_no_longer_meant(text: str, position: int) -> bool:
    return _NO_LONGER.search(text[max(0, position - NO_LONGER_REACH) : position]) is not None
