"""The week by mail, through a real mail server on loopback: each report once, whatever the server does and whoever is killed."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.test import Client
from django.utils import timezone

from tests.web.conftest import House, book
from tests.web.mail_server import PASSWORD, USER
from tests.web.test_house import free_port
from wellserved.actions import outgoing, sharing, weekly_mail
from wellserved.actions.mail_settings import MailSettings, check_address, load_settings, mail_file, save_settings
from wellserved.actions.week_page import WrittenReport
from wellserved.errors import RequestError
from wellserved.journal import crypto
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import MailState, Outgoing, Person, Unsubscription, WeeklyMail

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
KILLS = 200
WEEK = "2026-W48"
URL = "https://service.example.org"


def write_certificate(folder: Path) -> None:
    """A certificate of this computer, which its users are told to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailSettings, Path]]:
    """A mail server, how to reach it, and the folder with what it took."""
    folder, port = tmp_path_factory.mktemp("mail"), free_port()
    write_certificate(folder)
    command = [sys.executable, "-m", "tests.web.mail_server", str(port), str(folder)]
    with subprocess.Popen(command) as server:
        for _wait in range(300):
            if (folder / "ready").exists():
                break
            time.sleep(0.05)
        sender = MailSettings(
            "127.0.0.1", "Service <service@example.org>", port, "starttls", USER.decode(), PASSWORD.decode(), URL
        )
        yield sender, folder
        server.kill()


@pytest.fixture
def sender(
    post: tuple[MailSettings, Path], place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailSettings]:
    """The house sends by that server."""
    monkeypatch.setenv("SSL_CERT_FILE", str(post[1] / "certificate.pem"))
    monkeypatch.setattr("wellserved.actions.smtp.SMTP_TIMEOUT", 1.0)
    for file in post[1].glob("*.eml"):
        file.unlink()
    save_settings(place, post[0])
    yield post[0]
    mail_file(place).unlink()


def arrived(post: tuple[MailSettings, Path]) -> list[EmailMessage]:
    return [email.message_from_bytes(file.read_bytes(), policy=default) for file in sorted(post[1].glob("*.eml"))]


REPORT = WrittenReport(
    "Week 48",
    "Kim",
    "What went wrong\n- Acme waited\n.\n.. dots\n\nThe last eight weeks\n- failures: 3, 2, 0, 1, 4, 2, 1, 0\n",
)


def queue(person: Person, sender: MailSettings, *addresses: str) -> list[Outgoing]:
    mail = weekly_mail.prepare_week(REPORT, True, WEEK)
    rows = [outgoing.queue_mail(person, WEEK, address, mail, sender, timezone.now(), True) for address in addresses]
    return [row for row in rows if row is not None]


def states(person: Person) -> dict[str, str]:
    return dict(Outgoing.objects.filter(owner=person).values_list("address", "state"))


def test_a_mail_leaves_once_with_all_that_its_reader_needs(
    staff: House, sender: MailSettings, post: tuple[MailSettings, Path], place: Workspace
) -> None:
    staff.kim.email = "kim@example.org"
    staff.kim.save()
    [row] = queue(staff.kim, sender, "Boss@example.org")
    assert queue(staff.kim, sender, "Boss@example.org") == []  # a week goes to a reader once
    assert b"Acme" not in bytes(row.content)
    assert outgoing.deliver_due(place, timezone.now()) == 1
    assert outgoing.deliver_due(place, timezone.now()) == 0
    [mail] = arrived(post)
    assert (mail["To"], mail["From"], mail["Reply-To"]) == (
        "Boss@example.org",
        "Service <service@example.org>",
        "kim@example.org",
    )
    assert mail["Message-ID"] == f"<{row.id}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stop = re.fullmatch(rf"<({URL}/u/[\w-]{{22}})>", mail["List-Unsubscribe"])
    assert stop is not None
    raw = next(post[1].glob("*.eml")).read_bytes()
    assert re.search(rb"^List-Unsubscribe: <https://\S+>\r$", raw, re.MULTILINE), "the header stands on one line"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert [part.get_content_type() for part in mail.walk()][2:4] == ["text/plain", "text/html"]
    assert "Acme waited\n.\n.. dots\n" in text.get_content().replace("\r", "")
    assert stop[1] in text.get_content()
    assert html.get_content().count("background:#1f5fa8") == 8
    for outside in ("<img", "<script", "<link", "http-equiv", "src="):
        assert outside not in html.get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == [f"report-{WEEK}.pdf"]
    row.refresh_from_db()
    assert (row.state, bytes(row.content)) == ("sent", b"")


