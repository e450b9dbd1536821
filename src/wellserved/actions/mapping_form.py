"""The mapping of a file that was sent, as a form: what each column is taken for and why, what is open, what the first rows become."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wellserved.actions.mappings import mapping_for
from wellserved.actions.uploads import Upload, sample_file
from wellserved.engine import duckdb
from wellserved.mapping import Mapping as FileMapping
from wellserved.render.tables.receipts import gap_lines
from wellserved.scales import load_scales
from wellserved.sources.columns import SourceColumn
from wellserved.sources.file_sample import PreviewRow, open_sample, preview_rows, record_sample, sample_columns
from wellserved.sources.guess import Guess, guess_roles
from wellserved.sources.infer import inspect_roles
from wellserved.sources.roles import (
    DATE_ORDERS,
    LENGTH_KINDS,
    ROLES,
    choose_roles,
    reasons_of,
    roles_of_guess,
    roles_of_mapping,
)
from wellserved.sources.time_columns import LENGTH_UNITS, length_unit
from wellserved.storage.workspace import Workspace

_MEANINGS = {"status": "that the ticket is closed", "kept": "in time or late", "event": "that a ticket was opened"}


@dataclass(frozen=True)
class ColumnChoice:
    """A column of the form."""

    index: int
    name: str
    examples: tuple[str, ...]
    filled_count: int
    role: str
    reasons: tuple[str, ...]
    options: tuple[str, ...]  # orders of day and month, or units of time, where its content leaves them open
    order: str  # which of them holds, as somebody said


@dataclass(frozen=True)
class MappingForm:
    """What the page shows of a file before it is imported."""

    columns: tuple[ColumnChoice, ...]
    name: str
    title: str
    zone: str
    scale: str
    needs_scale: bool  # the ratings' column holds numbers whose scale is open
    toml: str
    questions: tuple[str, ...]
    notes: tuple[str, ...]
    gaps: tuple[str, ...]  # what a file of a known kind cannot tell
    unused: dict[str, tuple[str, ...]]
    preview: tuple[PreviewRow, ...]
    problem: str  # why nothing can be imported as it stands; empty: it can
    rows: int  # that were looked at


def source_name(file_name: str) -> str:
    """What a file's source is called until somebody says otherwise: no digits of a month that the next file will not have."""
    words = re.sub(r"[^a-z]+", "_", file_name.rsplit("/", 1)[-1].split(".")[0].casefold()).strip("_")
    return words[:40] or "source"


def mapping_form(
    workspace: Workspace, upload: Upload, choices: Mapping[str, str] | None, now: datetime, scratch: Path
) -> MappingForm:
    """The form as it was guessed or is kept (`choices`: None), or as somebody filled it in.

    `choices`: role-0, order-0 ... of the columns by their places; name, title, zone, scale.
    """
    sample = sample_file(workspace, upload)
    columns = sample_columns(sample)
    with duckdb.connect(sample, scratch=scratch) as db:
        raw = open_sample(db, sample)
        known = mapping_for(workspace, raw.columns) if choices is None else None
        settings = _settings(workspace, upload, choices, known)
        roles, orders, guess = _roles(columns, upload.rows, choices, settings["scale"], known)
        scales = load_scales(workspace.folder)
        facts = (settings["name"], settings["zone"], now, upload.part, settings["title"], scales)
        inspection = inspect_roles(db, raw, columns, guess, *facts)
        if guess.rating and guess.has_numeric_rating:
            settings["scale"] = guess.rating.scale
        problem = _contradiction(roles, guess) or inspection.stop
        if known:
            problem = record_sample(db, raw, known, workspace.zone, now)
        preview = () if problem else tuple(preview_rows(db))
    return MappingForm(
        columns=_column_choices(columns, roles, orders, guess),
        needs_scale=bool(guess.unclear) or guess.has_numeric_rating,
        toml=inspection.toml,
        questions=(*unread_words(roles, guess), *inspection.questions),
        notes=() if known or problem else inspection.notes,
        gaps=tuple(gap_lines(known)) if known else (),
        unused=inspection.unused_columns,
        preview=preview,
        problem=problem,
        rows=upload.rows,
        **settings,
    )


