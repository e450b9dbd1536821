"""Claims: a sentence that a stranger can check."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import (
    AboutOption,
    HomeOption,
    WhereOption,
    app,
    error_console,
    parse_day,
    parse_pairs,
    progress,
    say,
    workspace_at,
    write_file,
)
from wellserved.errors import RequestError

if TYPE_CHECKING:
    from wellserved.claim.counted import CountedDraft
    from wellserved.claim.draft import ClaimDraft

claim = typer.Typer(help="A sentence that a stranger can check.", no_args_is_help=True)
app.add_typer(claim, name="claim", rich_help_panel="Improve and prove")

NameArgument = Annotated[str | None, typer.Argument(help="A declared improvement.")]
MeasureOption = Annotated[
    str | None, typer.Option("--measure", help="Without an improvement: a measure, before and since --since.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="With --measure: the day that parts before and after.")
]
CountOption = Annotated[
    str | None,
    typer.Option("--count", help="Without an improvement: promises_kept or failures_made_right, of what you shared."),
]
UserOption = Annotated[str | None, typer.Option("--as", help="Whose claim, where people log in.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A claim's number.")]
FileOutput = Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")]


class Variant(StrEnum):
    """What a claim file shows."""

    full = "full"
    ratio = "ratio"
    ratio_without_service = "ratio_without_service"


@claim.command("draft")
def draft_(
    name: NameArgument = None,
    measure: MeasureOption = None,
    since: SinceOption = None,
    about: AboutOption = None,
    where: WhereOption = None,
    count: CountOption = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Show the sentence that the record carries, or why it carries none; nothing is signed."""
    _show_draft(_make_draft(name, measure, since, about, where, count, user_name, home))
    error_console.print(
        "Nothing is signed yet: `wellserved claim issue` with the same words signs it.", highlight=False, soft_wrap=True
    )


@claim.command("issue")
def issue_(
    name: NameArgument = None,
    measure: MeasureOption = None,
    since: SinceOption = None,
    about: AboutOption = None,
    where: WhereOption = None,
    count: CountOption = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Sign the sentence, with its evidence, as your own."""
    draft = _make_draft(name, measure, since, about, where, count, user_name, home)
    from wellserved.actions import claims, membership

    signed = claims.issue_claim(workspace_at(home), membership.find_person(user_name), draft)
    _show_draft(draft)
    error_console.print(
        f"Signed as {signed.id}. Hand it out: wellserved claim export {signed.id} --variant ratio -o claim.json",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _make_draft(
    name: str | None,
    measure: str | None,
    since: str | None,
    about: str | None,
    where: list[str] | None,
    count: str | None,
    user_name: str | None,
    home: Path | None,
) -> ClaimDraft | CountedDraft:
    if [name, measure, count].count(None) != 2:
        raise RequestError(
            "A claim is about an improvement, a measure, or a count.",
            "Name one improvement, or give --measure or --count.",
        )
    workspace = prepare_workspace(home)
    from wellserved.actions import claim_drafts, claim_roles, counted_claims, membership

    if count is not None:
        return counted_claims.draft_count(workspace, membership.find_person(user_name), count)
    with progress() as on_progress:
        if name is not None:
            role = claim_roles.role_in_improvement(workspace, membership.find_person(user_name), name)
            return claim_drafts.draft_from_improvement(workspace, name, role, on_progress)
        change = parse_day(since, "--since")
        if change is None:
            raise RequestError("A measure before and since what day?", "Give --since YYYY-MM-DD.")
        assert measure is not None
        return claim_drafts.draft_from_measure(workspace, measure, change, parse_pairs(where), on_progress, about or "")


def _show_draft(draft: ClaimDraft | CountedDraft) -> None:
    from wellserved.claim.counted import CountedDraft
    from wellserved.claim.sentence import GRADES, window_words

    say(draft.sentences["full"])
    if "ratio" in draft.sentences:
        say(f"  as a ratio: {draft.sentences['ratio']}")
    say(f"  {draft.grade}: {GRADES[draft.grade]}")
    if not isinstance(draft, CountedDraft):
        say(f"  before: {window_words(draft.windows.before, draft.windows.granularity)}")
        say(f"  after: {window_words(draft.windows.after, draft.windows.granularity)}")
    measure = draft.predicate["measure"]
    say(f"  measure: {measure['name']}, version {measure['version']}: {measure['formula']}")


@claim.command("list")
def list_(user_name: UserOption = None, home: HomeOption = None) -> None:
    """List your claims, each compared with the records as they are now."""
    workspace = prepare_workspace(home)
    from wellserved.actions import claims, membership

    own_claims = claims.list_claims(workspace, membership.find_person(user_name))
    for row in own_claims:
        say(f"{row.id}: {row.state}{f' ({row.reason})' if row.reason else ''}: {row.sentence}")
    if not own_claims:
        say("No claim is signed yet: wellserved claim draft --help")


@claim.command("export")
def export_(
    claim_id: IdArgument,
    output: FileOutput,
    variant: Annotated[
        Variant, typer.Option(help="What it shows; the rest stays signed, and hidden.")
    ] = Variant.ratio_without_service,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="Write the rows that it rests on as well, without names.")
    ] = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Write a claim as a file that anybody can check."""
    workspace = prepare_workspace(home)
    from wellserved.actions import claim_exports, membership

    if evidence is not None and variant is not Variant.full:
        raise RequestError(
            "The evidence tells every number that this form hides.", "Give it with --variant full alone."
        )
    person = membership.find_person(user_name)
    raw = claim_exports.export_claim(workspace, person, claim_id, variant.value)
    rows = claim_exports.export_evidence(workspace, person, claim_id) if evidence is not None else b""
    write_file(output, raw)
    say(f"Written to {output}. It shows: {variant.value.replace('_', ' ')}.")
    if evidence is not None:
        write_file(evidence, rows)
        say(f"Its evidence is in {evidence}.")


@claim.command("withdraw")
def withdraw_(claim_id: IdArgument, user_name: UserOption = None, home: HomeOption = None) -> None:
    """Take a claim back; lists of states say so from then on."""
    prepare_workspace(home)
    from wellserved.actions import claims, membership

    claims.withdraw_claim(membership.find_person(user_name), claim_id)
    say(f"Withdrew {claim_id}.")