def test_whatever_the_server_says_a_mail_is_tried_again_or_said(
    staff: House, sender: MailSettings, post: tuple[MailSettings, Path], place: Workspace
) -> None:
    names = ("greylisted", "busy", "unknown", "spam", "hanging", "dropping", "plain")
    queue(staff.kim, sender, *(f"{name}@example.org" for name in names))
    now = timezone.now()
    assert outgoing.deliver_due(place, now) == len(names)
    found = {address.partition("@")[0]: state for address, state in states(staff.kim).items()}
    assert found == {
        "greylisted": "queued", "busy": "queued", "hanging": "queued", "unknown": "failed", "spam": "failed", "dropping": "uncertain", "plain": "sent",
    }  # fmt: skip
    reasons = dict(Outgoing.objects.values_list("address", "reason"))
    assert "450: 4.7.1 Greylisted" in reasons["greylisted@example.org"]
    assert "550: 5.1.1 No such user" in reasons["unknown@example.org"]
    assert "may have arrived" in reasons["dropping@example.org"]
    assert outgoing.deliver_due(place, now + timedelta(seconds=30)) == 0  # not yet
    for minutes in (2, 10, 60, 300):
        outgoing.deliver_due(place, now + timedelta(minutes=minutes))
    found = {address.partition("@")[0]: state for address, state in states(staff.kim).items()}
    assert found == {
        "greylisted": "sent", "busy": "sent", "hanging": "failed", "unknown": "failed", "spam": "failed", "dropping": "uncertain", "plain": "sent",
    }  # fmt: skip
    assert Counter(mail["To"] for mail in arrived(post)) == {
        f"{name}@example.org": 1 for name in ("greylisted", "busy", "dropping", "plain")
    }


