"""By which server the house sends mail: kept in the workspace for its owner's eyes, and tried out by a test mail."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict, dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Literal

from wellserved import disk
from wellserved.errors import DamageError, RequestError
from wellserved.storage.workspace import Workspace

MAIL_FILE: Final = "mail.toml"
SECURITIES: Final = ("starttls", "tls", "none")
MAX_URL_LETTERS: Final = 33
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_ADDRESS: Final = re.compile(r"[^@\s<>,;\"()\[\]]{1,64}@[^@\s<>,;\"()\[\]]{1,190}")


@dataclass(frozen=True)
class MailSettings:
    """How mail leaves."""

    host: str
    sender: str  # address, or name and address
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    url: str = ""  # where readers reach these pages, for stopping mails: https://host

    @property
    def sender_address(self) -> str:
        """The bare address."""
        return parseaddr(self.sender)[1]

    @property
    def domain(self) -> str:
        """The domain of the sender."""
        return self.sender_address.rpartition("@")[2]


def check_address(text: str) -> str:
    """A mail address, as it is written; raises where it is none, or would be several."""
    address = text.strip()
    if not address.isascii():
        raise RequestError(
            f"{address!r} has letters that not every mail server carries.",
            "Write the part after the @ as its server does (xn--...), and ask for an address in plain letters.",
        )
    if not _ADDRESS.fullmatch(address) or not address.isprintable():
        raise RequestError(
            f"{address!r} is no mail address.", "Write it as name@example.org, without a name before it."
        )
    return address


def check_settings(settings: MailSettings) -> MailSettings:
    """The settings, if mail can leave by them without its password being read on the way."""
    check_address(settings.sender_address)
    if settings.security not in SECURITIES:
        raise RequestError(f"{settings.security!r} is no way of sending.", f"Give one of {', '.join(SECURITIES)}.")
    if settings.security == "none" and settings.host not in _LOOPBACK:
        raise RequestError(
            "Without TLS, everybody on the way could read the mails.", "Use --security starttls, or tls."
        )
    if not 0 < settings.port < 65_536 or not settings.host:
        raise RequestError(f"{settings.host}:{settings.port} is no server.", "Give its name and its port.")
    if settings.url and not re.fullmatch(r"https://[A-Za-z0-9.:-]+", settings.url):
        raise RequestError(
            f"Readers cannot stop mails at {settings.url!r}: their programs ask for https.",
            "Give it as https://service.example.org.",
        )
    if len(settings.url) > MAX_URL_LETTERS:
        raise RequestError(
            f"{settings.url!r} is too long for one line of a mail's header.",
            f"Give one of {MAX_URL_LETTERS} letters at most.",
        )
    return settings


def save_settings(workspace: Workspace, settings: MailSettings) -> None:
    """Keep the settings, readable by the owner of the folder alone."""
    check_settings(settings)
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in asdict(settings).items()]
    with workspace.write_lock() as scratch, disk.rewrite_file(mail_file(workspace), scratch / MAIL_FILE) as file:
        file.writelines(lines)


def mail_file(workspace: Workspace) -> Path:
    """Where they are kept."""
    return workspace.folder / MAIL_FILE


def load_settings(workspace: Workspace) -> MailSettings | None:
    """The settings; None: nothing is sent from here."""
    file = mail_file(workspace)
    if not file.exists():
        return None
    try:
        settings = MailSettings(**tomllib.loads(file.read_text(encoding="utf-8")))
        return check_settings(settings)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise DamageError(f"{file} is damaged.", "Set it up again: `wellserved mail setup`.") from error


def required_settings(workspace: Workspace) -> MailSettings:
    """The settings; raises where there are none."""
    settings = load_settings(workspace)
    if settings is None:
        raise RequestError(
            "No mail server is set up.",
            "Whoever runs wellserved sets it up: `wellserved mail setup --host ... --sender ...`.",
        )
    return settings
