"""Something to do today by mail: at the hour, on working days, once, and nothing private in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from wellserved.actions import claims, outgoing, prompt_mail, prompts, sharing, weekly_mail, worker
from wellserved.actions.mail_settings import MailSettings, mail_file, save_settings
from wellserved.actions.prompt_mail import ask_for_prompts, queue_due_prompts
from wellserved.improvement import IMPROVEMENTS_FILE, Improvement, declare, record_look
from wellserved.people.prompts import PROMPT_RULES
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Outgoing, Person, Unsubscription

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
TUESDAY = datetime(2026, 12, 15, 7, 5, tzinfo=UTC)  # 8:05 in Berlin


@pytest.fixture
def sender(place: Workspace) -> Iterator[MailSettings]:
    """The house has a way to send mails; nothing here hands one over."""
    settings = MailSettings("127.0.0.1", "Service <service@example.org>", url="https://service.example.org")
    save_settings(place, settings)
    yield settings
    mail_file(place).unlink()


@pytest.fixture
def kim(staff: House, sender: MailSettings) -> Person:
    """Kim asks for it at eight."""
    Person.objects.filter(pk=staff.kim.pk).update(prompt_mail_at=time(8), email="kim@example.org")
    return Person.objects.get(pk=staff.kim.pk)


def _promise(person: Person, due: datetime, customer: str = "Acme") -> None:
    facts = {"word": "promise", "text": "the secret draft", "customer": customer, "due": due.isoformat()}
    sharing.share(person, facts, TUESDAY - timedelta(days=1), "team")


def open_words(person: Person, place: Workspace, now: datetime) -> list[str]:
    """What waits by what is nobody's secret, in words."""
    situation = prompts.shared_situation(place, AccessScope(person), now)
    return [prompt.words for rule in PROMPT_RULES for prompt in rule.prompts(situation)]


def _letters(place: Workspace) -> list[str]:
    """What would leave, as it would be handed over."""
    letters: list[str] = []
    Outgoing.objects.update(not_after=None)  # whatever the time is now
    outgoing.deliver_due(
        place,
        timezone.now() + timedelta(days=900),
        lambda _sender, _to, content, _note: letters.append(content.decode()),
    )
    return letters


def test_it_says_what_waits_and_neither_whose_nor_what(kim: Person, place: Workspace) -> None:
    _promise(kim, TUESDAY + timedelta(hours=5))
    assert queue_due_prompts(place, TUESDAY) == 1
    (row,) = Outgoing.objects.all()
    assert (row.owner, row.address, row.period, row.is_automatic) == (kim, "kim@example.org", "2026-12-15", True)
    (letter,) = _letters(place)
    assert "Subject: Something to do today" in letter
    assert "What waits for you: a promise that is due within a day." in letter
    assert "https://service.example.org/prompt" in letter
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in letter
    for private in ("Acme", "secret draft"):
        assert private not in letter


def test_the_journal_is_not_opened_for_it(kim: Person, place: Workspace) -> None:
    book(kim).write({"word": "missed", "line": "missed: something private"}, at=TUESDAY - timedelta(days=9))
    book(kim).write({"word": "promise", "line": "x", "due": (TUESDAY + timedelta(hours=3)).isoformat()})
    assert prompts.todays_prompt(place, AccessScope(kim), book(kim), TUESDAY) is not None
    assert queue_due_prompts(place, TUESDAY) == 0


@pytest.mark.parametrize(
    ("now", "count"),
    [
        (TUESDAY, 1),
        (TUESDAY - timedelta(minutes=6), 0),  # before the hour
        (TUESDAY + timedelta(minutes=114), 1),
        (TUESDAY + timedelta(hours=3), 0),  # the hour has passed: it is left out, not caught up
        (TUESDAY - timedelta(days=2), 0),  # a Sunday
        (TUESDAY + timedelta(days=4), 0),  # a Saturday
        (TUESDAY + timedelta(hours=1, minutes=55), 1),  # ten
        (TUESDAY + timedelta(hours=1, minutes=56), 0),
    ],
)
def test_it_comes_at_the_hour_that_was_asked_for_on_working_days(
    kim: Person, place: Workspace, now: datetime, count: int
) -> None:
    _promise(kim, now + timedelta(hours=5))
    assert queue_due_prompts(place, now) == count


