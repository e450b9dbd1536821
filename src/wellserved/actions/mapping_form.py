"""The mapping of a file that was sent, as a form: what each column is taken for and why, what is open, what the first rows become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from wellserved.actions.mappings import mapping_for
from wellserved.actions.uploads import Upload, sample_file
from wellserved.engine import duckdb
from wellserved.errors import WellservedError
from wellserved.mapping import Mapping as FileMapping
from wellserved.mapping import parse_mapping
from wellserved.render.tables.receipts import gap_lines
from wellserved.scales import load_scales
from wellserved.sources.columns import SourceColumn, describe_column
from wellserved.sources.file_sample import PreviewRow, open_sample, preview_rows
from wellserved.sources.guess import Guess, guess_roles
from wellserved.sources.infer import inspect_roles
from wellserved.sources.roles import ROLES, choose_roles, reasons_of, roles_of_guess, roles_of_mapping
from wellserved.sources.table import RawTable
from wellserved.storage.workspace import Workspace

DATE_ORDERS = ("day-first", "month-first", "year-first")


@dataclass(frozen=True)
class ColumnChoice:
    """A column of the form."""

    index: int
    name: str
    examples: tuple[str, ...]
    filled_count: int
    role: str
    reasons: tuple[str, ...]
    open_question: str  # why its dates cannot be read as they stand; empty: they can, or it holds none
    order: str  # of day and month, as somebody said


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
    with duckdb.connect(sample, scratch=scratch) as db:
        raw = open_sample(db, sample)
        columns = tuple(describe_column(db, column) for column in raw.columns)
        (rows,) = db.sql("SELECT count(*) FROM raw").fetchall()[0]
        settings = _settings(workspace, upload, choices, raw)
        roles, orders, guess = _roles(workspace, columns, rows, choices, settings["scale"], raw)
        inspection = inspect_roles(
            db, raw, columns, guess, settings["name"], settings["zone"], now, upload.part, settings["title"]
        )
        known = mapping_for(workspace, raw.columns) if choices is None else None
        preview, problem = _preview(db, workspace, raw, known, inspection.toml, now)
    return MappingForm(
        columns=_column_choices(columns, roles, orders),
        needs_scale=bool(guess.unclear) or bool(settings["scale"]),
        toml=inspection.toml,
        questions=inspection.questions,
        notes=() if known else inspection.notes,
        gaps=tuple(gap_lines(known)) if known else (),
        unused=inspection.unused_columns,
        preview=tuple(preview),
        problem=problem,
        rows=rows,
        **settings,
    )


def _settings(workspace: Workspace, upload: Upload, choices: Mapping[str, str] | None, raw: RawTable) -> dict[str, str]:
    if choices is not None:
        return {name: choices.get(name, "").strip() for name in ("name", "title", "zone", "scale")}
    known = mapping_for(workspace, raw.columns)
    name = known.name if known else source_name(upload.name)
    zone = known.zone if known and known.zone != "workspace" else workspace.zone
    return {
        "name": name,
        "title": known.title if known else name.replace("_", " ").capitalize(),
        "zone": zone,
        "scale": "",
    }


def _roles(
    workspace: Workspace,
    columns: tuple[SourceColumn, ...],
    rows: int,
    choices: Mapping[str, str] | None,
    scale: str,
    raw: RawTable,
) -> tuple[dict[str, str], dict[str, str], Guess]:
    """(column -> role, column -> order of its dates, what follows from them)."""
    if choices is not None:
        roles = {column.name: choices.get(f"role-{index}", "") for index, column in enumerate(columns)}
        orders = {column.name: choices.get(f"order-{index}", "") for index, column in enumerate(columns)}
        roles = {name: role if role in ROLES else "" for name, role in roles.items()}
        orders = {name: order if order in DATE_ORDERS else "" for name, order in orders.items()}
        return roles, orders, choose_roles(columns, rows, roles, scale, orders)
    known = mapping_for(workspace, raw.columns)
    if known is None:
        guess = guess_roles(columns, rows)
        return roles_of_guess(guess), {}, guess
    roles, orders = roles_of_mapping(known), {column: str(order) for column, order in known.dates.items()}
    return roles, orders, choose_roles(columns, rows, roles, "", orders)


def _column_choices(
    columns: tuple[SourceColumn, ...], roles: Mapping[str, str], orders: Mapping[str, str]
) -> tuple[ColumnChoice, ...]:
    return tuple(
        ColumnChoice(
            index,
            column.name,
            column.examples,
            column.filled_count,
            role := roles.get(column.name, ""),
            reasons_of(role, column),
            column.undecided_reason,
            orders.get(column.name, ""),
        )
        for index, column in enumerate(columns)
    )


def _preview(
    db: DuckDBPyConnection, workspace: Workspace, raw: RawTable, known: FileMapping | None, toml: str, now: datetime
) -> tuple[list[PreviewRow], str]:
    """What the first rows become, by the mapping that is known or by the one that follows from the form."""
    try:
        mapping = known or parse_mapping(toml, "the mapping", load_scales(workspace.folder))
    except WellservedError as error:
        return [], f"{error.problem} {error.remedy}"
    if mapping.zone == "workspace":
        mapping = replace(mapping, zone=workspace.zone)
    return preview_rows(db, mapping, raw.columns, now)
