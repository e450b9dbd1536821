"""Claims: a sentence that a stranger can check."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import (
    HomeOption,
    WhereOption,
    app,
    console,
    error_console,
    parse_day,
    parse_pairs,
    progress,
    workspace_at,
)
from wellserved.errors import RequestError
from wellserved.render.clean import one_line

if TYPE_CHECKING:
    from wellserved.claim.check import ClaimCheck
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
    where: WhereOption = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Show the sentence that the record carries, or why it carries none; nothing is signed."""
    _show_draft(_make_draft(name, measure, since, where, user_name, home))
    error_console.print(
        "Nothing is signed yet: `wellserved claim issue` with the same words signs it.", highlight=False, soft_wrap=True
    )


@claim.command("issue")
def issue_(
    name: NameArgument = None,
    measure: MeasureOption = None,
    since: SinceOption = None,
    where: WhereOption = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Sign the sentence, with its evidence, as your own."""
    draft = _make_draft(name, measure, since, where, user_name, home)
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
    where: list[str] | None,
    user_name: str | None,
    home: Path | None,
) -> ClaimDraft:
    if (name is None) == (measure is None):
        raise RequestError("A claim is about an improvement or a measure.", "Name one improvement, or give --measure.")
    workspace = prepare_workspace(home)
    from wellserved.actions import claim_drafts, claims, membership
    from wellserved.improvement import find_record

    with progress() as on_progress:
        if name is not None:
            role = claims.find_role(membership.find_person(user_name), find_record(workspace, name).improvement)
            return claim_drafts.draft_from_improvement(workspace, name, role, on_progress)
        change = parse_day(since, "--since")
        if change is None:
            raise RequestError("A measure before and since what day?", "Give --since YYYY-MM-DD.")
        assert measure is not None
        return claim_drafts.draft_from_measure(workspace, measure, change, parse_pairs(where), on_progress)


def _show_draft(draft: ClaimDraft) -> None:
    from wellserved.claim.sentence import GRADES, window_words

    _say(draft.sentences["full"])
    if "ratio" in draft.sentences:
        _say(f"  as a ratio: {draft.sentences['ratio']}")
    _say(f"  {draft.grade}: {GRADES[draft.grade]}")
    _say(f"  before: {window_words(draft.windows.before, draft.windows.granularity)}")
    _say(f"  after: {window_words(draft.windows.after, draft.windows.granularity)}")
    _say(f"  measure: {draft.measure.name}, version {draft.measure.version}: {draft.measure.formula}")


def _say(text: str) -> None:
    indent = " " * (len(text) - len(text.lstrip(" ")))
    console.print(indent + one_line(text), markup=False, highlight=False, soft_wrap=True)


@claim.command("list")
def list_(user_name: UserOption = None, home: HomeOption = None) -> None:
    """List your claims, each compared with the records as they are now."""
    workspace = prepare_workspace(home)
    from wellserved.actions import claims, membership

    own_claims = claims.list_claims(workspace, membership.find_person(user_name))
    for row in own_claims:
        _say(f"{row.id}: {row.state}{f' ({row.reason})' if row.reason else ''}: {row.sentence}")
    if not own_claims:
        _say("No claim is signed yet: wellserved claim draft --help")


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
    from wellserved.actions import claims, membership

    if evidence is not None and variant is not Variant.full:
        raise RequestError(
            "The evidence tells every number that this form hides.", "Give it with --variant full alone."
        )
    person = membership.find_person(user_name)
    raw = claims.export_claim(workspace, person, claim_id, variant.value)
    rows = claims.export_evidence(workspace, person, claim_id) if evidence is not None else b""
    _write(output, raw)
    _say(f"Written to {output}. It shows: {variant.value.replace('_', ' ')}.")
    if evidence is not None:
        _write(evidence, rows)
        _say(f"Its evidence is in {evidence}.")


@claim.command("withdraw")
def withdraw_(claim_id: IdArgument, user_name: UserOption = None, home: HomeOption = None) -> None:
    """Take a claim back; lists of states say so from then on."""
    prepare_workspace(home)
    from wellserved.actions import claims, membership

    claims.withdraw_claim(membership.find_person(user_name), claim_id)
    _say(f"Withdrew {claim_id}.")


@claim.command("verify")
def verify_(
    file: Annotated[
        Path, typer.Argument(help="A claim file, or a document that carries some: PDF, Word, HTML, JSON Resume.")
    ],
    key: Annotated[
        str, typer.Option("--key", help="The twelve words, or the hash, of the key that the employer named.")
    ] = "",
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="The rows that it rests on: its numbers are worked out anew.")
    ] = None,
    states: Annotated[
        Path | None, typer.Option("--states", help="A list of states that the employer published.")
    ] = None,
) -> None:
    """Check a claim file, or every claim that a document carries, without a workspace and without a network.

    Ends with 0 where all are genuine, by the key that you named, and nothing is known against them; with 1 where they
    are genuine but the key was not named or one no longer holds; with 2 where one is not genuine.
    """
    from wellserved.claim.canonical import NotAClaimError
    from wellserved.claim.carriers import claim_files
    from wellserved.claim.check import check_claim

    today, raw = datetime.now(UTC).date(), _read(file)
    try:
        files = claim_files(raw)
    except NotAClaimError as error:
        _say(f"This is not a claim file: ask for the .json file. {error.problem}")
        raise typer.Exit(2) from error
    if files != [raw]:
        count = "one claim" if len(files) == 1 else f"{len(files)} claims"
        _say(f"The document carries {count}. What it says itself was not looked at: compare it with what was signed.")
    exit_code = 0
    for claim_file in files:
        check = check_claim(
            claim_file, key, _read(evidence) if evidence else None, _read(states) if states else None, today
        )
        _show_check(check)
        exit_code = max(exit_code, check.exit_code)
    raise typer.Exit(exit_code)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}.", "Name a file.") from error


def _write(file: Path, raw: bytes) -> None:
    try:
        file.write_bytes(raw)
    except OSError as error:
        raise RequestError(
            f"{file} cannot be written: {error.strerror}.", "Name a file in a folder that there is."
        ) from error


def _show_check(check: ClaimCheck) -> None:
    from wellserved.claim.file import UNKNOWABLE

    if check.claim is None:
        start = {"forged": "NOT GENUINE.", "not a claim": "This is not a claim file: ask for the .json file."}
        _say(f"{start.get(check.finding, 'NOT CONFIRMED.')} {check.problem}")
        return
    if not check.holds:
        _say(check.state_words.upper() if check.state == "withdrawn" else check.state_words)
    predicate, shown = check.claim.predicate, check.claim.shown
    _say("Genuine: these are the words and numbers that were signed.")
    _say(f"  {check.claim.sentence}")
    if person := shown.get("person"):
        _say(f"  claimed by {person['name']} ({person['role']})")
    _say(
        f"  {predicate['grade']}: {predicate['grade_words']}; records as of {predicate['as_of'][:10]}; signed {predicate['issued'][:10]}"
    )
    _say(
        f"  measure: {predicate['measure']['name']}, version {predicate['measure']['version']}: {predicate['measure']['formula']}"
    )
    _show_history(predicate)
    _show_numbers(shown)
    for words in filter(None, (check.evidence_words, check.state_words)):
        _say(f"  {words}")
    key_note = (
        "which you named, or which the one that you named has followed"
        if check.knows_key
        else "compare these words with those that the employer names"
    )
    _say(f"Signed by the key: {check.claim.fingerprint}, {key_note}.")
    _say("What this file cannot prove:")
    for limit in UNKNOWABLE:
        _say(f"  - {limit}")


def _show_history(predicate: dict[str, Any]) -> None:
    """How a proved claim came about: when it was declared, what was held against it, what else was tried."""
    if predicate["grade"] != "proved":
        return
    declared, since, tried = predicate["declared"]["at"][:10], predicate["declared"]["since"], predicate["tried"]
    late = f", after it had begun ({since})" if declared > since else f", for {since}"
    held_count = sum(guardrail["result"] == "not_worse" for guardrail in predicate["guardrails"])
    _say(
        f"  declared on {declared}{late}; verdict: {predicate['verdict'].replace('improved_', 'improved, ').replace('_', ' ')}; "
        f"{held_count} of {len(predicate['guardrails'])} guardrails were shown to have held"
    )
    _say(
        f"  looked at {tried['looks']} times; changed {tried['changed']} times after it was declared; "
        f"{tried['others_of_that_day']} other measures were declared for that day"
    )


def _show_numbers(shown: dict[str, Any]) -> None:
    if cases := shown.get("cases"):
        _say(f"  cases: {cases['before']:,} before, {cases['after']:,} after")
    for name, words in (("relative_effect", "beside the level before"), ("effect", "effect")):
        if estimate := shown.get(name):
            form = "{:+.0%}" if name == "relative_effect" else "{:+.3g}"
            value, low, high = (form.format(float(estimate[part])) for part in ("value", "low", "high"))
            unit = "" if name == "relative_effect" else f" {estimate['unit']}"
            _say(f"  {words}: {value} (95% interval {low} to {high}){unit}")


@claim.command("keys")
def keys_(
    replace: Annotated[
        bool, typer.Option("--replace", help="Sign with another key from now on; the old one signs no more.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Show the words of the keys that sign here, for those who are to compare them."""
    import os

    from wellserved.actions import claim_keys

    workspace, now = workspace_at(home), datetime.now(UTC)
    make = claim_keys.replace_key if replace else claim_keys.signing_key
    make(workspace, now, lambda: os.urandom(32))
    for key in claim_keys.list_keys(workspace):
        until = f" until {key.until}" if key.until else ""
        _say(f"{key.words} (since {key.since}{until})")


@claim.command("states")
def states_(output: FileOutput, home: HomeOption = None) -> None:
    """Write the signed list of all claims' states, to be published: numbers and days, nothing else."""
    workspace = prepare_workspace(home)
    from wellserved.actions import claims

    raw = claims.export_states(workspace)
    _write(output, raw)
    _say(f"Written to {output}: {len(json.loads(raw)['envelope']['payload']):,} bytes of states.")


@claim.command("limit")
def limit_(
    show: Annotated[
        str | None,
        typer.Argument(metavar="[figures|ratios|nothing]", help="What they may show; without it, what holds now."),
    ] = None,
    user_name: UserOption = None,
    home: HomeOption = None,
) -> None:
    """Say what of claims may leave the house: figures and ratios, ratios alone, or nothing."""
    prepare_workspace(home)
    from wellserved.actions import house_rules, membership

    if show is not None:
        house_rules.set_claim_limit(membership.find_person(user_name), show)
    _say(f"Claims may show outside: {house_rules.claim_limit().label}.")


@claim.command("checker")
def checker_(output: FileOutput) -> None:
    """Write the page that checks claims in a browser, the same for everybody; publish it with the hash that is shown."""
    from wellserved.claim.checker import checker_digest, checker_page

    _write(output, checker_page().encode())
    _say(f"Written to {output}. SHA-256: {checker_digest()}")