def test_it_comes_once_a_day_and_what_was_told_rests(kim: Person, place: Workspace) -> None:
    _promise(kim, TUESDAY + timedelta(hours=20))
    assert queue_due_prompts(place, TUESDAY) == 1
    assert [queue_due_prompts(place, TUESDAY + timedelta(minutes=minutes)) for minutes in (1, 60)] == [0, 0]
    assert queue_due_prompts(place, TUESDAY + timedelta(hours=24)) == 0  # the very promise is not told again
    _promise(kim, TUESDAY + timedelta(hours=30))
    assert queue_due_prompts(place, TUESDAY + timedelta(hours=24)) == 1


def test_what_was_done_on_the_page_is_not_told_by_mail_and_the_mail_takes_no_prompt_from_the_page(
    kim: Person, place: Workspace
) -> None:
    _promise(kim, TUESDAY + timedelta(hours=5))
    book(kim).write(
        {"word": "promise", "text": "private", "line": "x", "due": (TUESDAY + timedelta(hours=1)).isoformat()}
    )
    assert queue_due_prompts(place, TUESDAY) == 1
    shown = prompts.todays_prompt(place, AccessScope(kim), book(kim), TUESDAY)
    assert shown is not None
    assert "private" in shown.words  # the more urgent one, though the mail told of another
    Outgoing.objects.all().delete()
    prompts.answer_prompt(kim.pk, shown.rule, shown.subject, "silenced", TUESDAY.date())
    _promise(kim, TUESDAY + timedelta(hours=28))
    assert queue_due_prompts(place, TUESDAY + timedelta(days=1)) == 0


def test_the_hour_may_be_just_before_midnight(kim: Person, place: Workspace) -> None:
    Person.objects.filter(pk=kim.pk).update(prompt_mail_at=time(23, 30))
    _promise(kim, TUESDAY + timedelta(hours=30))
    midnight = datetime(2026, 12, 16, 0, 10, tzinfo=UTC) - timedelta(hours=1)  # 0:10 on Wednesday in Berlin
    assert queue_due_prompts(place, midnight) == 1
    assert Outgoing.objects.get().period == "2026-12-15"


def test_what_did_not_leave_in_its_hours_is_not_sent_later(kim: Person, place: Workspace) -> None:
    _promise(kim, TUESDAY + timedelta(hours=5))
    queue_due_prompts(place, TUESDAY)
    Outgoing.objects.update(not_after=timezone.now() - timedelta(minutes=1))
    sent: list[str] = []
    outgoing.deliver_due(
        place, timezone.now() + timedelta(days=900), lambda _sender, to, _content, _note: sent.append(to)
    )
    assert sent == []
    row = Outgoing.objects.get()
    assert (row.state, bytes(row.content), row.reason) == ("cancelled", b"", "Its hour was over.")


def test_another_address_gets_no_second_one_on_the_day(kim: Person, place: Workspace) -> None:
    _promise(kim, TUESDAY + timedelta(hours=5))
    assert queue_due_prompts(place, TUESDAY) == 1
    Person.objects.filter(pk=kim.pk).update(email="other@example.org")
    _promise(kim, TUESDAY + timedelta(hours=6))
    assert queue_due_prompts(place, TUESDAY + timedelta(minutes=10)) == 0


def test_an_address_that_cannot_be_keeps_nobody_elses_mail(staff: House, kim: Person, place: Workspace) -> None:
    Person.objects.filter(pk=staff.peer.pk).update(prompt_mail_at=time(8), email="peer@exämple.org")
    for person in (staff.peer, kim):
        _promise(person, TUESDAY + timedelta(hours=5))
    assert queue_due_prompts(place, TUESDAY) == 1
    assert Outgoing.objects.get().owner == kim


def test_what_the_page_showed_before_rests_in_the_mail_too(kim: Person, place: Workspace) -> None:
    _promise(kim, TUESDAY + timedelta(hours=5))
    monday_evening = TUESDAY - timedelta(hours=13)
    assert prompts.todays_prompt(place, AccessScope(kim), book(kim), monday_evening) is not None
    assert queue_due_prompts(place, TUESDAY) == 0


