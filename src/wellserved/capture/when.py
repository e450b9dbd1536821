"""Days and times as people write them: "by Fri", "30 Nov 14:00", "in two days", "morgen um 10", in the workspace's zone.

What cannot be a date is none; what can be two is asked; nothing here ever fails on a text. Every pattern has a longest
match, so that a line costs as much as it is long.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from wellserved.moments import EARLIEST, LATEST

LAST: Final = time(23, 59)  # a promise for a day is kept until that day is over
JUST_PASSED: Final = 92  # days: a date without a year that lies so near behind may be meant as it is
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WOCHENTAGE = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
_NAMES = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?|"
    + "|".join(_WOCHENTAGE)
)
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONATE = {"mär": "mar", "mai": "may", "okt": "oct", "dez": "dec"}
_MONTH = (
    r"jan(?:uary?|uar)?|feb(?:ruary?|ruar)?|mar(?:ch)?|märz?|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?|"
    r"sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?"
)
NUMBERS: Final = {
    word: place + 1
    for words in (
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        ("einem", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"),
    )
    for place, word in enumerate(words)
} | {"a": 1, "an": 1, "einer": 1}
_TH = r"(?:st|nd|rd|th|\.)?"
_END = r"(?![\w/’']|[.:]\d)"
_DAY = (
    r"(?P<plain>today|tonight|the day after tomorrow|tomorrow|yesterday|eod|eow|eom"
    r"|end of (?:the )?(?:day|week|month|next week)|heute|morgen|übermorgen|gestern)"
    rf"|next week,? (?:on )?(?P<following>{_NAMES})\.?|(?P<week>next week|nächste woche)"
    rf"|(?P<next>next |nächste[nr]? )?(?P<weekday>{_NAMES})\.?(?P<later>,? next week|,? nächste woche)?"
    r"|(?P<iso>\d{4}-\d{1,2}-\d{1,2})(?:T(?=\d))?"
    rf"|(?P<d1>\d{{1,2}}){_TH} (?:of )?(?P<m1>{_MONTH})\.?(?:,? (?P<y1>\d{{4}}))?"
    rf"|(?P<m2>{_MONTH})\.? (?P<d2>\d{{1,2}}){_TH}(?:,? (?P<y2>\d{{4}}))?"
    r"|(?P<d3>\d{1,2})\.(?P<m3>\d{1,2})\.(?P<y3>\d{4}|\d{2})?"
    r"|(?P<d4>\d{1,2})/(?P<m4>\d{1,2})(?:/(?P<y4>\d{4}|\d{2}))?"
)
DAY: Final = re.compile(rf"(?:{_DAY})(?:(?<=T)|{_END})", re.IGNORECASE)
_LEAD = re.compile(r"(?:on|am|um|at|the|den) ", re.IGNORECASE)
_DAY_AFTER = re.compile(r",? (?:on |am )?(?=\w)", re.IGNORECASE)
_PART = re.compile(
    r",? (?:in the )?(?P<part>morning|afternoon|evening|night|früh|morgen|vormittag|nachmittag|abend|nacht)(?!\w)",
    re.IGNORECASE,
)
_PART_AFTER = re.compile(
    r" (?:(?:in the |am )(?P<part>morning|afternoon|evening|vormittag|nachmittag|abend)|(?P<adverb>at night|in the night"
    r"|in der nacht|nachts|abends|nachmittags|morgens|vormittags))(?!\w)",
    re.IGNORECASE,
)
_PARTS = {"morning": 12, "früh": 12, "morgen": 12, "vormittag": 12, "afternoon": 18, "nachmittag": 18}  # end by
_NIGHT = ("night", "nacht", "nachts", "tonight", "at night", "in the night", "in der nacht")
_LATE = ("evening", "abend", "abends", *_NIGHT)
_EARLY = ("morning", "früh", "morgen", "morgens", "vormittag", "vormittags")
_JOIN = re.compile(
    r"(?P<gap>,? ?)(?:(?P<firm>(?:at|um|@) ?)|(?:by|before|around|about|gegen|vor|bis) )?(?P<range>(?:between|from|zwischen|von) )?"
    r"(?P<span>\d{1,2}(?::\d{2})?(?: ?[–-] ?| and | to | und | bis )(?=\d{1,2}(?![\d.])))?",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?:(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))? ?(?P<half>[ap]\.?m\.?)"
    r"|(?P<h24>\d{1,2}):(?P<m24>\d{2})(?: ?uhr| ?h)?|(?P<named>noon|midnight|mittag|mitternacht)"
    rf"|(?P<clock>\d{{1,2}})(?:[.](?P<past>\d{{2}}))? ?(?:uhr|o[’']clock)){_END}",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?P<bare>\d{{1,2}}){_END}(?! ?[-–%€$£°+]|,\d)(?P<last> ?(?:$|[,;.!?)]))?")
SPAN: Final = re.compile(
    rf"(?P<n>\d{{1,3}}|{'|'.join(sorted(NUMBERS, key=len, reverse=True))}) ?"
    r"(?P<unit>minutes?|minuten?|mins?|hours?|hrs?|stunden?|std\.?|h|(?:business|working) days?|werktage?n?|arbeitstage?n?"
    rf"|days?|tage?n?|weeks?|wochen?){_END}",
    re.IGNORECASE,
)


Hour = tuple[int, time | None]  # days after the day that is named, and the time of the clock; None: its end


@dataclass(frozen=True)
class Standpoint:
    """From where days are seen."""

    now: datetime  # local, without zone
    back: bool = False  # the latest such day is meant, otherwise the next one
    before: date | None = None  # a weekday before this one, instead of today
    order: str = ""  # of 12/5: "day" first, "month" first, or not said


@dataclass(frozen=True)
class When:
    """A day, and a time of it if one was said; or several, if it is not clear which is meant."""

    start: int
    end: int
    moments: tuple[tuple[date, time | None], ...]  # in order, at least one

    @property
    def day(self) -> date:
        """The only day, or the first of those that may be meant."""
        return self.moments[0][0]

    def latest(self) -> datetime:
        """Its last minute, local and without zone."""
        day, at = self.moments[0]
        return datetime.combine(day, at or LAST)

    @property
    def readings(self) -> tuple[str, ...]:
        """Each moment that may be meant, written so that it is clear; empty where there is but one."""
        if len(self.moments) == 1:
            return ()
        return tuple(written_out(day) + (f" {at:%H:%M}" if at else "") for day, at in self.moments)


def written_out(day: date) -> str:
    """A day that cannot be taken for another: 5 Dec 2026."""
    return f"{day.day} {MONTHS[day.month - 1].capitalize()} {day.year}"


def read_when(text: str, place: int, seen: Standpoint, opened: bool = False) -> When | None:
    """The day or the time written at a place of a text, if there is one; `opened`: after "by" or the like."""
    lead = _LEAD.match(text, place)
    start = lead.end() if lead else place
    if found := DAY.match(text, start):
        end, hours = _clock(text, found.end(), _tonight(found)) or (found.end(), ((0, None),))
        return _when(start, end, _days(found, seen), hours, seen)
    alone = _spoken(text, place, True, opened)
    if alone is None:
        return None
    end, times = alone
    if found := _day_after(text, end):
        later = _PART.match(text, found.end())
        part = later["part"].lower() if later else _tonight(found)
        return _when(place, later.end() if later else found.end(), _days(found, seen), _in_part(times, part), seen)
    after = _PART_AFTER.match(text, end)
    hours = _in_part(times, _part(after) if after else "")
    today = seen.now.date()
    days = {_ahead(today + timedelta(days=0 if seen.back else later), at, seen) for later, at in hours if at}
    return When(place, after.end() if after else end, tuple(sorted(days))) if days else None


def _ahead(day: date, at: time, seen: Standpoint) -> tuple[date, time]:
    """A time without a day: on the next one where it is over."""
    passed = datetime.combine(day, at) <= seen.now and not seen.back
    return day + timedelta(days=passed), at


def _when(start: int, end: int, days: Iterable[date], hours: Iterable[Hour], seen: Standpoint) -> When | None:
    wanted = [day for day in days if EARLIEST.year <= day.year <= LATEST.year]
    moments = [(day + timedelta(days=later), at) for day in wanted for later, at in hours]
    if any(later for later, _ in hours) and not seen.back:  # of two nights, the one that is not over
        moments = [(day, at) for day, at in moments if datetime.combine(day, at or LAST) > seen.now] or moments
    return When(start, end, tuple(moments)) if moments else None


def _tonight(found: re.Match[str]) -> str:
    """The part of the day that a day's own name says."""
    return "tonight" if (found["plain"] or "").lower() == "tonight" else ""


