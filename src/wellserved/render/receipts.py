"""What an import did, in lines: what was read, what was refused and why, and what is doubtful."""

from __future__ import annotations

from wellserved.log import Receipt
from wellserved.mapping import Mapping
from wellserved.measure.words import counted, plural
from wellserved.render.clean import one_line

SHOWN = 12  # reasons that are told; the others stand in the refusals file


def lines(receipt: Receipt) -> list[str]:
    """The receipt for whoever imports a file."""
    one = receipt
    corrected = f", {one.moments_corrected:,} correct an earlier one." if one.moments_corrected else "."
    said = [
        f"{plural(one.rows_read, 'row')} read = {one.rows_loaded:,} loaded + {one.rows_refused:,} refused.",
        f"{plural(one.moments, 'moment')}: {one.moments_new:,} new, {one.moments_known:,} known already{corrected}",
    ]
    if one.moments_refused:
        said.append(
            f"{plural(one.moments_refused, 'moment')} of loaded rows {'was' if one.moments_refused == 1 else 'were'} left out, for a value that cannot be read."
        )
    said += _reasons("Refused", one.reasons) + _reasons("Left out", one.losses)
    said += [f"{counted(count, what)}." for what, count in one.notes.items()]
    said += [f"{one.mended_lines:,} lines were not UTF-8 and were read as Windows-1252."] if one.mended_lines else []
    said += [f"Read row by row: {one.careful}."] if one.careful else []
    said += lacking(one)
    return [one_line(line) for line in said]


def lacking(source: Receipt | Mapping) -> list[str]:
    """What cannot be known from a file, read by a preset or mapping: for columns that it lacks, or by its nature."""
    said = [
        f"The file has no column {column!r}, and so does not tell: {what}." for column, what in source.absent.items()
    ]
    said += [
        f"Not computable from this source: {kind.replace('_', ' ')} ({why})." for kind, why in source.cannot.items()
    ]
    return said + ([f"Before you quote its numbers: {source.caution}"] if source.caution else [])


def _reasons(what: str, reasons: dict[str, int]) -> list[str]:
    """The commonest reasons, each with its count."""
    ordered = sorted(reasons.items(), key=lambda pair: -pair[1])
    more = [f"{what} for {len(ordered) - SHOWN:,} further reasons."] if len(ordered) > SHOWN else []
    return [f"{what}: {count:,} x {reason}." for reason, count in ordered[:SHOWN]] + more
