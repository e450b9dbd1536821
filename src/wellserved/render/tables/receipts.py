"""What an import did, in lines: what was read, what was refused and why, and what is doubtful."""

from __future__ import annotations

from wellserved.mapping import Mapping
from wellserved.render.clean import one_line
from wellserved.storage.log import Receipt
from wellserved.wording import format_note, plural

MAX_REASONS_SHOWN = 12  # reasons that are told; the others stand in the refusals file


def receipt_lines(receipt: Receipt) -> list[str]:
    """The receipt for whoever imports a file."""
    corrected = f", {receipt.moments_corrected:,} correct an earlier one." if receipt.moments_corrected else "."
    text_lines = [
        f"{plural(receipt.rows_read, 'row')} read = {receipt.rows_loaded:,} loaded + {receipt.rows_refused:,} refused.",
        f"{plural(receipt.moments, 'moment')}: {receipt.moments_new:,} new, {receipt.moments_known:,} known already{corrected}",
    ]
    if receipt.moments_refused:
        text_lines.append(
            f"{plural(receipt.moments_refused, 'moment')} of loaded rows {'was' if receipt.moments_refused == 1 else 'were'} left out, for a value that cannot be read."
        )
    text_lines += _reasons("Refused", receipt.reasons) + _reasons("Left out", receipt.losses)
    text_lines += [f"{format_note(count, note)}." for note, count in receipt.notes.items()]
    text_lines += (
        [
            f"{receipt.mended_lines:,} lines were not UTF-8 and were read as {(receipt.encoding.rpartition(' ')[2] or 'windows-1252').capitalize()}."
        ]
        if receipt.mended_lines
        else []
    )
    text_lines += [f"Read row by row: {receipt.careful}."] if receipt.careful else []
    text_lines += gap_lines(receipt)
    return [one_line(line) for line in text_lines]


def gap_lines(source: Receipt | Mapping) -> list[str]:
    """What cannot be known from a file, read by a preset or mapping: for columns that it lacks, or by its nature."""
    text_lines = [
        f"The file has no column {column!r}, and so does not tell: {gap}." for column, gap in source.absent.items()
    ]
    text_lines += [
        f"Not computable from this source: {kind.replace('_', ' ')} ({reason})."
        for kind, reason in source.cannot.items()
    ]
    return text_lines + ([f"Before you quote its numbers: {source.caution}"] if source.caution else [])


def _reasons(outcome: str, reasons: dict[str, int]) -> list[str]:
    """The commonest reasons, each with its count."""
    ordered_reasons = sorted(reasons.items(), key=lambda pair: -pair[1])
    more_lines = (
        [f"{outcome} for {len(ordered_reasons) - MAX_REASONS_SHOWN:,} further reasons."]
        if len(ordered_reasons) > MAX_REASONS_SHOWN
        else []
    )
    return [f"{outcome}: {count:,} x {reason}." for reason, count in ordered_reasons[:MAX_REASONS_SHOWN]] + more_lines