def _part(found: re.Match[str]) -> str:
    return str(found["part"] or found["adverb"]).lower()


def _day_after(text: str, place: int) -> re.Match[str] | None:
    """A day written after its time: "3pm tomorrow"."""
    joined = _DAY_AFTER.match(text, place)
    return DAY.match(text, joined.end()) if joined else None


def read_span(text: str, place: int, now: datetime) -> tuple[int, tuple[datetime, ...]] | None:
    """Where a span at a place of a text ends, and the instant, counted from local `now`; several if its time is not clear."""
    found = SPAN.match(text, place)
    if found is None:
        return None
    said = found["n"].lower()
    count, unit = int(said) if said.isdecimal() else NUMBERS[said], found["unit"].lower()
    if unit.startswith("m"):
        return found.end(), (now + timedelta(minutes=count),)
    if unit.startswith(("h", "st")):
        return found.end(), (now + timedelta(hours=count),)
    day = now.date()
    if unit.startswith(("business", "working", "werk", "arbeit")):
        for _ in range(count):
            day += timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))
    else:
        day += timedelta(days=count * (7 if unit.startswith("w") else 1))
    end, hours = _clock(text, found.end()) or (found.end(), ((0, LAST),))
    return end, tuple(datetime.combine(day + timedelta(days=later), at or LAST) for later, at in hours)


