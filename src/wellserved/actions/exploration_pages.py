"""Explorations as pages, each from end to end in the analysing process: what is asked, its tables and its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wellserved.actions import explorations, flows, questions
from wellserved.errors import RequestError
from wellserved.measure import MeasureQuestion
from wellserved.render.charts import insights as insight_charts
from wellserved.render.charts import queues as queue_charts
from wellserved.render.charts.svg import Picture
from wellserved.render.formats import html
from wellserved.render.tables import chains, insights, promises, queues
from wellserved.storage.workspace import Workspace

HOUR_SECONDS: Final = 3_600
ExplorationAnswer = tuple[Sequence[Any], Sequence[Picture]]  # tables and pictures


@dataclass(frozen=True)
class Exploration:
    """One way to look closer; it never says that something improved."""

    title: str
    question: str
    answer: Callable[[Workspace, MeasureQuestion], ExplorationAnswer]
    takes_column: bool = False  # the page offers to split by a column
    takes_span: bool = False
    takes_filter: bool = False  # else by source alone


def _promises(workspace: Workspace, question: MeasureQuestion) -> ExplorationAnswer:
    by = question.by or "service"
    asked = questions.with_measures(question, promises.PROMISE_MEASURES, by)
    return [promises.promise_table(questions.ask_measures(workspace, asked, must_match=True), by)], []


def _chain(workspace: Workspace, question: MeasureQuestion) -> ExplorationAnswer:
    chain = flows.follow_chain(workspace, dict(question.where).get("source"))
    return chains.chain_tables(chain), [queue_charts.team_time_picture(chain)]


def _queue(workspace: Workspace, question: MeasureQuestion) -> ExplorationAnswer:
    queue = flows.ask_queue(workspace, questions.with_measures(question, (), None), HOUR_SECONDS, HOUR_SECONDS)
    return queues.queue_tables(queue), [queue_charts.waiting_picture(queue)]


def _drivers(workspace: Workspace, question: MeasureQuestion) -> ExplorationAnswer:
    drivers = explorations.find_drivers(workspace, question.where)
    return [insights.driver_table(drivers)], [insight_charts.driver_picture(drivers)]


def _gap(workspace: Workspace, question: MeasureQuestion) -> ExplorationAnswer:
    gaps = explorations.find_gaps(workspace, question.by or "service", question.where)
    return [insights.gap_table(gaps)], [insight_charts.gap_picture(gaps)]


def _shift(workspace: Workspace, question: MeasureQuestion) -> ExplorationAnswer:
    span = question.since, question.until
    measure_name = question.measures[0].name
    found = explorations.find_shift(workspace, measure_name, question.granularity or "week", question.where, span)
    return [insights.shift_table(*found)], []


EXPLORATIONS: Final = {
    "promises": Exploration(
        "Promises", "What is promised, what is kept, and what would keep nine in ten?", _promises, True, True, True
    ),
    "chain": Exploration("Hand-overs", "Where do cases lie, and whose fail downstream?", _chain),
    "queue": Exploration("The queue", "Who is served, who leaves, who waits?", _queue, False, True, True),
    "drivers": Exploration("Drivers", "What goes with bad ratings?", _drivers, False, False, True),
    "gap": Exploration(
        "Expectation and experience", "What did customers expect, and what did they get?", _gap, True, False, True
    ),
    "shift": Exploration(
        "A shift", "When did the time to resolution shift, if nobody declared a change?", _shift, False, True, True
    ),
}


def check_question(exploration: Exploration, question: MeasureQuestion) -> None:
    """Raise where a question asks for what the exploration would pass over in silence."""
    columns = {column for column, _value in question.where}
    if not exploration.takes_filter and columns - {"source"}:
        raise RequestError(
            "Hand-overs are followed over all cases of a source.", "Filter by source alone, or not at all."
        )
    if not exploration.takes_span and (question.since or question.until):
        raise RequestError("This looks at the whole record.", "Leave out since and until.")
    if not exploration.takes_column and question.by:
        raise RequestError("This is not split by a column.", "Leave out by.")


def exploration_page(workspace: Workspace, name: str, question: MeasureQuestion) -> str:
    """An exploration of EXPLORATIONS, to stand within a page."""
    exploration = EXPLORATIONS[name]
    check_question(exploration, question)
    tables, pictures = exploration.answer(workspace, question)
    return html.tables_page(exploration.question, tables, pictures, html.BARE_LAYOUT)
