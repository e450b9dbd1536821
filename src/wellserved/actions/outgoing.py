"""Mails on their way: each leaves once. What was interrupted while it was handed over is said, and not sent again by itself.

queued -> connecting -> handing_over -> sent. Whoever is killed while connecting has handed over nothing, and the mail is tried
again; whoever is killed while handing over may have: the mail is `uncertain` from then on, and its owner decides.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

from django.conf import settings as django_settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from wellserved.actions.mail_settings import MailSettings, check_address, load_settings
from wellserved.actions.smtp import MailNotTakenError, MailUncertainError, hand_over
from wellserved.errors import RequestError
from wellserved.journal import crypto
from wellserved.storage.workspace import Workspace
from wellserved.store.models import MailState, Outgoing, Person, Unsubscription, token_digest

BACK_OFF_MINUTES: Final = (1, 5, 30, 120)  # after the first, second ... try that failed
LEASE: Final = timedelta(minutes=5)  # after which whoever was sending is taken for dead
END_LEASE: Final = timedelta(minutes=15)  # the same once the end was sent: servers may think for ten minutes
CONTENT_KEPT: Final = timedelta(days=14)  # of a mail that did not leave
_NOT_LEFT: Final = (MailState.failed, MailState.stopped, MailState.cancelled)
HandOver = Callable[[MailSettings, str, bytes, Callable[[], None]], None]


@dataclass(frozen=True)
class PreparedMail:
    """A mail that is ready, but for whom it goes to and how its reader stops it."""

    subject: str
    text: str
    html: str
    attachments: tuple[tuple[str, str, bytes], ...] = ()  # name, media type, content
    not_after: datetime | None = None  # when it is worth nothing any more


def queue_mail(
    owner: Person,
    period: str,
    address: str,
    mail: PreparedMail,
    sender: MailSettings,
    run_at: datetime,
    is_automatic: bool,
) -> Outgoing | None:
    """Put a mail to one reader on its way, in place of one that did not leave; None: there is one of that period already."""
    address = check_address(address)
    row = Outgoing(
        owner=owner, period=period, address=address, reader=address.casefold(), is_automatic=is_automatic, run_at=run_at,
        not_after=mail.not_after,
    )  # fmt: skip
    earlier = Outgoing.objects.filter(owner=owner, period=period, reader=row.reader, state__in=_NOT_LEFT)
    try:
        with transaction.atomic():
            earlier.delete()
            stop_address = f"{sender.url}/u/{_stop_token(row)}" if sender.url else ""
            message = _message(row, mail, sender, stop_address)
            row.content = crypto.seal(_key(), b"", _bound_to(row), message.as_bytes(policy=SMTP))
            row.save(force_insert=True)
    except IntegrityError:
        return None
    return row


def _key() -> bytes:
    """What mails are sealed by while they wait: from the workspace's secret."""
    return crypto.mail_key(django_settings.SECRET_KEY.encode())


def _bound_to(row: Outgoing) -> bytes:
    return f"mail {row.id}".encode()


def _message(row: Outgoing, mail: PreparedMail, sender: MailSettings, stop_address: str) -> EmailMessage:
    """The whole mail: text first, the page beside it, nothing that is loaded from elsewhere."""
    message = EmailMessage()
    message["From"], message["To"] = sender.sender, row.address
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = timezone.now()
    message["Message-ID"] = f"<{row.id}@{sender.domain}>"
    if row.owner.email:
        message["Reply-To"] = row.owner.email
    if row.is_automatic:
        message["Auto-Submitted"] = "auto-generated"
    text, link = mail.text, ""
    if stop_address:
        message["List-Unsubscribe"] = f"<{stop_address}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        text += f"\n--\nStop these mails: {stop_address}\n"
        link = f'<p style="color:#56626f;font-size:.85em"><a href="{stop_address}">Stop these mails</a></p>'
    message.set_content(text)
    message.add_alternative(mail.html.replace("</body>", f"{link}</body>"), subtype="html")
    for name, media_type, content in mail.attachments:
        main_type, _slash, subtype = media_type.partition("/")
        message.add_attachment(content, maintype=main_type, subtype=subtype, filename=name)
    return message


