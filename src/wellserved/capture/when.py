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

from wellserved.capture.spoken_time import A_M, FOLLOWS_HOUR, WEEKDAYS
from wellserved.moments import EARLIEST_DATE, LATEST_DATE

LAST_MINUTE: Final = time(23, 59)  # a promise for a day is kept until that day is over
DAYS_JUST_PASSED: Final = 92  # days: a date without a year that lies so near behind may be meant as it is
_WEEKDAY_NAMES = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|saturday|sun(?:day)?|"
    r"sat(?! \d+ ?[mh]| (?:with|in|on|for|there|down|behind|beside|next|through|around|alone|waiting|and|two|three|half|an)\b)|"  # sat with Ruth
    + "|".join(WEEKDAYS)
)
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONATE = {"mär": "mar", "mai": "may", "okt": "oct", "dez": "dec"}
_MONTH = (
    r"jan(?:uary?|uar)?|feb(?:ruary?|ruar)?|mar(?:ch)?|märz?|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?|"
    r"sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?"
)
NUMBER_WORDS: Final = {
    word: index + 1
    for words in (
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        ("einem", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"),
    )
    for index, word in enumerate(words)
} | {"a": 1, "an": 1, "einer": 1}
_ORDINAL_END = r"(?:st|nd|rd|th|\.)?"
_WORD_END = r"(?![\w/’']|[.:]\d)"
_DAY = (
    r"(?P<plain>today|tonight|(?:the )?day after tomorrow|tomm?orr?ow|tmrw|tmw|yesterday|eod|eow|eom|monatsende"
    r"|this(?= (?:morning|afternoon|evening)\b)|end of (?:the )?(?:day|week|month|next week)|heute?|morgen|übermorgen|uebermorgen|gestern)"
    rf"|a week (?:on|from) (?P<week_on>{_WEEKDAY_NAMES})|(?P<week_after>{_WEEKDAY_NAMES})(?: week| in a week| in einer woche)"
    r"|(?<!Frau )(?<!Herr )(?P<short>(?-i:Mo|Di|Mi|Do|Fr|Sa|So|fr))\.?(?=,? (?:früh|vormittag|mittag|nachmittag|abend|(?:um )?\d{1,2}(?:[:.]\d\d)? ?uhr\b))"
    rf"|next week,? (?:on )?(?P<following>{_WEEKDAY_NAMES})\.?|(?P<week>next week|nächste woche)"
    rf"|(?P<next>next |nächste[nr]? )?(?P<weekday>{_WEEKDAY_NAMES})\.?(?P<later>,? next week|,? nächste woche| nächster woche| kommender woche)?"
    r"|(?P<iso>\d{4}-\d{1,2}-\d{1,2})(?:T(?=\d))?"
    rf"|(?P<d1>\d{{1,2}}){_ORDINAL_END} (?:of )?(?P<m1>{_MONTH})\.?(?:,? (?P<y1>\d{{4}}))?"
    rf"|(?P<m2>{_MONTH})\.? (?P<d2>\d{{1,2}}){_ORDINAL_END}(?:,? (?P<y2>\d{{4}}))?"
    r"|(?P<d3>\d{1,2})\.(?P<m3>\d{1,2})\.(?P<y3>\d{4}|\d{2})?"
    r"|(?P<d4>\d{1,2})/(?P<m4>\d{1,2})(?:/(?P<y4>\d{4}|\d{2}))?"
    r"|(?:(?<=on the )|(?<=by the )|(?<=until the )|(?<=before the ))(?P<d5>\d{1,2})(?:st|nd|rd|th)(?= ?(?:$|[,;.!?)])| (?:in the|at|for|without|with|by|from|on|and|latest|if|when|so|as|that|he|she|they|i|we)\b)"
)
DAY_PATTERN: Final = re.compile(rf"(?:{_DAY})(?:(?-i:(?<=T))|{_WORD_END})", re.IGNORECASE)
_WEEKDAY_JOINT = re.compile(r",? (?:the |den |der |dem )?", re.IGNORECASE)
_LEAD_WORD = re.compile(r"(?:on|am|um|at|the|den) ", re.IGNORECASE)
_DAY_AFTER = re.compile(r",? (?:on |am )?(?=\w)", re.IGNORECASE)
_DAY_PART = re.compile(
    r",? (?:in the )?(?P<part>morning|afternoon|evening|night|früh|morgen|vormittag|nachmittag|abend|nacht)(?!\w)",
    re.IGNORECASE,
)
_DAY_PART_AFTER = re.compile(
    r" (?:(?:in the |am )(?P<part>morning|afternoon|evening|vormittag|nachmittag|abend)|(?P<adverb>at night|in the night"
    r"|in der nacht|nachts|abends|nachmittags|morgens|vormittags))(?!\w)",
    re.IGNORECASE,
)
_DAY_PART_ENDS = {"morning": 12, "früh": 12, "morgen": 12, "vormittag": 12, "afternoon": 18, "nachmittag": 18}  # end by
_NIGHT_WORDS = ("night", "nacht", "nachts", "tonight", "at night", "in the night", "in der nacht")
_LATE_WORDS = ("evening", "abend", "abends", *_NIGHT_WORDS)
_EARLY_WORDS = ("morning", "früh", "morgen", "morgens", "vormittag", "vormittags")
_BEFORE_TIME = re.compile(
    r"(?P<gap>,? ?)(?:noch )?(?:(?P<firm>(?:at|um|@) ?)|(?P<near>(?:by|before|after|around|about|gegen|vor|bis|ab)) )?(?P<range>(?:between|from|zwischen|von) )?"
    r"(?P<span>\d{1,2}(?::\d{2})?(?: ?[–-] ?| and | to | und | bis )(?=\d{1,2}(?![\d.])))?",
    re.IGNORECASE,
)
_TIME = re.compile(
    rf"(?:(?P<hour>\d{{1,2}})(?:[:.](?P<minute>\d{{2}}))? ?(?P<half>{A_M}|p\.?m\.?)"
    r"|(?P<h24>\d{1,2}):(?P<m24>\d{2})(?: ?uhr| ?h)?|(?P<named>noon|midnight|mittag|mitternacht)"
    rf"|(?P<clock>\d{{1,2}})(?:[.](?P<past>\d{{2}}))? ?(?:uhr|o[’']clock)){_WORD_END}",
    re.IGNORECASE,
)
_DOTTED = re.compile(  # at 9.30
    rf"(?P<h24>\d{{1,2}})\.(?P<m24>[0-5]\d){_WORD_END}(?! ?(?:[-–%€$£°+]|eur|usd|gbp|chf|euros?|k\b|m\b|kg|km|mm|cm)|,\d)",
    re.IGNORECASE,
)
_COUNTED_NOUN = re.compile(
    r" (?:(?-i:[A-ZÄÖÜ])|\w{3,30}s\b|people|pieces|percent|prozent|stück|leute|mehr|more|k\b|kg|km|cm|mm)",
    re.IGNORECASE,
)
_BARE_HOUR = re.compile(rf"(?P<bare>\d{{1,2}}(?:h(?!\w))?){_WORD_END}(?! ?[-–%€$£°+]|,\d)(?P<last> ?(?:$|[,;.!?)]))?")
SPAN_PATTERN: Final = re.compile(
    rf"(?P<n>\d{{1,3}}|{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))}) ?"
    r"(?P<unit>minutes?|minuten?|mins?|hours?|hrs?|stunden?|std\.?|h|(?:business|working) days?|werktage?n?|arbeitstage?n?"
    rf"|days?|tage?n?|weeks?|wochen?){_WORD_END}",
    re.IGNORECASE,
)


DayTime = tuple[int, time | None]  # days after the day that is named, and the time of the clock; None: its end


@dataclass(frozen=True)
class Standpoint:
    """From where days are seen."""

    now: datetime  # local, without zone
    is_past: bool = False  # the latest such day is meant, otherwise the next one
    before: date | None = None  # a weekday before this one, instead of today
    order: str = ""  # of 12/5: "day" first, "month" first, or not said


@dataclass(frozen=True)
class DateMention:
    """A day, and a time of it if one was said; or several, if it is not clear which is meant."""

    start: int
    end: int
    moments: tuple[tuple[date, time | None], ...]  # in order, at least one
    names_day: bool = True  # else a time alone

    @property
    def day(self) -> date:
        """The only day, or the first of those that may be meant."""
        return self.moments[0][0]

    def latest(self) -> datetime:
        """Its last minute, local and without zone."""
        day, clock_time = self.moments[0]
        return datetime.combine(day, clock_time or LAST_MINUTE)

    @property
    def readings(self) -> tuple[str, ...]:
        """Each moment that may be meant, written so that it is clear; empty where there is but one."""
        if len(self.moments) == 1:
            return ()
        return tuple(unambiguous_date(day) + (f" {at:%H:%M}" if at else "") for day, at in self.moments)


def unambiguous_date(day: date) -> str:
    """A day that cannot be taken for another: 5 Dec 2026."""
    return f"{day.day} {MONTHS[day.month - 1].capitalize()} {day.year}"


def read_when(text: str, position: int, standpoint: Standpoint, after_preposition: bool = False) -> DateMention | None:
    """The day or the time written at a place of a text, if there is one; `after_preposition`: after "by" or the like."""
    lead = _LEAD_WORD.match(text, position)
    start = lead.end() if lead else position
    if day_match := DAY_PATTERN.match(text, start):
        if date_match := _date_of_weekday(text, day_match):
            end, hours = _time_after_day(text, date_match.end()) or (date_match.end(), ((0, None),))
            return _date_mention(start, end, _agreeing_days(day_match, date_match, standpoint), hours, standpoint)
        end, hours = _time_after_day(text, day_match.end(), _own_part(day_match)) or (day_match.end(), ((0, None),))
        return _date_mention(start, end, _days(day_match, standpoint), hours, standpoint)
    time_alone = _clock_times(text, position, True, after_preposition)
    if time_alone is None:
        return None
    end, times = time_alone
    if day_match := _day_after(text, end):
        part_match = _DAY_PART.match(text, day_match.end())
        day_part = part_match["part"].lower() if part_match else _own_part(day_match)
        return _date_mention(
            position,
            part_match.end() if part_match else day_match.end(),
            _days(day_match, standpoint),
            _hours_in_part(times, day_part),
            standpoint,
        )
    part_after = _DAY_PART_AFTER.match(text, end)
    hours = _hours_in_part(times, _part_word(part_after) if part_after else "")
    today = standpoint.now.date()
    days = {
        _next_moment(today + timedelta(days=0 if standpoint.is_past else extra_days), at, standpoint)
        for extra_days, at in hours
        if at
    }
    return DateMention(position, part_after.end() if part_after else end, tuple(sorted(days)), False) if days else None


def _date_of_weekday(text: str, day_match: re.Match[str]) -> re.Match[str] | None:
    """The date that follows its weekday: Friday, 4 December; Montag, den 7.12."""
    joint = _WEEKDAY_JOINT.match(text, day_match.end()) if day_match["weekday"] and not day_match["later"] else None
    date_match = DAY_PATTERN.match(text, joint.end()) if joint else None
    is_date = date_match and any(date_match[name] for name in ("iso", "d1", "m2", "d3", "d4"))
    return date_match if is_date else None


def _agreeing_days(day_match: re.Match[str], date_match: re.Match[str], standpoint: Standpoint) -> tuple[date, ...]:
    """The date's days; where none falls on the weekday beside it, that weekday's too, so that it is asked."""
    dates = _days(date_match, standpoint)
    on_weekday = tuple(day for day in dates if day.weekday() == _weekday_index(day_match["weekday"]))
    return on_weekday or tuple(sorted({*dates, *_days(day_match, standpoint)}))


def _next_moment(day: date, at: time, standpoint: Standpoint) -> tuple[date, time]:
    """A time without a day: on the next one where it is over."""
    is_over = datetime.combine(day, at) <= standpoint.now and not standpoint.is_past
    return day + timedelta(days=is_over), at


def _date_mention(
    start: int, end: int, days: Iterable[date], hours: Iterable[DayTime], standpoint: Standpoint
) -> DateMention | None:
    possible_days = [day for day in days if EARLIEST_DATE.year <= day.year <= LATEST_DATE.year]
    moments = [(day + timedelta(days=extra_days), at) for day in possible_days for extra_days, at in hours]
    if len(moments) > 1 and not standpoint.is_past:  # of two nights, or two hours, the one that is not over
        moments = [
            (day, at)
            for day, at in moments
            if day != standpoint.now.date() or datetime.combine(day, at or LAST_MINUTE) > standpoint.now
        ] or moments
    return DateMention(start, end, tuple(moments)) if moments else None


def _own_part(match: re.Match[str]) -> str:
    """The part of the day that a day's own name says."""
    return "tonight" if (match["plain"] or "").lower() == "tonight" else ""


def _part_word(match: re.Match[str]) -> str:
    return str(match["part"] or match["adverb"]).lower()


def _day_after(text: str, position: int) -> re.Match[str] | None:
    """A day written after its time: "3pm tomorrow"."""
    joint = _DAY_AFTER.match(text, position)
    return DAY_PATTERN.match(text, joint.end()) if joint else None


def read_span(text: str, position: int, now: datetime) -> tuple[int, tuple[datetime, ...]] | None:
    """Where a span at a place of a text ends, and the instant, counted from local `now`; several if its time is not clear."""
    match = SPAN_PATTERN.match(text, position)
    if match is None:
        return None
    count_text = match["n"].lower()
    count, unit = int(count_text) if count_text.isdecimal() else NUMBER_WORDS[count_text], match["unit"].lower()
    if unit.startswith("m"):
        return match.end(), (now + timedelta(minutes=count),)
    if unit.startswith(("h", "st")):
        return match.end(), (now + timedelta(hours=count),)
    day = now.date()
    if unit.startswith(("business", "working", "werk", "arbeit")):
        for _ in range(count):
            day += timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))
    else:
        day += timedelta(days=count * (7 if unit.startswith("w") else 1))
    end, hours = _time_after_day(text, match.end()) or (match.end(), ((0, LAST_MINUTE),))
    return end, tuple(datetime.combine(day + timedelta(days=extra_days), at or LAST_MINUTE) for extra_days, at in hours)


