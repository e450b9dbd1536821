"""Times, money and lengths as people say them, and what must not be taken for one of them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from wellserved.capture import capture

ZONE = ZoneInfo("Europe/Berlin")
MORNING, AFTERNOON = datetime(2026, 11, 25, 10, tzinfo=ZONE), datetime(2026, 11, 25, 16, 30, tzinfo=ZONE)  # a Wednesday


def due_of(line: str, now: datetime = MORNING) -> str:
    """When it is due, a day alone as its day; or "asked", or nothing."""
    captured_line = capture(line, now)
    if captured_line.due is None:
        return "asked" if captured_line.questions else ""
    return f"{captured_line.due:%a %H:%M}".replace(" 23:59", "")


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("Rückruf um vier am Freitag", "asked"),
        ("Rückruf um zwölf am Freitag", "Fri 12:00"),
        ("halb vier am Freitag", "Fri 15:30"),
        ("viertel nach fünf am Montag", "Mon 17:15"),
        ("tomorrow morning at half past six", "Thu 06:30"),
        ("half past six tomorrow morning", "Thu 06:30"),
        ("morgen früh um halb sechs", "Thu 05:30"),
        ("half past five am tomorrow", "Thu 05:30"),
        ("half past four p.m. on Friday", "Fri 16:30"),
        ("at ten to four on Friday", "Fri 15:50"),
        ("Friday at ten past nine", "Fri 09:10"),
        ("Freitag um zehn vor acht", "asked"),
        ("Freitag um halb acht", "asked"),
        ("Freitagvormittag", "Fri 12:00"),
        ("within the hour, he waits", "Wed 11:00"),
        ("a week on Friday", "Fri"),
        ("he gets it tmrw", "Thu"),
        ("day after tomorrow", "Fri"),
        ("on Dec 2nd at 9.30", "Wed 09:30"),
        ("by 4:30 tomorrow", "asked"),
        ("by 9.30 tomorrow", "Thu 09:30"),
        ("by 04:30 tomorrow", "Thu 04:30"),
    ],
)
def test_a_time_in_words_is_that_time(words: str, due: str) -> None:
    assert due_of(f"promise: {words}") == due


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("25 Nov 2026 at 9:00", "Wed 09:00"),
        ("2026-11-25 09:00", "Wed 09:00"),
        ("25.11.2026 um 9 Uhr", "Wed 09:00"),
        ("today at 9", "Wed 09:00"),
        ("25 Nov 2026 16:00", "Wed 16:00"),
        ("she gets it by 4 today", "asked"),
    ],
)
def test_a_day_that_is_written_out_is_not_moved(words: str, due: str) -> None:
    assert due_of(f"promise: {words}", AFTERNOON) == due


def test_what_was_said_this_morning_is_due_later() -> None:
    assert due_of("promise: told her this morning she has it Friday", AFTERNOON) == "Fri"
    assert due_of("promise: he gets it this afternoon") == "Wed 18:00"


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("by 3pm today, he leaves tomorrow", "Wed 15:00"),
        ("by tomorrow 10am, he flies Friday", "Thu 10:00"),
        ("bis Donnerstag, denn Freitag ist Messe", "Thu"),
        ("brought forward to Friday, was for next Monday", "Fri"),
        ("Ben wants it Thursday, no longer on Friday", "Thu"),
        ("schon Donnerstag statt wie geplant Freitag", "Thu"),
        ("Monday at 9 in place of tomorrow", "Mon 09:00"),
        ("she had been told tomorrow, now it's Friday 2pm", "Fri 14:00"),
        ("das Labor schafft es bis heute nicht, Freitag 16 Uhr passt ihr", "Fri 16:00"),
    ],
)
def test_another_time_is_the_one_that_was_agreed(words: str, due: str) -> None:
    assert due_of(f"renegotiated: {words}") == due


@pytest.mark.parametrize(
    "words",
    [
        "pay back 19.50 tomorrow", "meet in room 9.30 tomorrow", "release version 9.12 tomorrow", "install macOS 14.10 tomorrow",
        "reduce the fee by ten tomorrow", "one of the desks tomorrow", "he can have eight sites tomorrow", "tomorrow about 9 new orders",
        "morgen um zehn Euro billiger", "tomorrow by ten per cent", "tomorrow before 11 of us leave", "replace the 2nd tomorrow",
        "the 5th on the list gets a call tomorrow", "Ringing Sato tomorrow", "sat 25 min with Ruth, written summary tomorrow",
    ],
)  # fmt: skip
def test_numbers_of_things_are_no_hours(words: str) -> None:
    assert due_of(f"promise: {words}") == "Thu"


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("refunded 90 to Mr Haddad", 90), ("refunded the double charge, 148.20", 148.2), ("4,90 Gebühr sei eine Frechheit", 4.9), ("the 8.50 redelivery fee", 8.5),
        ("35 quid back", 35), ("fee of 995 was nowhere", 995), ("paid 24 for express", 24), ("a budget of 45k", 45_000), ("Acme gets the 12k offer by Friday", 12_000), ("Kostenvoranschlag kommt, ca 18k", 18_000), ("knocked 40 quid off", 40),
        ("refunded 35 pounds", 35), ("30-euro-gutschein", 30), ("200 Franken Buße", 200), ("quote for 180k", 180_000),
        ("refunded the 45 we charged twice", 45), ("credit note of 850 is out", 850), ("quote for 12k less", 12_000), ("budget of 45k this year", 45_000),
    ],
)  # fmt: skip
def test_money_is_read_where_words_say_so(words: str, amount: float) -> None:
    assert capture(f"note: {words}", MORNING).amount == amount


@pytest.mark.parametrize(
    "words",
    [
        "Rechnung vom 3.12 noch offen", "invoice dated 03.12 is wrong", "revised quote for 12k jars to Kirsten", "order of 5k labels", "budget talk about 3k envelopes", "charged on 24.12", "Rechnung kam gegen 14.30", "the bill came at about 14.20",
        "bill for 2025, wrong address", "invoice for 4711 and 4712 lost", "12 back in stock", "sent 30 back to the supplier", "10 off today, sick", "paid 3 of 4 invoices",
        "paid 12 of the 14 months", "berechnet 4 statt 3", "charge for 3 more nights", "15 zu viel geliefert", "the 4k is broken", "van did 40k", "5k on foot", "22k resistor",
        "we have 12k in the queue", "parcel of 12 pounds arrived", "20 pound hammer", "lost 5 pounds in a week", "ran 5k with us", "her 401k match", "5k A5 leaflets",
        "ring flat 14 back", "platform 7 back in service",
    ],
)  # fmt: skip
def test_what_is_no_money_is_none(words: str) -> None:
    assert capture(f"note: {words}", MORNING).amount is None


@pytest.mark.parametrize(
    ("line", "hours"),
    [
        ("recovered: drove there again, hour and a half", 1.5), ("note: spent an hour with her", 1.0), ("recovered: spent two hours on it", 2.0), ("note: 2 hours 30 spent on it", 2.5),
        ("note: 2 Stunden vor Ort gearbeitet", 2.0), ("note: worked 3 hours alone", 3.0), ("recovered: repair took 2h", 2.0), ("note: sat down and worked 2 hours", 2.0),
        ("asked: 2h of work", 2.0), ("lesson: hat mich eine Stunde gekostet", 1.0),
    ],
)  # fmt: skip
def test_own_work_is_counted(line: str, hours: float) -> None:
    assert capture(line, MORNING).hours == hours


@pytest.mark.parametrize(
    "line",
    [
        "complaint: they spent an hour on the phone with the hotline", "note: he needed an hour to park", "note: ich hab eine Stunde frei", "note: open ten hours a day",
        "note: battery lasts four hours", "note: room booked for three hours", "missed: the Bianchis stood in the lobby for fifty minutes",
        "missed: her chat sat unanswered for 2 hours", "complaint: 25 min in unserer Warteschleife", "idea: Liefertruppe könnte 30 min vorher anrufen",
    ],
)  # fmt: skip
def test_the_time_of_others_is_not(line: str) -> None:
    assert capture(line, MORNING).hours is None


@pytest.mark.parametrize(
    ("line", "hours"),
    [("3 hours 20 tickets", 3), ("8 hours 5 days a week", 8), ("1 h 99 boxes", 1), ("2 hours 30€", 2)],
)
def test_the_next_count_is_no_minutes(line: str, hours: float) -> None:
    assert capture(f"note: {line}", MORNING).hours == hours


def test_a_customer_is_found_in_any_spelling_but_for_one_that_is_a_word() -> None:
    assert capture("missed: acme delivery late", MORNING, ["ACME"]).customer == "ACME"
    assert capture("missed: aok waits", MORNING, ["AOK"]).customer == "AOK"
    assert capture("missed: told them it is on its way", MORNING, ["IT"]).customer is None
    assert capture("missed: IT waits for the list", MORNING, ["IT"]).customer == "IT"
