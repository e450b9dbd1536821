"""Days and times as people write them: "by Fri", "30 Nov 14:00", "in two days", read in the workspace's zone.

What cannot be a date is none; nothing here ever fails on a text.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from wellserved.moments import EARLIEST, LATEST

LAST: Final = time(23, 59)  # a promise for a day is kept until that day is over
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?"
)
NUMBERS: Final = {
    word: place + 1
    for place, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))
} | {"a": 1, "an": 1}
_TH = r"(?:st|nd|rd|th)?"
DAY: Final = (
    rf"(?P<plain>today|tonight|tomorrow|yesterday|eod|eow|eom|end of (?:the )?(?:day|week|month|next week)|next week)"
    rf"|(?P<next>next )?(?P<weekday>{_NAMES})\.?"
    r"|(?P<iso>\d{4}-\d{1,2}-\d{1,2})"
    rf"|(?P<d1>\d{{1,2}}){_TH} (?:of )?(?P<m1>{_MONTH})\.?(?:,? (?P<y1>\d{{4}}))?"
    rf"|(?P<m2>{_MONTH})\.? (?P<d2>\d{{1,2}}){_TH}(?:,? (?P<y2>\d{{4}}))?"
    r"|(?P<d3>\d{1,2})\.(?P<m3>\d{1,2})\.(?P<y3>\d{4}|\d{2})?"
    r"|(?P<d4>\d{1,2})/(?P<m4>\d{1,2})(?:/(?P<y4>\d{4}|\d{2}))?"
)
TIME: Final = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))? ?(?P<half>[ap]\.?m\.?)|(?P<h24>\d{1,2}):(?P<m24>\d{2})|(?P<named>noon|midnight)"
_END = r"(?![\w/’']|[.:]\d)"
WHEN: Final = re.compile(
    rf"(?:on )?(?:(?:{DAY}){_END}(?:(?:,? at |,? )(?:{TIME}){_END})?|(?:at )?(?:{TIME.replace('?P<', '?P<only_')}){_END})",
    re.IGNORECASE,
)
SPAN: Final = re.compile(
    rf"(?P<n>\d{{1,3}}|{'|'.join(NUMBERS)}) ?(?P<unit>minutes?|mins?|hours?|hrs?|h|(?:business|working) days?|days?|weeks?){_END}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class When:
    """A day, and a time of it if one was said."""

    day: date
    at: time | None

    def latest(self) -> datetime:
        """Its last minute, local and without zone."""
        return datetime.combine(self.day, self.at or LAST)


def read_when(found: re.Match[str], now: datetime, back: bool = False, before: date | None = None) -> When | None:
    """What a match of WHEN says, seen from local `now`; `back`: the latest such day, otherwise the next one."""
    said = found.groupdict()
    if any(said[part] for part in ("only_hour", "only_h24", "only_named")):
        at = _time({part: said[f"only_{part}"] for part in ("hour", "minute", "half", "h24", "m24", "named")})
        if at is None:
            return None
        passed = at <= now.time() and not back
        return When(now.date() + timedelta(days=passed), at)
    day = _day(said, now.date(), back, before or now.date())
    if day is None or not EARLIEST.year <= day.year <= LATEST.year:
        return None
    spoken = any(said[part] for part in ("hour", "h24", "named"))
    at = _time(said) if spoken else None
    return None if spoken and at is None else When(day, at)


def read_span(found: re.Match[str], now: datetime) -> datetime:
    """The end of a match of SPAN, counted from local `now`."""
    said = found["n"].lower()
    count, unit = int(said) if said.isdecimal() else NUMBERS[said], found["unit"].lower()
    if unit.startswith("m"):
        return now + timedelta(minutes=count)
    if unit.startswith("h"):
        return now + timedelta(hours=count)
    day = now.date()
    if unit.startswith(("business", "working")):
        for _ in range(count):
            day += timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))
    else:
        day += timedelta(days=count * (7 if unit.startswith("w") else 1))
    return datetime.combine(day, LAST)


def _day(said: dict[str, str | None], today: date, back: bool, before: date) -> date | None:
    if plain := said["plain"]:
        return _plain(plain.lower().replace("the ", ""), today)
    if weekday := said["weekday"]:
        wanted = WEEKDAYS.index(weekday[:3].lower())
        if back:
            return before - timedelta(days=(before.weekday() - wanted - 1) % 7 + 1)
        if said["next"]:
            return _monday(today) + timedelta(days=7 + wanted)
        return today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)
    try:
        if iso := said["iso"]:
            return date(*map(int, iso.split("-")))
        return _dated(said, today, back)
    except ValueError:
        return None


def _plain(word: str, today: date) -> date:
    if word in ("today", "tonight", "eod", "end of day"):
        return today
    if word in ("tomorrow", "yesterday"):
        return today + timedelta(days=1 if word == "tomorrow" else -1)
    if word in ("eom", "end of month"):
        return today.replace(day=calendar.monthrange(today.year, today.month)[1])
    return _monday(today) + timedelta(days=11 if "next" in word else 4)  # a Friday


def _dated(said: dict[str, str | None], today: date, back: bool) -> date | None:
    place = next(one for one in "1234" if said[f"d{one}"])
    day, month, year = int(said[f"d{place}"] or 0), str(said[f"m{place}"]), said[f"y{place}"]
    number = int(month) if month.isdecimal() else MONTHS.index(month[:3].lower()) + 1
    if year:
        return date(int(year) + (2000 if len(year) == 2 else 0), number, day)
    for add in range(9):  # 29 February may be eight years away
        try:
            found = date(today.year + (-add if back else add), number, day)
        except ValueError:
            if (day, number) != (29, 2):
                return None
            continue
        if found <= today if back else found >= today:
            return found
    return None


def _time(said: dict[str, str | None]) -> time | None:
    try:
        if named := said["named"]:
            return time(12) if named.lower() == "noon" else LAST
        if said["h24"]:
            return time(int(said["h24"]), int(said["m24"] or 0))
        hour = int(said["hour"] or 0)
        if not 1 <= hour <= 12:
            return None
        return time(hour % 12 + (12 if (said["half"] or "").lower().startswith("p") else 0), int(said["minute"] or 0))
    except ValueError:
        return None


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
