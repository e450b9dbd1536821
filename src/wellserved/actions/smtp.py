"""The only road out: to the mail server that somebody set up, and to no other."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Final

from wellserved.actions.mail_settings import MailSettings

SMTP_TIMEOUT: Final = 20.0  # seconds for each answer of the server
END_TIMEOUT: Final = (
    600.0  # seconds for the last answer: a server may look through the mail first (RFC 5321, 4.5.3.2.6)
)
_ACCEPTED: Final = (250, 251)


class MailNotTakenError(Exception):
    """The mail was not handed over, and can be tried again; `is_final`: the server said that this is of no use."""

    def __init__(self, words: str, is_final: bool = False) -> None:
        super().__init__(words[:500])
        self.is_final = is_final


class MailUncertainError(Exception):
    """The connection ended while the mail was handed over: it may have been taken."""


def hand_over(settings: MailSettings, address: str, content: bytes, before_end: Callable[[], None]) -> None:
    """Hand one mail to the server. `before_end` is called once all of it was sent but the line that ends it: a server that is left
    before that line takes no mail (RFC 5321, 4.1.1.4), so that what may have been taken is a moment and not the whole sending.

    Raises `MailNotTakenError` or `MailUncertainError`.
    """
    try:
        server = _sign_in(settings)
    except smtplib.SMTPResponseException as error:
        raise MailNotTakenError(_words(error)) from error  # the house's own settings: somebody will mend them
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise MailNotTakenError(f"The mail server was not reached: {error}") from error
    try:
        _name_reader(server, settings.sender_address, address)
        _send_content(server, content)
        before_end()
        _end_content(server)
    finally:
        server.close()


def _sign_in(settings: MailSettings) -> smtplib.SMTP:
    """A connection, encrypted and signed in to; the server's certificate has to be good."""
    context = ssl.create_default_context()
    if settings.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=SMTP_TIMEOUT, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=SMTP_TIMEOUT)
    try:
        server.ehlo(settings.domain)
        if settings.security == "starttls":
            server.starttls(context=context)
            server.ehlo(settings.domain)
        if settings.user:
            server.login(settings.user, settings.password)
        if server.sock is not None:  # the last line leaves at once, and not 40 ms later with Nagle's algorithm
            server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        server.close()
        raise
    return server


def _name_reader(server: smtplib.SMTP, sender: str, address: str) -> None:
    try:
        for code, words in (server.mail(sender), server.rcpt(address)):
            if code not in _ACCEPTED:
                raise MailNotTakenError(_said(code, words), 500 <= code < 600)
    except (smtplib.SMTPException, OSError) as error:
        raise MailNotTakenError(f"The mail server broke off: {error}") from error


def _send_content(server: smtplib.SMTP, content: bytes) -> None:
    """Everything but the end, lines that begin with a dot written with two (RFC 5321, 4.5.2)."""
    lines = re.sub(rb"(?m)^\.", b"..", re.sub(rb"\r?\n|\r", b"\r\n", content))
    try:
        code, words = server.docmd("DATA")
        if code != 354:
            raise MailNotTakenError(_said(code, words), 500 <= code < 600)
        server.send(lines if lines.endswith(b"\r\n") else lines + b"\r\n")
    except (smtplib.SMTPException, OSError) as error:
        raise MailNotTakenError(f"The mail server broke off: {error}") from error


def _end_content(server: smtplib.SMTP) -> None:
    try:
        if server.sock is not None:
            server.sock.settimeout(END_TIMEOUT)
        server.send(b".\r\n")
        code, words = server.getreply()
    except (smtplib.SMTPException, OSError) as error:
        raise MailUncertainError(f"The connection ended: {error}") from error
    if 400 <= code < 600:
        raise MailNotTakenError(_said(code, words), code >= 500)
    if not 200 <= code < 300:
        raise MailUncertainError(_said(code, words))


def _words(error: smtplib.SMTPResponseException) -> str:
    return _said(error.smtp_code, error.smtp_error)


def _said(code: int, words: bytes | str) -> str:
    """What the server said, in its own words."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"The mail server said {code}: {text}"