def _time_after_day(text: str, position: int, day_part: str = "") -> tuple[int, tuple[DayTime, ...]] | None:
    """The time that follows a day, and where it ends; a part of a day, before it or after it, lasts until its end."""
    part_match = _DAY_PART.match(text, position)
    day_part = part_match["part"].lower() if part_match else day_part
    clock_times = _clock_times(text, part_match.end() if part_match else position)
    if clock_times is None:
        return (
            (part_match.end(), ((0, time(_DAY_PART_ENDS[day_part]) if day_part in _DAY_PART_ENDS else LAST_MINUTE),))
            if part_match
            else None
        )
    end, times = clock_times
    if part_after := _DAY_PART_AFTER.match(text, end):
        end, day_part = part_after.end(), day_part or _part_word(part_after)
    return end, _hours_in_part(times, day_part)


def _hours_in_part(times: tuple[time | None, ...], day_part: str) -> tuple[DayTime, ...]:
    """What times of the clock are in a part of the day; an empty part: the times themselves."""
    same_day = tuple((0, at) for at in times)
    if not day_part:
        return same_day
    if day_part in _EARLY_WORDS:
        return tuple((0, at) for at in times if at and at.hour < 12) or same_day
    if day_part in _LATE_WORDS:
        return tuple(hour for at in times[:1] if at for hour in _late_hours(at, day_part in _NIGHT_WORDS)) or same_day
    return tuple((0, at) for at in sorted({at.replace(hour=at.hour % 12 + 12) for at in times if at})) or same_day