def test_the_worker_looks_for_prompts_once_in_five_minutes(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, rounds, looks = threading.Event(), [], []

    def send(_workspace: Workspace) -> None:
        rounds.append(1)
        if len(rounds) == 6:
            stop.set()

    monkeypatch.setattr(worker, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(worker, "send_mails", send)
    monkeypatch.setattr(prompt_mail, "queue_due_prompts", lambda _workspace, _now: looks.append(1))
    monkeypatch.setattr(claims, "refresh_outdated_claims", lambda _workspace: None)
    worker.run_errands(place, stop)
    assert (len(rounds), len(looks)) == (6, 1)


def test_whoever_stopped_it_left_or_has_no_address_gets_none(kim: Person, place: Workspace) -> None:
    _promise(kim, TUESDAY + timedelta(hours=5))
    Person.objects.filter(pk=kim.pk).update(email="")
    assert queue_due_prompts(place, TUESDAY) == 0
    Person.objects.filter(pk=kim.pk).update(email="kim@example.org", is_active=False)
    assert queue_due_prompts(place, TUESDAY) == 0
    Person.objects.filter(pk=kim.pk).update(is_active=True)
    assert queue_due_prompts(place, TUESDAY) == 1
    outgoing.stop_mails(Unsubscription.objects.get(owner=kim))
    kim.refresh_from_db()
    assert kim.prompt_mail_at is None  # and the page says so
    _promise(kim, TUESDAY + timedelta(hours=30))
    assert queue_due_prompts(place, TUESDAY + timedelta(days=1)) == 0
    Person.objects.filter(pk=kim.pk).update(prompt_mail_at=time(8))
    ask_for_prompts(Person.objects.get(pk=kim.pk))
    assert queue_due_prompts(place, TUESDAY + timedelta(days=1)) == 1


def test_it_is_asked_for_on_ones_own_page_where_it_can_be_stopped(staff: House, as_: As, place: Workspace) -> None:
    client, facts = as_(staff.peer), {"first_name": "P", "email": "", "prompt_mail_at": "08:30"}
    assert "Where should the mail go?" in client.post("/me/", facts).content.decode()
    facts["email"] = "peer@example.org"
    assert "Mails are not set up here." in client.post("/me/", facts).content.decode()
    assert (
        "letters that not every mail server"
        in client.post("/me/", {**facts, "email": "p@exämple.org"}).content.decode()
    )
    save_settings(place, MailSettings("127.0.0.1", "service@example.org", url="https://service.example.org"))
    try:
        assert client.post("/me/", facts).status_code == 302
        assert client.post("/me/", {**facts, "prompt_mail_at": "25:00"}).status_code == 200
    finally:
        mail_file(place).unlink()
    staff.peer.refresh_from_db()
    assert staff.peer.prompt_mail_at == time(8, 30)


def test_a_week_that_is_stopped_stops_no_prompt_and_a_prompt_is_no_week(kim: Person, place: Workspace, as_: As) -> None:
    _promise(kim, TUESDAY + timedelta(hours=5))
    queue_due_prompts(place, TUESDAY)
    assert weekly_mail.stop_schedule(kim) == 0
    assert as_(kim).post(f"/reports/mail/{Outgoing.objects.get().pk}", {"do": "cancel"}).status_code == 404


def test_the_tip_of_the_month_is_what_others_proved_in_its_first_week_alone(kim: Person, place: Workspace) -> None:
    now = datetime(2026, 12, 2, 7, 5, tzinfo=UTC)
    file = place.folder / IMPROVEMENTS_FILE
    before = file.read_bytes() if file.exists() else None
    other_words = open_words(kim, place, now)
    declaration = Improvement(
        "labels-first", "Labels are printed first", "2026-01-05", "time_to_resolution", who="somebody"
    )
    declare(place, declaration, now - timedelta(days=300))
    record_look(place, "labels-first", {"status": "improved"}, now - timedelta(days=20))
    try:
        assert open_words(kim, place, now) == [
            "Tip of the month, proved here: Labels are printed first. Would it help you too?"
        ]
        assert open_words(kim, place, now + timedelta(days=6)) == []
        Person.objects.filter(pk=kim.pk).update(served_as="somebody")
        assert open_words(Person.objects.get(pk=kim.pk), place, now) == []  # one's own is no tip
        record_look(place, "labels-first", {"status": "no_change"}, now - timedelta(days=1))
        Person.objects.filter(pk=kim.pk).update(served_as="person-kim")
        assert open_words(kim, place, now) == other_words  # a later look took it back
    finally:
        file.unlink() if before is None else file.write_bytes(before)
