"""One's résumé, at a terminal."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import HomeOption, app, console, read_file, write_file
from wellserved.errors import RequestError
from wellserved.render.clean import one_line

if TYPE_CHECKING:
    from wellserved.resume.layout import ResumeLayout

resume = typer.Typer(help="Your résumé, its numbers checked by your claims.", no_args_is_help=True)
app.add_typer(resume, name="resume", rich_help_panel="Improve and prove")

UserOption = Annotated[str | None, typer.Option("--as", help="Whose, where people log in.")]


class ResumeForm(StrEnum):
    """How a résumé is written."""

    pdf = "pdf"
    docx = "docx"
    html = "html"
    md = "md"
    json = "json"


def _layout(home: Path | None, user_name: str | None) -> ResumeLayout:
    workspace = prepare_workspace(home)
    from wellserved.actions import claims, membership, resumes
    from wellserved.actions.mail_settings import load_settings

    person = membership.find_person(user_name)
    document = resumes.current_resume(resumes.journal_at_terminal(person), person)
    mail = load_settings(workspace)
    return resumes.resume_layout(document, claims.list_claims(workspace, person), mail.url if mail else "")


@resume.command("show")
def show_(user_name: UserOption = None, home: HomeOption = None) -> None:
    """Show each line of your résumé, and what stands behind it."""
    layout = _layout(home, user_name)
    if not layout.bullets:
        console.print(
            "It has no lines yet. Bring one along (`wellserved resume import`), or write it (`wellserved serve`)."
        )
    for bullet in layout.bullets:
        console.print(one_line(bullet.text), markup=False, highlight=False, soft_wrap=True)
        reason = f": {bullet.reason}" if bullet.reason else ""
        claim = f" ({bullet.claim_id})" if bullet.claim_id else ""
        console.print(f"  {bullet.state}{claim}{one_line(reason)}", markup=False, highlight=False, soft_wrap=True)


@resume.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file in the format JSON Resume.")],
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Bring a JSON Resume along, in place of the one that you have here."""
    prepare_workspace(home, make=True)
    from wellserved.actions import membership, resumes
    from wellserved.resume.document import read_resume

    journal = resumes.journal_at_terminal(membership.find_person(user_name))
    resumes.keep_resume(journal, read_resume(read_file(file)))
    console.print("Read, for your eyes only. `wellserved resume show` tells what stands behind each line.")


@resume.command("export")
def export_(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")],
    form: Annotated[
        ResumeForm | None, typer.Option("--format", "-f", help="By default, as the file is called.")
    ] = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Write your résumé as PDF, Word, HTML, Markdown or JSON Resume; its claims are compared with the records first."""
    name = form.value if form else output.suffix.lstrip(".").lower()
    if name not in list(ResumeForm):
        raise RequestError(f"{output.name} says no form.", f"Give --format, one of {', '.join(ResumeForm)}.")
    layout = _layout(home, user_name)
    from wellserved.actions.resumes import RESUME_FORMATS

    write_file(output, RESUME_FORMATS[name][1](layout))
    sealed_count = sum(bullet.is_sealed for bullet in layout.bullets)
    broken_count = sum(bullet.state == "not as signed" for bullet in layout.bullets)
    broken = f"; of {broken_count} the numbers are not those that were signed" if broken_count else ""
    console.print(
        f"Written to {output}: {len(layout.bullets)} lines, {sealed_count} with a signed claim behind them{broken}.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