def _late_hours(at: time, is_night: bool) -> tuple[DayTime, ...]:
    """A time of an evening or a night: at 12 the day ends; what comes after it may be of that day or of the next, and is asked."""
    if at.hour > 12:
        return ((0, at),)
    morning_time = at.replace(hour=at.hour % 12)
    if morning_time == time(0):
        return ((0, LAST_MINUTE),)
    if morning_time.hour == 0 and not is_night:
        return ((1, morning_time),)
    afternoon = morning_time.replace(hour=morning_time.hour + 12)
    if morning_time.hour < 6 and is_night:
        return ((0, morning_time), *(((0, afternoon),) if morning_time.hour > 3 else ()), (1, morning_time))
    return ((0, afternoon),)


def _clock_times(
    text: str, position: int, is_alone: bool = False, after_preposition: bool = False
) -> tuple[int, tuple[time | None, ...]] | None:
    """A time of the clock: where it ends, and which it may be; none of them if it is an impossible one."""
    lead = _BEFORE_TIME.match(text, position)
    if lead is None or not (is_alone or lead["gap"] or text[position - 1 : position] == "T"):
        return None
    if time_match := _TIME.match(text, lead.end()):
        return time_match.end(), _times(time_match)
    if dotted := _dotted_time(text, lead, is_alone, after_preposition):
        return dotted
    bare_match = _BARE_HOUR.match(text, lead.end())
    if bare_match is None or not 0 < (hour := int(bare_match["bare"].rstrip("hH"))) < 24:
        return None
    is_of_day = not is_alone and lead["near"] and FOLLOWS_HOUR.match(text, bare_match.end("bare"))
    is_firm = lead["firm"] or lead["range"] or is_of_day
    if bare_match["bare"].endswith(("h", "H")) and not (lead["firm"] or lead["near"]):
        return None  # Friday 12h: twelve hours of work
    is_last = bare_match["last"] is not None and "," not in lead["gap"] and not is_alone
    end = bare_match.end("bare")
    part_after = (after_preposition or not is_alone) and _DAY_PART_AFTER.match(text, end)
    return (
        (end, _hours(hour))
        if is_firm or is_last or part_after or (after_preposition and _day_after(text, end))
        else None
    )


