"""Times as people say them, put into figures: half past four, um fünf, Freitagvormittag, within the hour.

It is known of each letter where it stood, so that what is asked about a line is asked in the words that were written.
"""

from __future__ import annotations

import re
from typing import Final

from wellserved.capture.figures import FiguredText, Rewrite, put_in_figures

_HOURS: Final = {
    word: hour
    for hour, words in enumerate(
        (
            ("one", "eins"), ("two", "zwei"), ("three", "drei"), ("four", "vier"), ("five", "fünf", "fuenf"), ("six", "sechs"),
            ("seven", "sieben"), ("eight", "acht"), ("nine", "neun"), ("ten", "zehn"), ("eleven", "elf"), ("twelve", "zwölf", "zwoelf"),
        ),
        start=1,
    )
    for word in words
}  # fmt: skip
_HOUR = "|".join(sorted(_HOURS, key=len, reverse=True))
WEEKDAYS: Final = {
    "montag": "mon", "dienstag": "tue", "mittwoch": "wed", "donnerstag": "thu", "freitag": "fri", "samstag": "sat", "sonntag": "sun",
}  # fmt: skip
"""Days of the week from Monday on, German and English."""
_MORNING = re.compile(
    r" (?:(?:tomorrow |this )?(?:in the )?morning|am morgen|morgens|(?:morgen )?früh|in der früh)\b", re.IGNORECASE
)
_MORNING_BEFORE = re.compile(r"\b(?:morning|früh|morgens|vormittags?|\w{2,10}vormittag)\b[^.;!?]{0,12}$", re.IGNORECASE)
A_M: Final = (  # and no German am: um vier am Freitag
    r"a\.?m\.?(?!\w)(?!(?<=am) (?:mo|di|mi|do|fr|sa|so|mittwoch|\w{3,10}tag|tag|\w{0,10}abend|morgen|mittag|telefon|tresen|empfang|\d))"
)
_HALF_OF_DAY = re.compile(rf" ?(?:p\.?m\b|{A_M})", re.IGNORECASE)
_LED = re.compile(r"\b(?:at|um|by|before|bis|vor|gegen|ab) $", re.IGNORECASE)
MORNING_REACH: Final = 40  # letters before a time
_EVENING_FROM: Final = 7  # half past seven may be of the morning or of the evening
_FOLLOWS_HOUR: Final = (
    r"(?= ?(?:$|[,;.!?:)])| (?:today|tomorrow|tmrw|tonight|on|in the (?:morning|afternoon|evening|night)|im|steht|this|sharp|latest|at the latest|o['’]clock|uhr|heute?|morgen|am|zurück|pünktlich"
    r"|ist|sind|re|with|mit|for|wegen|because|weil|and|und|so|as|to|from|at|if|wenn|da|an|her|his|their|i|ich)\b)"
)
FOLLOWS_HOUR: Final = re.compile(_FOLLOWS_HOUR, re.IGNORECASE)
"""What comes after an hour, and not after a number of things: at 4 today, but not at 4 sites."""


def _weekday_part(match: re.Match[str]) -> str:
    return f"{WEEKDAYS[match['day'].lower()]} {match['part']}"


def _clock(hour: int, minute: int, match: re.Match[str]) -> str:
    """A spoken time, of the afternoon where nobody serves so early; beside a day, one that may be of the evening too is asked."""
    hour %= 12
    text, before = match.string, match.string[max(0, match.start() - MORNING_REACH) : match.start()]
    is_said = (
        _HALF_OF_DAY.match(text, match.end()) or _MORNING.match(text, match.end()) or _MORNING_BEFORE.search(before)
    )
    if hour == _EVENING_FROM and not is_said:
        return f"{'' if _LED.search(before) else 'at '}{hour}.{minute:02}"
    if 0 < hour < _EVENING_FROM and not is_said:
        hour += 12
    return f"{hour or 12:02}:{minute:02}"


def _minutes_beside(match: re.Match[str]) -> str:
    """Ten to four, fünf nach acht."""
    minutes, is_before = _MINUTES[match["minute"].lower()], match["side"].lower() in ("to", "vor")
    clock = _clock(_hour_of(match) - is_before, 60 - minutes if is_before else minutes, match)
    return clock.removeprefix("at ")