def _clock(text: str, place: int, part: str = "") -> tuple[int, tuple[Hour, ...]] | None:
    """The time that follows a day, and where it ends; a part of a day, before it or after it, lasts until its end."""
    found = _PART.match(text, place)
    part = found["part"].lower() if found else part
    spoken = _spoken(text, found.end() if found else place)
    if spoken is None:
        return (found.end(), ((0, time(_PARTS[part]) if part in _PARTS else LAST),)) if found else None
    end, times = spoken
    if after := _PART_AFTER.match(text, end):
        end, part = after.end(), part or _part(after)
    return end, _in_part(times, part)


def _in_part(times: tuple[time | None, ...], part: str) -> tuple[Hour, ...]:
    """What times of the clock are in a part of the day; an empty part: the times themselves."""
    said = tuple((0, at) for at in times)
    if not part:
        return said
    if part in _EARLY:
        return tuple((0, at) for at in times if at and at.hour < 12) or said
    if part in _LATE:
        return tuple(hour for at in times[:1] if at for hour in _late(at, part in _NIGHT)) or said
    return tuple((0, at) for at in sorted({at.replace(hour=at.hour % 12 + 12) for at in times if at})) or said


def _late(at: time, night: bool) -> tuple[Hour, ...]:
    """A time of an evening or a night: at 12 the day ends; what comes after it may be of that day or of the next, and is asked."""
    if at.hour > 12:
        return ((0, at),)
    small = at.replace(hour=at.hour % 12)
    if small == time(0):
        return ((0, LAST),)
    if small.hour == 0 and not night:
        return ((1, small),)
    afternoon = small.replace(hour=small.hour + 12)
    if small.hour < 6 and night:
        return ((0, small), *(((0, afternoon),) if small.hour > 3 else ()), (1, small))
    return ((0, afternoon),)


def _spoken(
    text: str, place: int, alone: bool = False, opened: bool = False
) -> tuple[int, tuple[time | None, ...]] | None:
    """A time of the clock: where it ends, and which it may be; none of them if it is an impossible one."""
    join = _JOIN.match(text, place)
    if join is None or not (alone or join["gap"] or text[place - 1 : place] == "T"):
        return None
    if found := _TIME.match(text, join.end()):
        return found.end(), _times(found)
    bare = _BARE.match(text, join.end())
    if bare is None or not 0 < int(bare["bare"]) < 24:
        return None
    firm = join["firm"] or join["range"]
    last = bare["last"] is not None and "," not in join["gap"] and not alone
    end = bare.end("bare")
    parted = (opened or not alone) and _PART_AFTER.match(text, end)
    return (end, _hours(int(bare["bare"]))) if firm or last or parted or (opened and _day_after(text, end)) else None


def _hours(hour: int) -> tuple[time, ...]:
    """An hour without minutes and without am or pm: from 8 on as it is written, before that of the morning or the afternoon."""
    return (time(hour),) if hour > 7 else (time(hour), time(hour + 12))


