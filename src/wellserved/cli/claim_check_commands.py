"""Claims for whoever checks one, and for whoever runs the house: keys, states, the page, and what may leave."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellserved.cli.claim_commands import FileOutput, UserOption, claim
from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import HomeOption, read_file, say, workspace_at, write_file

if TYPE_CHECKING:
    from wellserved.claim.check import ClaimCheck


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

    today, raw = datetime.now(UTC).date(), read_file(file)
    try:
        files = claim_files(raw)
    except NotAClaimError as error:
        say(f"This is not a claim file: ask for the .json file. {error.problem}")
        raise typer.Exit(2) from error
    if files != [raw]:
        count = "one claim" if len(files) == 1 else f"{len(files)} claims"
        say(f"The document carries {count}. What it says itself was not looked at: compare it with what was signed.")
    exit_code = 0
    for claim_file in files:
        check = check_claim(
            claim_file, key, read_file(evidence) if evidence else None, read_file(states) if states else None, today
        )
        _show_check(check)
        exit_code = max(exit_code, check.exit_code)
    raise typer.Exit(exit_code)


def _show_check(check: ClaimCheck) -> None:
    from wellserved.claim.file import UNKNOWABLE

    if check.claim is None:
        start = {"forged": "NOT GENUINE.", "not a claim": "This is not a claim file: ask for the .json file."}
        say(f"{start.get(check.finding, 'NOT CONFIRMED.')} {check.problem}")
        return
    if not check.holds:
        say(check.state_words.upper() if check.state == "withdrawn" else check.state_words)
    predicate, shown = check.claim.predicate, check.claim.shown
    say("Genuine: these are the words and numbers that were signed.")
    say(f"  {check.claim.sentence}")
    if person := shown.get("person"):
        say(f"  claimed by {person['name']} ({person['role']})")
    say(
        f"  {predicate['grade']}: {predicate['grade_words']}; records as of {predicate['as_of'][:10]}; signed {predicate['issued'][:10]}"
    )
    say(
        f"  measure: {predicate['measure']['name']}, version {predicate['measure']['version']}: {predicate['measure']['formula']}"
    )
    _show_history(predicate)
    _show_numbers(shown)
    for words in filter(None, (check.evidence_words, check.state_words)):
        say(f"  {words}")
    key_note = (
        "the one that you named, or its successor"
        if check.knows_key
        else "compare these words with those that the employer names"
    )
    say(f"Signed by the key: {check.claim.fingerprint}, {key_note}.")
    say("What this file cannot prove:")
    for limit in UNKNOWABLE:
        say(f"  - {limit}")


def _show_history(predicate: dict[str, Any]) -> None:
    """How a proved claim came about: when it was declared, what was held against it, what else was tried."""
    if predicate["grade"] != "proved":
        return
    declared, since, tried = predicate["declared"]["at"][:10], predicate["declared"]["since"], predicate["tried"]
    late = f", after it had begun ({since})" if declared > since else f", for {since}"
    held_count = sum(guardrail["result"] == "not_worse" for guardrail in predicate["guardrails"])
    say(
        f"  declared on {declared}{late}; verdict: {predicate['verdict'].replace('improved_', 'improved, ').replace('_', ' ')}; "
        f"{held_count} of {len(predicate['guardrails'])} guardrails were shown to have held"
    )
    say(
        f"  looked at {tried['looks']} times; changed {tried['changed']} times after it was declared; "
        f"{tried['others_of_that_day']} other measures were declared for that day"
    )


def _show_numbers(shown: dict[str, Any]) -> None:
    if count := shown.get("count"):
        say(f"  {count['done']:,} of {count['of']:,}")
    if cases := shown.get("cases"):
        say(f"  cases: {cases['before']:,} before, {cases['after']:,} after")
    for name, words in (("relative_effect", "beside the level before"), ("effect", "effect")):
        if estimate := shown.get(name):
            form = "{:+.0%}" if name == "relative_effect" else "{:+.3g}"
            value, low, high = (form.format(float(estimate[part])) for part in ("value", "low", "high"))
            unit = "" if name == "relative_effect" else f" {estimate['unit']}"
            say(f"  {words}: {value} (95% interval {low} to {high}){unit}")


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
        say(f"{key.words} (since {key.since}{until})")


@claim.command("states")
def states_(output: FileOutput, home: HomeOption = None) -> None:
    """Write the signed list of all claims' states, to be published: numbers and days, nothing else."""
    workspace = prepare_workspace(home)
    from wellserved.actions import claim_exports

    raw = claim_exports.export_states(workspace)
    write_file(output, raw)
    say(f"Written to {output}.")


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
    say(f"Claims may show outside: {house_rules.claim_limit().label}.")


@claim.command("checker")
def checker_(output: FileOutput) -> None:
    """Write the page that checks claims in a browser, the same for everybody; publish it with the hash that is shown."""
    from wellserved.claim.checker import checker_digest, checker_page

    write_file(output, checker_page().encode())
    say(f"Written to {output}. SHA-256: {checker_digest()}")