def _stop_token(row: Outgoing) -> str:
    """A fresh token by which this reader can stop the mails of this sender; its digest alone is kept."""
    token = crypto.random_token()
    Unsubscription.objects.create(digest=token_digest(token), owner=row.owner, address=row.address.casefold())
    return token


def find_unsubscription(token: str) -> Unsubscription | None:
    """What a token in a mail stops."""
    return Unsubscription.objects.filter(digest=token_digest(token)).select_related("owner").first()


def stop_mails(unsubscription: Unsubscription) -> None:
    """This reader gets no more mails of this sender; what waits is not sent."""
    now = timezone.now()
    same = Unsubscription.objects.filter(owner=unsubscription.owner, address=unsubscription.address, stopped=None)
    same.update(stopped=now)
    # their own page says so too, and they can ask for it again there
    Person.objects.filter(pk=unsubscription.owner.pk, email__iexact=unsubscription.address).update(prompt_mail_at=None)


def is_stopped(owner: Person, address: str) -> bool:
    """Whether a reader has stopped the mails of somebody."""
    return Unsubscription.objects.filter(owner=owner, address=address.casefold()).exclude(stopped=None).exists()


def deliver_due(workspace: Workspace, now: datetime, send: HandOver = hand_over) -> int:
    """Send what is due at `now`, one mail after the other; how many were tried. Never raises for what a server says."""
    sender = load_settings(workspace)
    _settle_interrupted(_clock(now))
    old = Outgoing.objects.filter(changed__lt=now - CONTENT_KEPT).exclude(content=b"").exclude(state=MailState.queued)
    old.update(content=b"")
    late = Outgoing.objects.filter(state=MailState.queued, not_after__lt=_clock(now))
    late.update(state=MailState.cancelled, reason="Its hour was over.", content=b"", changed=now)
    tried_count = 0
    due = (
        Outgoing.objects.filter(state=MailState.queued, run_at__lte=now).order_by("run_at").values_list("pk", flat=True)
    )
    for pk in list(due[:50]) if sender else ():
        row = _take_row(pk, _clock(now))
        if row is not None and sender:
            _deliver(row, sender, _clock(now), send)
            tried_count += 1
    return tried_count


def _clock(now: datetime) -> datetime:
    """The time by now: many mails take their time, and each has its own lease."""
    return max(now, timezone.now())


def _settle_interrupted(now: datetime) -> None:
    """What was left by somebody who was killed: tried again where nothing can have been handed over, else said."""
    expired = Outgoing.objects.filter(lease_until__lt=now)
    expired.filter(state=MailState.connecting).update(state=MailState.queued, lease_until=None, changed=now)
    reason = "It was interrupted while it was handed over: it may have arrived."
    expired.filter(state=MailState.handing_over).update(
        state=MailState.uncertain, reason=reason, lease_until=None, changed=now
    )


def _take_row(pk: uuid.UUID, now: datetime) -> Outgoing | None:
    """Take a mail for oneself, for as long as the lease; None: somebody else has it."""
    rows = Outgoing.objects.filter(pk=pk, state=MailState.queued)
    if not rows.update(state=MailState.connecting, lease_until=now + LEASE, changed=now):
        return None
    return Outgoing.objects.select_related("owner").get(pk=pk)


class _LeaseLostError(Exception):
    """Whoever had this mail took too long: another has it by now."""