def _hour_of(match: re.Match[str]) -> int:
    text = match["hour"].lower()
    return int(text) if text.isdecimal() else _HOURS[text]


_DAY_NAME: Final = (
    r"today|tonight|tomorrow|tmrw|heute?|morgen|übermorgen|uebermorgen|(?:mon|tue|wed|thu|fri|sat|sun)(?:day|sday|nesday|rsday|urday)?|"
    + "|".join(WEEKDAYS)
)
_MINUTES: Final = {
    "five": 5, "ten": 10, "twenty": 20, "twenty-five": 25, "fünf": 5, "zehn": 10, "zwanzig": 20,
}  # fmt: skip
_NO_HOUR = r"(?! (?:percent|per cent|pct|prozent|euro|grad|points?|of\b|days?|tage\w?|weeks?|wochen?|people|to|past|vor|nach|thirty|fifteen|forty|uhr \w|(?-i:[A-ZÄÖÜ])|\w{3,20}s\b))"
_ANY_HOUR = rf"(?P<hour>{_HOUR}|1[0-2]|[1-9])(?![\w:.,]\d|\w)"
_REWRITES: Final[tuple[Rewrite, ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), rewrite)
    for pattern, rewrite in (
        (
            rf"\b(?P<day>{'|'.join(WEEKDAYS)})s?(?P<part>früh|vormittag|mittag|nachmittag|abend)\b",
            _weekday_part,
        ),
        (
            rf"\b(?P<lead>at|by|before|um|bis|vor|gegen) (?P<minute>{'|'.join(_MINUTES)}) (?P<side>to|past|vor|nach) {_ANY_HOUR}",
            lambda match: f"{match['lead']} {_minutes_beside(match)}",
        ),
        (rf"\bhalf past {_ANY_HOUR}", lambda match: _clock(_hour_of(match), 30, match)),
        (rf"\bquarter past {_ANY_HOUR}", lambda match: _clock(_hour_of(match), 15, match)),
        (rf"\bquarter (?:to|of) {_ANY_HOUR}", lambda match: _clock(_hour_of(match) - 1, 45, match)),
        (rf"\bhalb {_ANY_HOUR}(?: uhr)?", lambda match: _clock(_hour_of(match) - 1, 30, match)),
        (rf"\bviertel nach {_ANY_HOUR}", lambda match: _clock(_hour_of(match), 15, match)),
        (rf"\bviertel vor {_ANY_HOUR}", lambda match: _clock(_hour_of(match) - 1, 45, match)),
        (rf"\bdreiviertel {_ANY_HOUR}", lambda match: _clock(_hour_of(match) - 1, 45, match)),
        (rf"\bhalf (?P<hour>{_HOUR}|1[0-2]|[1-9])\b{_FOLLOWS_HOUR}", lambda match: _clock(_hour_of(match), 30, match)),
        (r"\bwithin the hour\b", lambda _match: "within 1 hour"),
        (r"\bin (?:half an hour|(?:einer |'?ner )?halben stunde)\b", lambda _match: "in 30 min"),
        (r"\bin (?:an hour and a half|anderthalb stunden|eineinhalb stunden)\b", lambda _match: "in 90 min"),
        (r"\bin (?:three quarters of an hour|einer dreiviertelstunde)\b", lambda _match: "in 45 min"),
        (r"\bin (?:a quarter of an hour|einer viertelstunde)\b", lambda _match: "in 15 min"),
        (r"\bin (?:'?ner|einer) stunde\b", lambda _match: "in 1 hour"),
        (
            rf"\b(?P<lead>(?:{_DAY_NAME}),? (?:at|before|um|bis|vor|ab)) (?P<hour>{_HOUR})\b{_NO_HOUR}",
            lambda match: f"{match['lead']} {_hour_of(match)}",
        ),
        (
            rf"\b(?P<lead>at|by|before|until|till|um|bis|vor|gegen|ab|around) (?P<hour>{_HOUR})\b{_NO_HOUR}{_FOLLOWS_HOUR}",
            lambda match: f"{match['lead']} {_hour_of(match)}",
        ),
    )
)  # fmt: skip


def with_figures(text: str) -> FiguredText:
    """The text with times in figures."""
    return put_in_figures(text, _REWRITES)
