"""Commands about who may come in."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.shared import HomeOption, app, console
from wellserved.errors import RequestError

if TYPE_CHECKING:
    pass
from wellserved.cli.databases import prepare_workspace

user = typer.Typer(help="People who may come in.", no_args_is_help=True)
app.add_typer(user, name="user", rich_help_panel="Journal and pages")


@user.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="User name.")],
    role: Annotated[
        str,
        typer.Option(
            "--role", help="member, lead, quality, finance, auditor, or admin (who administers and sees no measures)."
        ),
    ] = "member",
    team: Annotated[str, typer.Option("--team", help="Team, by its name in the records.")] = "",
    served_as: Annotated[str, typer.Option("--served-as", help="Their person_id in imported records.")] = "",
    administers: Annotated[
        bool,
        typer.Option("--administers", help="They also invite people and give roles; the first person always does."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Let somebody in. The first one takes over what was written alone; from then on everybody logs in."""
    prepare_workspace(home, make=True)
    from wellserved.actions import membership
    from wellserved.store.access import record_event

    person, took_over = membership.add_person(name, role, team, _read_password(), served_as, administers)
    record_event(person, "let in on the command line", name)
    console.print(
        f"{name} can log in as {role}." + (" They keep what was written here alone." if took_over else ""), markup=False
    )


def _read_password() -> str:
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if len(password) < 10:
        raise RequestError("A password has at least ten letters.", "Choose a longer one.")
    return password


@user.command("password")
def user_password(
    name: Annotated[str, typer.Argument(help="User name.")],
    without_factors: Annotated[
        bool, typer.Option("--without-factors", help="End their second factors and passkeys too.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Give somebody another password: the way back where an administrator forgot theirs."""
    prepare_workspace(home)
    from wellserved.actions import membership

    membership.set_new_password(name, _read_password(), without_factors)
    console.print(f"{name} has another password.", markup=False)


@user.command("list")
def user_list(home: HomeOption = None) -> None:
    """List who may come in."""
    prepare_workspace(home)
    from wellserved.store.models import Person

    for person in Person.objects.select_related("team").order_by("username"):
        access = (", administers" if person.is_staff else "") + ("" if person.is_active else ", without access")
        console.print(
            f"{person.username}: {person.role}{f', {person.team.name}' if person.team else ''}{access}",
            markup=False,
            highlight=False,
        )