def _deliver(row: Outgoing, sender: MailSettings, now: datetime, send: HandOver) -> None:
    """Hand one mail over, noting before its last line leaves that it may have arrived."""
    if is_stopped(row.owner, row.address):
        _finish(row, MailState.stopped, "", now)
        return
    is_handing_over = False

    def note() -> None:
        nonlocal is_handing_over
        own = Outgoing.objects.filter(pk=row.pk, state=MailState.connecting, lease_until=row.lease_until)
        until = max(timezone.now(), now) + END_LEASE
        if not own.update(state=MailState.handing_over, lease_until=until, changed=now):
            raise _LeaseLostError
        row.lease_until, is_handing_over = until, True

    try:
        send(sender, row.address, crypto.reveal(_key(), _bound_to(row), bytes(row.content)), note)
    except _LeaseLostError:
        return
    except MailUncertainError as error:
        _finish(row, MailState.uncertain, f"{error}. It may have arrived.", now)
    except MailNotTakenError as error:
        _retry(row, error, now)
    except (
        Exception
    ) as error:  # whatever it is, a mail of which nothing left can be tried again, and one that may have is said
        if is_handing_over:
            _finish(row, MailState.uncertain, f"{error}. It may have arrived.", now)
        else:
            _retry(row, MailNotTakenError(f"{type(error).__name__}: {error}"), now)
    else:
        _finish(row, MailState.sent, "", now)


def _retry(row: Outgoing, error: MailNotTakenError, now: datetime) -> None:
    """Try again later where that can help: not after a final no (5xx), and not for ever."""
    tries = row.tries + 1
    if error.is_final or tries > len(BACK_OFF_MINUTES):
        _settle(row, state=MailState.failed, reason=str(error), tries=tries, changed=now)
        return
    run_at = now + timedelta(minutes=BACK_OFF_MINUTES[tries - 1])
    _settle(row, state=MailState.queued, reason=str(error), tries=tries, changed=now, run_at=run_at)


def _finish(row: Outgoing, state: MailState, reason: str, now: datetime) -> None:
    """A mail's end; what it said is kept only where it may have to be sent again."""
    emptied = {} if state == MailState.uncertain else {"content": b""}
    _settle(row, state=state, reason=reason, changed=now, **emptied)


def _settle(row: Outgoing, **facts: Any) -> None:
    """Note what became of a mail, if one still has it: whoever took too long changes nothing of what another did meanwhile."""
    own = Outgoing.objects.filter(
        pk=row.pk, lease_until=row.lease_until, state__in=(MailState.connecting, MailState.handing_over)
    )
    own.update(lease_until=None, **facts)


def send_again(owner: Person, row: Outgoing) -> None:
    """Send what may not have arrived once more, because its owner says so."""
    if row.owner_id != owner.pk or row.state not in (MailState.uncertain, MailState.failed) or not row.content:
        raise RequestError("This mail is not sent again.", "Send the week anew from its page.")
    rows = Outgoing.objects.filter(pk=row.pk, state=row.state)
    rows.update(state=MailState.queued, tries=0, run_at=timezone.now(), reason="", changed=timezone.now())


def cancel_mail(owner: Person, row: Outgoing) -> None:
    """Take back what has not left yet; that week is not sent to that reader by itself any more."""
    rows = Outgoing.objects.filter(pk=row.pk, owner=owner, state=MailState.queued)
    if not rows.update(state=MailState.cancelled, content=b"", changed=timezone.now()):
        raise RequestError("It has left already, or is leaving.", "Write to its reader.")


def send_test_mail(sender: MailSettings, address: str) -> None:
    """Send one mail at once; raises with what the server says."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        sender.sender,
        check_address(address),
        "wellserved can send mail",
    )
    message["Date"], message["Auto-Submitted"] = timezone.now(), "auto-generated"
    message["Message-ID"] = f"<{uuid.uuid4()}@{sender.domain}>"
    message.set_content("This is a test: mails of wellserved reach you.\n")
    try:
        hand_over(sender, address, message.as_bytes(policy=SMTP), lambda: None)
    except (MailNotTakenError, MailUncertainError) as error:
        raise RequestError(
            f"{error}.", "Check `wellserved mail setup`: server, port, security, user and password."
        ) from error