def test_a_house_that_is_not_reached_loses_no_mail(
    staff: House,
    sender: MailSettings,
    post: tuple[MailSettings, Path],
    place: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    queue(staff.kim, sender, "boss@example.org")
    now = timezone.now()
    for bad in (replace(sender, port=free_port()), replace(sender, password="wrong")):
        save_settings(place, bad)
        outgoing.deliver_due(place, now)
        assert states(staff.kim) == {"boss@example.org": "queued"}
        now += timedelta(minutes=40)
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")  # a certificate that nobody vouches for
    save_settings(place, sender)
    outgoing.deliver_due(place, now)
    assert states(staff.kim) == {"boss@example.org": "queued"}
    assert arrived(post) == []
    monkeypatch.setenv("SSL_CERT_FILE", str(post[1] / "certificate.pem"))
    outgoing.deliver_due(place, now + timedelta(hours=3))
    assert states(staff.kim) == {"boss@example.org": "sent"}


def test_two_hundred_kills_double_nothing_and_lose_nothing(tmp_path: Path, post: tuple[MailSettings, Path]) -> None:
    for file in post[1].glob("*.eml"):
        file.unlink()
    save_settings(create_workspace(tmp_path / "w", "UTC"), post[0])
    env = {**os.environ, "WELLSERVED_HOME": str(tmp_path / "w"), "SSL_CERT_FILE": str(post[1] / "certificate.pem")}
    env.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "tests.web.mail_killing", str(KILLS)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    counts = Counter(str(mail["Message-ID"])[1:].partition("@")[0] for mail in arrived(post))
    assert told["killed"] == KILLS
    assert len(told["states"]) >= 60
    assert max(counts.values()) == 1, "none twice"
    for mail_id, state in told["states"].items():
        assert counts[mail_id] == 1 if state == "sent" else state == "uncertain", (mail_id, state)
    found = Counter(told["states"].values())
    assert found["sent"] > 20, found
    assert found["uncertain"] < KILLS / 2  # met while they were handed over, and that is said
    assert set(counts) <= set(told["states"])


def test_a_reader_stops_the_mails_with_one_click_and_a_scanner_does_not(
    staff: House, sender: MailSettings, post: tuple[MailSettings, Path], place: Workspace
) -> None:
    queue(staff.kim, sender, "boss@example.org")
    queue(staff.peer, sender, "boss@example.org")
    outgoing.deliver_due(place, timezone.now())
    mails = {str(mail["Message-ID"]): mail for mail in arrived(post)}
    own = str(Outgoing.objects.get(owner=staff.kim).id)
    stop = str(mails[f"<{own}@example.org>"]["List-Unsubscribe"])[1:-1].removeprefix(URL)
    stranger = Client(enforce_csrf_checks=True)
    assert "Stop these mails?" in stranger.get(stop).content.decode()
    assert stranger.head(stop).status_code == 200
    assert not outgoing.is_stopped(staff.kim, "boss@example.org")
    for _again in range(2):
        answer = stranger.post(stop, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
        assert (answer.status_code, "Stopped" in answer.content.decode()) == (200, True)
    assert stranger.post("/u/" + "x" * 22).status_code == 404
    assert outgoing.is_stopped(staff.kim, "BOSS@example.org")
    assert not outgoing.is_stopped(staff.peer, "boss@example.org")
    sent = weekly_mail.send_week(staff.kim, "2026-W47", "text", ["boss@example.org"], False, timezone.now())
    assert sent == (0, ["boss@example.org has stopped your mails."])
    mail = weekly_mail.prepare_week(REPORT, False, "2026-W46")
    row = outgoing.queue_mail(staff.kim, "2026-W46", "boss@example.org", mail, sender, timezone.now(), True)
    outgoing.deliver_due(place, timezone.now())
    assert row is not None
    row.refresh_from_db()
    assert row.state == MailState.stopped


def schedule(person: Person, begins: datetime, **facts: Any) -> WeeklyMail:
    given = {
        "recipients": "boss@example.org",
        "weekday": 4,
        "at": clock(15),
        "by_itself": True,
        "begins": begins,
    } | facts
    return WeeklyMail.objects.create(owner=person, **given)


def test_the_newest_week_leaves_by_itself_once_and_tells_what_was_shared_alone(
    staff: House, sender: MailSettings, post: tuple[MailSettings, Path], place: Workspace
) -> None:
    friday = datetime(2026, 11, 27, 14, 5, tzinfo=UTC)  # 15:05 in Berlin
    schedule(staff.kim, friday - timedelta(days=60))
    book(staff.kim).write({"word": "missed", "text": "a private shame"}, at=friday - timedelta(days=1))
    sharing.share(staff.kim, {"word": "missed", "text": "the badge was late"}, friday - timedelta(days=2))
    sharing.share(staff.peer, {"word": "missed", "text": "somebody else's failure"}, friday - timedelta(days=2))
    assert weekly_mail.queue_due_weeks(place, friday) == 1
    for later in (timedelta(0), timedelta(hours=5), timedelta(days=3)):
        assert weekly_mail.queue_due_weeks(place, friday + later) == 0
    outgoing.deliver_due(place, timezone.now() + timedelta(days=1))
    [mail] = arrived(post)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "the badge was late" in body.get_content()
    assert "private shame" not in mail.as_string()
    assert "somebody else" not in mail.as_string()
    assert "Seven days to 27 Nov 2026, 15:00" in str(mail["Subject"])


def test_after_weeks_in_which_nothing_ran_the_newest_alone_is_sent(
    staff: House, sender: MailSettings, place: Workspace
) -> None:
    monday = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
    schedule(staff.kim, monday - timedelta(days=60))
    for back in range(5):
        sharing.share(staff.kim, {"word": "missed", "text": f"week {back}"}, monday - timedelta(days=4 + 7 * back))
    assert weekly_mail.queue_due_weeks(place, monday) == 1
    assert list(Outgoing.objects.values_list("period", flat=True)) == ["2026-W48"]
    assert weekly_mail.queue_due_weeks(place, monday + timedelta(hours=1)) == 0


def test_what_its_author_has_sent_goes_to_the_other_readers_alone(
    staff: House, sender: MailSettings, place: Workspace
) -> None:
    friday = datetime(2026, 11, 27, 14, 5, tzinfo=UTC)
    schedule(staff.kim, friday - timedelta(days=60), recipients="boss@example.org\nother@example.org")
    sharing.share(staff.kim, {"word": "missed", "text": "late"}, friday - timedelta(days=2))
    assert weekly_mail.send_week(staff.kim, "2026-W48", "my own words", ["Other@example.org"], False, friday) == (1, [])
    assert weekly_mail.queue_due_weeks(place, friday) == 1
    assert set(Outgoing.objects.values_list("address", "is_automatic")) == {
        ("Other@example.org", False),
        ("boss@example.org", True),
    }
    count, [told] = weekly_mail.send_week(staff.kim, "2026-W48", "again", ["OTHER@example.org"], False, friday)
    assert (count, "already: waits" in told) == (0, True)


def test_what_was_taken_back_stays_so_and_an_empty_week_is_over(
    staff: House, sender: MailSettings, place: Workspace
) -> None:
    friday = datetime(2026, 11, 27, 14, 5, tzinfo=UTC)
    schedule(staff.kim, friday - timedelta(days=60))
    schedule(staff.peer, friday - timedelta(days=60))
    sharing.share(staff.kim, {"word": "missed", "text": "late"}, friday - timedelta(days=2))
    assert weekly_mail.queue_due_weeks(place, friday) == 1
    outgoing.cancel_mail(staff.kim, Outgoing.objects.get())
    sharing.share(staff.peer, {"word": "missed", "text": "shared on Tuesday"}, friday + timedelta(days=4))
    sharing.share(staff.peer, {"word": "missed", "text": "of Wednesday"}, friday - timedelta(days=2))
    assert weekly_mail.queue_due_weeks(place, friday + timedelta(days=4)) == 0
    assert states(staff.kim) == {"boss@example.org": "cancelled"}
    assert weekly_mail.send_week(staff.kim, "2026-W48", "after all", ["boss@example.org"], False, friday) == (1, [])
    assert weekly_mail.stop_schedule(staff.kim) == 0  # what was sent by hand stays
    assert states(staff.kim) == {"boss@example.org": "queued"}


def test_nothing_falls_between_two_mails(staff: House, sender: MailSettings, place: Workspace) -> None:
    friday = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
    schedule(staff.kim, friday - timedelta(days=60))
    for hours in range(-100, 200, 7):
        sharing.share(staff.kim, {"word": "exceeded", "text": f"hour {hours:+}"}, friday + timedelta(hours=hours))
    texts = []
    for week in range(3):
        weekly_mail.queue_due_weeks(place, friday + timedelta(days=7 * week))
    for row in Outgoing.objects.order_by("created"):
        texts.append(crypto.reveal(outgoing._key(), outgoing._bound_to(row), bytes(row.content)).decode())
    for hours in range(-100, 200, 7):
        mails = [text for text in texts if f"hour {hours:+}\r" in text]
        assert len(mails) == 1, hours


def test_of_two_who_send_one_sends(
    staff: House, sender: MailSettings, place: Workspace, post: tuple[MailSettings, Path]
) -> None:
    queue(staff.kim, sender, "boss@example.org")
    now, sent = timezone.now(), []

    def slow(_sender: MailSettings, address: str, _content: bytes, note: Callable[[], None]) -> None:
        outgoing.deliver_due(place, now + timedelta(minutes=10))  # another, once the lease is over
        note()
        sent.append(address)

    outgoing.deliver_due(place, now, slow)
    assert sent == []
    assert len(arrived(post)) == 1
    assert states(staff.kim) == {"boss@example.org": "sent"}


def test_one_plan_that_fails_keeps_no_other_mail(staff: House, sender: MailSettings, place: Workspace) -> None:
    friday = datetime(2026, 11, 27, 14, 5, tzinfo=UTC)
    schedule(staff.kim, friday - timedelta(days=60), recipients="no address")
    schedule(staff.peer, friday - timedelta(days=60))
    for person in (staff.kim, staff.peer):
        sharing.share(person, {"word": "missed", "text": "late"}, friday - timedelta(days=2))
    assert weekly_mail.queue_due_weeks(place, friday) == 1
    assert WeeklyMail.objects.get(owner=staff.kim).handled is not None  # it is said once, not every two seconds

    def broken(*_: Any) -> None:
        raise UnicodeEncodeError("ascii", "ö", 0, 1, "no")

    outgoing.deliver_due(place, friday + timedelta(days=9), broken)
    row = Outgoing.objects.get()
    assert (row.state, row.tries) == ("queued", 1)


def test_the_week_of_a_schedule_is_the_one_that_is_over_or_nearly(staff: House) -> None:
    plan = WeeklyMail(owner=staff.kim, weekday=0, at=clock(8))
    now = datetime(2026, 11, 30, 9, tzinfo=UTC)
    assert weekly_mail.week_of(weekly_mail.last_due(plan, now)) == "2026-W48"
    plan.weekday = 4
    assert weekly_mail.week_of(weekly_mail.last_due(plan, now)) == "2026-W48"
    assert weekly_mail.last_due(plan, now).isoformat() == "2026-11-27T08:00:00+01:00"
    summer = datetime(2026, 10, 26, 12, tzinfo=UTC)  # the clocks went back the day before
    assert weekly_mail.last_due(plan, summer).isoformat() == "2026-10-23T08:00:00+02:00"


def test_a_lead_sends_what_the_team_shared_and_a_member_does_not(
    staff: House, as_: As, sender: MailSettings, place: Workspace
) -> None:
    from wellserved.actions.team_week import draft_shared_week

    monday = timezone.localtime(datetime(2026, 11, 23, 12, tzinfo=UTC)).replace(hour=0)
    sharing.share(staff.peer, {"word": "missed", "text": "the badge was late"}, monday + timedelta(days=1))
    promised = {"word": "promise", "text": "PEER-SECRET", "due": (monday + timedelta(days=2)).isoformat()}
    sharing.share(staff.peer, promised, monday + timedelta(days=1))
    sharing.share(
        staff.peer, {"word": "missed", "text": "for my lead alone"}, monday + timedelta(days=1), audience="lead"
    )
    sunday = monday + timedelta(days=7)
    of_lead = draft_shared_week(AccessScope(staff.lead), monday, sunday, True)
    assert "the badge was late" in of_lead
    assert "for my lead alone" not in of_lead
    for other in (staff.kim, staff.foreign, staff.quality):
        assert "PEER" not in draft_shared_week(AccessScope(other), monday, sunday, True)
        assert "badge" not in draft_shared_week(AccessScope(other), monday, sunday, True)
    week = f"/reports/{monday:%G}-W{monday:%V}/?of=team"
    assert "the badge was late" in as_(staff.lead).get(week).content.decode()
    assert "badge" not in as_(staff.kim).get(week).content.decode()
    facts = {"recipients": "boss@example.org", "weekday": 4, "at": "15:00", "by_itself": False, "with_pdf": False}
    with pytest.raises(RequestError, match="leads a team"):
        weekly_mail.keep_schedule(staff.kim, covers_team=True, **facts)  # type: ignore[arg-type]
    assert weekly_mail.keep_schedule(staff.lead, covers_team=True, **facts).covers_team  # type: ignore[arg-type]


def test_settings_that_would_tell_a_password_are_refused(place: Workspace, sender: MailSettings) -> None:
    from dataclasses import replace

    assert mail_file(place).stat().st_mode & 0o077 == 0
    assert load_settings(place) == sender
    for bad in (
        replace(sender, security="none", host="mail.example.org"), replace(sender, sender="nobody"), replace(sender, port=0),
        replace(sender, url="http://service.example.org"), replace(sender, url="https://" + "x" * 40),
    ):  # fmt: skip
        with pytest.raises(RequestError):
            save_settings(place, bad)
    for address in ("jörg@example.org", "a@b\nBcc: c@d", "a b@c", "@x", "a@", "Kim <kim@x>", "a@b,c@d", ""):
        with pytest.raises(RequestError):
            check_address(address)
    outgoing.send_test_mail(sender, "boss@example.org")
    with pytest.raises(RequestError, match="550"):
        outgoing.send_test_mail(sender, "unknown@example.org")


def test_from_the_page_a_week_is_sent_and_said_what_became_of_it(
    staff: House, as_: As, sender: MailSettings, post: tuple[MailSettings, Path], place: Workspace
) -> None:
    client = as_(staff.kim)
    client.post(f"/reports/{WEEK}/", {"text": "What went well\n- The shelf is up\n"})
    assert "Send it" in client.get(f"/reports/{WEEK}/").content.decode()
    seen = {
        "text": "What went well\n- The shelf is up, and so am I\n",
        "recipients": "boss@example.org",
        "with_pdf": "on",
    }
    book(staff.kim).write({"word": "self", "text": "MY-PRIVATE-THOUGHT"}, at=datetime(2026, 11, 26, 9, tzinfo=UTC))
    client.post(f"/reports/{WEEK}/send", seen)
    assert client.post(f"/reports/{WEEK}/send", {"recipients": "boss@example.org", "text": " "}).status_code == 422
    assert "waits" in client.get(f"/reports/{WEEK}/").content.decode()
    outgoing.deliver_due(place, timezone.now())
    [mail] = arrived(post)
    assert "The shelf is up, and so am I" in mail.as_string()  # as it stood before its author
    assert "PRIVATE" not in mail.as_string()
    assert "Auto-Submitted" not in mail
    assert ">sent<" in client.get(f"/reports/{WEEK}/").content.decode()
    row = Outgoing.objects.get()
    assert as_(staff.peer).post(f"/reports/mail/{row.id}", {"do": "cancel"}).status_code == 404
    told = client.post(f"/reports/{WEEK}/send", {"recipients": "boss@example.org\nnot an address", "text": "x"})
    assert "no mail address" in told.content.decode()
    page = client.post("/reports/mail", {"recipients": "boss@example.org", "weekday": "4", "at": "15:00"})
    assert page.status_code == 302
    assert WeeklyMail.objects.get(owner=staff.kim).recipients == "boss@example.org"
    due = timezone.localtime() - timedelta(minutes=1)
    WeeklyMail.objects.update(begins=due - timedelta(days=14), weekday=due.weekday(), at=due.time())
    Outgoing.objects.all().delete()
    assert "waits to be looked through" in client.get("/").content.decode()
    due_week = weekly_mail.waits_to_be_sent(staff.kim, timezone.now())
    weekly_mail.send_week(staff.kim, due_week, "text", ["somebody@example.org"], False, timezone.now())
    assert weekly_mail.waits_to_be_sent(staff.kim, timezone.now()) == due_week  # its reader has none yet
    weekly_mail.send_week(staff.kim, due_week, "text", ["boss@example.org"], False, timezone.now())
    assert weekly_mail.waits_to_be_sent(staff.kim, timezone.now()) == ""
    client.post("/reports/mail", {"do": "stop"})
    assert not WeeklyMail.objects.exists()


def test_no_mail_server_no_form(staff: House, as_: As) -> None:
    assert load_settings(settings.WORKSPACE) is None
    assert "Send it" not in as_(staff.kim).get(f"/reports/{WEEK}/").content.decode()
    with pytest.raises(RequestError, match="wellserved mail setup"):
        weekly_mail.send_week(staff.kim, WEEK, "text", ["boss@example.org"], False, timezone.now())
    assert not Unsubscription.objects.exists()