def _dotted_time(
    text: str, lead: re.Match[str], is_alone: bool, after_preposition: bool
) -> tuple[int, tuple[time | None, ...]] | None:
    """At 9.30, beside a day: where it ends, and which it may be; a price, a version or a section is none."""
    match = _DOTTED.match(text, lead.end())
    is_led = (
        lead["firm"] or after_preposition or (lead["near"] and lead["near"].lower() not in ("by", "about", "around"))
    )
    if match is None or not is_led or _COUNTED_NOUN.match(text, match.end()):
        return None
    is_of_day = not is_alone or _day_after(text, match.end())
    return (match.end(), _hours(int(match["h24"]), int(match["m24"]))) if is_of_day else None


def _hours(hour: int, minute: int = 0) -> tuple[time | None, ...]:
    """A time without am or pm: from 8 on as it is written, before that of the morning or the afternoon."""
    if hour > 23:
        return ()
    return (time(hour, minute),) if hour > 7 or not hour else (time(hour, minute), time(hour + 12, minute))


def _times(match: re.Match[str]) -> tuple[time | None, ...]:
    if name := match["named"]:
        return (time(12) if name.lower() in ("noon", "mittag") else LAST_MINUTE,)
    hour = int(match["hour"] or match["h24"] or match["clock"])
    minute = match["minute"] or match["m24"] or match["past"]
    if int(minute or 0) > 59:
        return ()
    if match["half"]:
        is_afternoon = match["half"].lower().startswith("p")
        return (time(hour % 12 + 12 * is_afternoon, int(minute or 0)),) if 1 <= hour <= 12 else ()
    if hour > 23:
        return (LAST_MINUTE,) if hour == 24 and not int(minute or 0) else ()
    # 4:30, not 04:30 and not 4:30 Uhr
    is_written_short = match["h24"] in ("1", "2", "3", "4", "5", "6") and match[0][-1].isdecimal()
    if is_written_short or (match["clock"] and hour and not minute):
        return _hours(hour, int(minute or 0))
    return (time(hour, int(minute or 0)),)


