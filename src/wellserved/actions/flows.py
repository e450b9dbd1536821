"""How cases flow: queues, and hand-overs between teams."""

from __future__ import annotations

from wellserved.actions.open_cases import check_filters, open_case_table, opening_hours
from wellserved.errors import UnknownNameError
from wellserved.explore.chain import Chain, chain
from wellserved.measure import MeasureQuestion
from wellserved.measure.timeline import (
    make_moment_table,
)
from wellserved.progress import ProgressCallback, no_progress
from wellserved.queueing import Queue, analyse_queue
from wellserved.storage.workspace import Workspace


def ask_queue(
    workspace: Workspace,
    question: MeasureQuestion,
    seconds: int,
    slot: int,
    on_progress: ProgressCallback = no_progress,
) -> Queue:
    """What became of those who asked in a span: served, left, or waiting; the whole and by interval of the day."""
    with open_case_table(workspace, on_progress) as case_table:
        check_filters(case_table, question)
        on_progress("Counting waits", 0, 0)
        return analyse_queue(case_table, question, seconds, slot)


def follow_chain(workspace: Workspace, source: str | None, on_progress: ProgressCallback = no_progress) -> Chain:
    """Who hands over to whom, where time lies, and whose cases fail downstream."""
    with open_case_table(workspace, on_progress, with_moments=True) as case_table:
        if source is not None and source not in case_table.as_of:
            raise UnknownNameError("source", source, case_table.as_of)
        on_progress("Following hand-overs", 0, 0)
        return chain(make_moment_table(case_table, "moments", opening_hours(workspace)), source)