def _times(found: re.Match[str]) -> tuple[time | None, ...]:
    if named := found["named"]:
        return (time(12) if named.lower() in ("noon", "mittag") else LAST,)
    hour = int(found["hour"] or found["h24"] or found["clock"])
    minute = found["minute"] or found["m24"] or found["past"]
    if int(minute or 0) > 59:
        return ()
    if found["half"]:
        late = found["half"].lower().startswith("p")
        return (time(hour % 12 + 12 * late, int(minute or 0)),) if 1 <= hour <= 12 else ()
    if hour > 23:
        return (LAST,) if hour == 24 and not int(minute or 0) else ()
    return _hours(hour) if found["clock"] and hour and not minute else (time(hour, int(minute or 0)),)


def _days(found: re.Match[str], seen: Standpoint) -> tuple[date, ...]:
    """The days that are meant, in order; none if there is no such day."""
    today = seen.now.date()
    if plain := found["plain"]:
        return (_plain(plain.lower().replace("end of the", "end of"), today),)
    if found["week"]:
        return (_monday(today) + timedelta(days=11),)  # a Friday
    if weekday := found["following"] or found["weekday"]:
        wanted = _weekday(weekday)
        if seen.back:
            before = seen.before or today
            return (before - timedelta(days=(before.weekday() - wanted - 1) % 7 + 1),)
        if found["next"] or found["later"] or found["following"]:
            return (_monday(today) + timedelta(days=7 + wanted),)
        return (today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1),)
    if iso := found["iso"]:
        year, month, day = map(int, iso.split("-"))
        return _valid([(year, month, day)])
    return _dated(found, seen)


def _weekday(name: str) -> int:
    short = name[:3].lower()
    return next(
        place
        for place, names in enumerate(zip(_WEEKDAYS, _WOCHENTAGE, strict=True))
        if names[0] == short or names[1].startswith(short)
    )


def _plain(word: str, today: date) -> date:
    ahead = {"tomorrow": 1, "morgen": 1, "the day after tomorrow": 2, "übermorgen": 2, "yesterday": -1, "gestern": -1}
    if word in ahead or word in ("today", "tonight", "eod", "end of day", "heute"):
        return today + timedelta(days=ahead.get(word, 0))
    if word in ("eom", "end of month"):
        return today.replace(day=calendar.monthrange(today.year, today.month)[1])
    return _monday(today) + timedelta(days=11 if "next" in word else 4)  # a Friday


def _dated(found: re.Match[str], seen: Standpoint) -> tuple[date, ...]:
    """A day and a month, with or without a year; both of them numbers, and either may be the month."""
    way = next(way for way in "1234" if found[f"d{way}"])
    first, second, year = int(found[f"d{way}"]), found[f"m{way}"], found[f"y{way}"]
    month = int(second) if second.isdecimal() else MONTHS.index(_MONATE.get(second[:3].lower(), second[:3].lower())) + 1
    pairs = [(month, first), (first, month)] if way == "4" else [(month, first)]  # month, day
    pairs = [(month, day) for month, day in pairs if month <= 12]
    if len(pairs) == 2 and seen.order:
        pairs = pairs[:1] if seen.order == "day" else pairs[1:]
    today = seen.now.date()
    if not year:
        return tuple(sorted({day for pair in pairs for day in _nearest(*pair, today, seen.back)}))
    days = sorted(_valid([(int(year) + (2000 if len(year) == 2 else 0), *pair) for pair in pairs]))
    likely = [day for day in days if (day <= today if seen.back else day >= today)]
    return tuple(dict.fromkeys(likely or days))


def _nearest(month: int, day: int, today: date, back: bool) -> tuple[date, ...]:
    """The next such day of a year that is not named, and one that has just passed; `back`: the latest."""
    years = range(today.year - 8, today.year + 9)  # 29 February may be eight years away
    days = _valid([(year, month, day) for year in years])
    passed, ahead = [one for one in days if one <= today], [one for one in days if one >= today]
    if back:
        return tuple(passed[-1:])
    just = [one for one in passed[-1:] if 0 < (today - one).days <= JUST_PASSED]
    return tuple(just + ahead[:1])


def _valid(days: Iterable[tuple[int, int, int]]) -> tuple[date, ...]:
    """Those that the calendar has."""
    found = []
    for year, month, day in days:
        try:
            found.append(date(year, month, day))
        except ValueError:
            continue
    return tuple(found)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