def _days(match: re.Match[str], standpoint: Standpoint) -> tuple[date, ...]:
    """The days that are meant, in order; none if there is no such day."""
    today = standpoint.now.date()
    if day_name := match["plain"]:
        return (_named_day(day_name.lower().replace("end of the", "end of"), today),)
    if day_of_month := match["d5"]:
        return _day_of_month(int(day_of_month), standpoint)
    if match["week"]:
        return (_monday(today) + timedelta(days=11),)  # a Friday
    if weekday := match["following"] or match["weekday"] or match["short"] or match["week_on"] or match["week_after"]:
        weekday_index = _weekday_index(weekday)
        if standpoint.is_past:
            before = standpoint.before or today
            return (before - timedelta(days=(before.weekday() - weekday_index - 1) % 7 + 1),)
        if match["next"] or match["later"] or match["following"]:
            return (_monday(today) + timedelta(days=7 + weekday_index),)
        week_later = 7 if match["week_on"] or match["week_after"] else 0
        return (today + timedelta(days=(weekday_index - today.weekday() - 1) % 7 + 1 + week_later),)
    if iso := match["iso"]:
        year, month, day = map(int, iso.split("-"))
        return _existing_days([(year, month, day)])
    return _month_days(match, standpoint)


def _day_of_month(day: int, standpoint: Standpoint) -> tuple[date, ...]:
    """The next such day of a month that is not named, or the latest; none if there is no such day."""
    today = standpoint.now.date()
    first = today.replace(day=1)
    months = [
        (first.year + (first.month - 1 + ahead) // 12, (first.month - 1 + ahead) % 12 + 1) for ahead in range(-2, 3)
    ]
    days = _existing_days((year, month, day) for year, month in months)
    passed_days, coming_days = [at for at in days if at <= today], [at for at in days if at >= today]
    return tuple(passed_days[-1:] if standpoint.is_past else coming_days[:1])


def _weekday_index(name: str) -> int:
    short = name[:3].lower()
    return next(
        index for index, names in enumerate(WEEKDAYS.items()) if names[1] == short or names[0].startswith(short)
    )


def _named_day(word: str, today: date) -> date:
    days_ahead = {
        **dict.fromkeys(("tomorrow", "tomorow", "tommorow", "tommorrow", "tmrw", "tmw", "morgen"), 1),
        **dict.fromkeys(("the day after tomorrow", "day after tomorrow", "übermorgen", "uebermorgen"), 2),
        "yesterday": -1,
        "gestern": -1,
    }
    if word in days_ahead or word in ("today", "tonight", "this", "eod", "end of day", "heute", "heut"):
        return today + timedelta(days=days_ahead.get(word, 0))
    if word in ("eom", "end of month", "monatsende"):
        return today.replace(day=calendar.monthrange(today.year, today.month)[1])
    return _monday(today) + timedelta(days=11 if "next" in word else 4)  # a Friday


def _month_days(match: re.Match[str], standpoint: Standpoint) -> tuple[date, ...]:
    """A day and a month, with or without a year; both of them numbers, and either may be the month."""
    group = next(group for group in "1234" if match[f"d{group}"])
    first_number, second_text, year = int(match[f"d{group}"]), match[f"m{group}"], match[f"y{group}"]
    month = (
        int(second_text)
        if second_text.isdecimal()
        else MONTHS.index(_MONATE.get(second_text[:3].lower(), second_text[:3].lower())) + 1
    )
    pairs = [(month, first_number), (first_number, month)] if group == "4" else [(month, first_number)]  # month, day
    pairs = [(month, day) for month, day in pairs if month <= 12]
    if len(pairs) == 2 and standpoint.order:
        pairs = pairs[:1] if standpoint.order == "day" else pairs[1:]
    today = standpoint.now.date()
    if not year:
        return tuple(sorted({day for pair in pairs for day in _nearest(*pair, today, standpoint.is_past)}))
    days = sorted(_existing_days([(int(year) + (2000 if len(year) == 2 else 0), *pair) for pair in pairs]))
    likely = [day for day in days if (day <= today if standpoint.is_past else day >= today)]
    return tuple(dict.fromkeys(likely or days))


def _nearest(month: int, day: int, today: date, is_past: bool) -> tuple[date, ...]:
    """The next such day of a year that is not named, and one that has just passed; `back`: the latest."""
    years = range(today.year - 8, today.year + 9)  # 29 February may be eight years away
    days = _existing_days([(year, month, day) for year in years])
    passed_days, coming_days = (
        [candidate for candidate in days if candidate <= today],
        [candidate for candidate in days if candidate >= today],
    )
    if is_past:
        return tuple(passed_days[-1:])
    just_passed = [candidate for candidate in passed_days[-1:] if 0 < (today - candidate).days <= DAYS_JUST_PASSED]
    return tuple(just_passed + coming_days[:1])


def _existing_days(days: Iterable[tuple[int, int, int]]) -> tuple[date, ...]:
    """The days, of these years, months and days, that the calendar has."""
    existing_days = []
    for year, month, day in days:
        try:
            existing_days.append(date(year, month, day))
        except ValueError:
            continue
    return tuple(existing_days)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
