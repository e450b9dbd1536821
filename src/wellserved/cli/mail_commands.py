"""Mail: by which server it leaves, and what is on its way."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import HomeOption, app, read_file, say
from wellserved.errors import RequestError

mail = typer.Typer(help="Reports by mail: the server that they leave by, and what is on its way.", no_args_is_help=True)
app.add_typer(mail, name="mail", rich_help_panel="Journal and pages")

UserOption = Annotated[str | None, typer.Option("--as", help="Whose mails, where people log in.")]


class Security(StrEnum):
    """How the way to the server is protected."""

    starttls = "starttls"
    tls = "tls"
    none = "none"


@mail.command("setup")
def setup_(
    host: Annotated[str | None, typer.Option("--host", help="The mail server.")] = None,
    sender: Annotated[
        str | None, typer.Option("--sender", help="From whom: service@example.org, or a name before it.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="587 for STARTTLS, 465 for TLS.")] = None,
    security: Annotated[Security | None, typer.Option("--security", help="none: on this computer alone.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Who signs in at the server.")] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="Where the password stands; without it, it is asked for.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", help="Where readers reach these pages to stop mails: https://service.example.org"),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Set up the server that mails leave by; what is not given stays as it is. No mail leaves without it."""
    workspace = prepare_workspace(home)
    from wellserved.actions.mail_settings import MailSettings, load_settings, save_settings

    old = load_settings(workspace)
    if old is None and (host is None or sender is None):
        raise RequestError("By which server, and from whom?", "Give --host and --sender.")
    given = {
        "host": host, "sender": sender, "port": port, "security": security.value if security else None, "user": user,
        "url": url.rstrip("/") if url else url,
    }  # fmt: skip
    facts = {name: value for name, value in given.items() if value is not None}
    settings = replace(old, **facts) if old else MailSettings(**facts)  # type: ignore[arg-type]
    if password_file is not None:
        settings = replace(settings, password=read_file(password_file).decode().strip())
    elif user:
        settings = replace(settings, password=typer.prompt("Password", hide_input=True))
    save_settings(workspace, settings)
    say(f"Mails leave by {settings.host}:{settings.port} ({settings.security}), from {settings.sender}.")
    if not settings.url:
        say("Without --url no mail leaves by itself: its reader could not stop it.")
    say("Try it: wellserved mail test YOUR-ADDRESS")


@mail.command("test")
def try_(address: Annotated[str, typer.Argument(help="Where to.")], home: HomeOption = None) -> None:
    """Send one mail at once, and say what the server says."""
    workspace = prepare_workspace(home)
    from wellserved.actions.mail_settings import required_settings
    from wellserved.actions.outgoing import send_test_mail

    send_test_mail(required_settings(workspace), address)
    say(f"The server took it. Look whether it has reached {address}.")


@mail.command("list")
def list_(user_name: UserOption = None, home: HomeOption = None) -> None:
    """List your mails, and what became of each."""
    prepare_workspace(home)
    from wellserved.actions import membership
    from wellserved.store.access import AccessScope

    rows = list(AccessScope(membership.find_person(user_name)).outgoing()[:100])
    for row in rows:
        reason = f": {row.reason}" if row.reason else ""
        say(f"{row.period} {row.address}: {row.get_state_display()}{reason}")
    if not rows:
        say("None was sent.")


@mail.command("stop")
def stop_(user_name: UserOption = None, home: HomeOption = None) -> None:
    """Send your week no more by itself, and take back what waits."""
    prepare_workspace(home)
    from wellserved.actions import membership, weekly_mail

    count = weekly_mail.stop_schedule(membership.find_person(user_name))
    say(f"Stopped. {count} waiting {'mail was' if count == 1 else 'mails were'} taken back.")