def _contradiction(roles: Mapping[str, str], guess: Guess) -> str:
    """What keeps a choice from being a mapping: a role given twice, or one that every file needs and none has."""
    counts = Counter(role for role in roles.values() if role)
    for role, count in counts.items():
        if count > 1 and role != "clock":
            names = ", ".join(name for name, given_role in roles.items() if given_role == role)
            return f"Several columns are taken for {ROLES[role]}: {names}. Choose one of them."
    if "case" not in counts:
        return "Say which column is the ticket's number."
    return "" if "asked" in guess.stamps else "Say which column says when it was asked; it must hold dates."


def unread_words(roles: Mapping[str, str], guess: Guess) -> tuple[str, ...]:
    """Columns that somebody gave a role whose words are not known."""
    unread = {"status": guess.status is None, "kept": guess.kept_flag is None, "event": guess.events is None}
    paired_clocks = {clock.name for clock in guess.clocks.values()}
    lone_clocks = tuple(
        f"{name!r} was taken for {ROLES[role]}, and it holds no times of day, or no column of days stands before it: it is not used."
        for name, role in roles.items()
        if role == "clock" and name not in paired_clocks
    )
    return lone_clocks + tuple(
        f"{name!r} was taken for {ROLES[role]}, and none of its words is known to mean "
        f"{_MEANINGS[role]}: it makes no moment."
        for name, role in roles.items()
        if unread.get(role)
    )


def _settings(
    workspace: Workspace, upload: Upload, choices: Mapping[str, str] | None, known: FileMapping | None
) -> dict[str, str]:
    if choices is not None:
        return {name: choices.get(name, "").strip() for name in ("name", "title", "zone", "scale")}
    name = known.name if known else source_name(upload.name)
    zone = known.zone if known and known.zone != "workspace" else workspace.zone
    title = known.title if known else name.replace("_", " ").capitalize()
    return {"name": name, "title": title, "zone": zone, "scale": ""}


def _roles(
    columns: tuple[SourceColumn, ...],
    rows: int,
    choices: Mapping[str, str] | None,
    scale: str,
    known: FileMapping | None,
) -> tuple[dict[str, str], dict[str, str], Guess]:
    """(column -> role, column -> order of its dates, what follows from them)."""
    if choices is not None:
        roles = {column.name: choices.get(f"role-{index}", "") for index, column in enumerate(columns)}
        orders = {column.name: choices.get(f"order-{index}", "") for index, column in enumerate(columns)}
        roles = {name: role if role in ROLES else "" for name, role in roles.items()}
        orders = {name: order if order in (*DATE_ORDERS, *LENGTH_UNITS) else "" for name, order in orders.items()}
        return roles, orders, choose_roles(columns, rows, roles, scale, orders)
    if known is None:
        guess = guess_roles(columns, rows)
        return roles_of_guess(guess), {}, guess
    roles, orders = roles_of_mapping(known), {column: str(order) for column, order in known.dates.items()}
    orders |= {rule.delay: str(rule.delay_unit) for rule in known.moments if rule.delay}
    return roles, orders, choose_roles(columns, rows, roles, "", orders)


def _options(column: SourceColumn, role: str, guess: Guess) -> tuple[str, ...]:
    """What somebody has to say of a column beside its role."""
    if column.undecided_reason:
        return DATE_ORDERS
    is_length = role in {f"{kind}_after" for kind in LENGTH_KINDS} or column in guess.unclear_lengths
    return tuple(LENGTH_UNITS) if is_length and not length_unit(column) else ()


def _column_choices(
    columns: tuple[SourceColumn, ...], roles: Mapping[str, str], orders: Mapping[str, str], guess: Guess
) -> tuple[ColumnChoice, ...]:
    return tuple(
        ColumnChoice(
            index,
            column.name,
            column.examples,
            column.filled_count,
            role := roles.get(column.name, ""),
            reasons_of(role, column),
            _options(column, role, guess),
            orders.get(column.name, ""),
        )
        for index, column in enumerate(columns)
    )
