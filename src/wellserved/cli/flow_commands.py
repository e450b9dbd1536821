"""Commands about how cases flow: what was promised, who hands over, who waits."""

from __future__ import annotations

from typing import Annotated

import typer

from wellserved.cli.shared import (
    Format,
    FormatOption,
    HomeOption,
    OutputOption,
    SinceOption,
    SourceOption,
    UntilOption,
    WhereOption,
    app,
    progress,
    question_of,
    seconds_of,
    show_tables,
    workspace_at,
)


@app.command("promises")
def promises_(
    by: Annotated[
        str | None, typer.Option("--by", help="Split by a column: service, team, promised (its length) ...")
    ] = "service",
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Set what is promised beside what came of it: kept, agreed anew, too late, and what would keep nine in ten."""
    from wellserved.actions import questions
    from wellserved.render.tables import promises

    question = question_of(list(promises.PROMISE_MEASURES), by, None, since, until, where)
    with progress() as on_progress:
        series = questions.ask_measures(workspace_at(home), question, on_progress, must_match=True)
    show_tables([promises.promise_table(series, by)], format_, output)


@app.command("chain")
def chain_(
    source: SourceOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Follow hand-overs: who is whose supplier, where time is lost, and whose cases fail downstream."""
    from wellserved.actions import flows
    from wellserved.render.charts import queues as queue_pictures
    from wellserved.render.tables import chains

    with progress() as on_progress:
        chain = flows.follow_chain(workspace_at(home), source, on_progress)
    title = "Hand-overs: where cases lie, and whose fail downstream"
    show_tables(chains.chain_tables(chain), format_, output, title, [queue_pictures.team_time_picture(chain)])


@app.command("queue")
def queue_(
    target: Annotated[str, typer.Option("--within", help="The time within which to serve: 20s, 5m, 4h, 2d.")] = "1h",
    slot: Annotated[str, typer.Option("--slot", help="Length of an interval of the day: 30m, 1h.")] = "1h",
    handling: Annotated[
        str | None, typer.Option("--handling", help="Mean time of work a case (240s, 10m): adds what it would take.")
    ] = None,
    goal: Annotated[float, typer.Option("--goal", help="Share to be served within the time.")] = 0.8,
    servers: Annotated[
        int | None, typer.Option("--servers", help="How many serve, to compare the formula with.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show a queue: who is served, who leaves, who waits, by time of day, and what it would take."""
    from wellserved.actions import flows
    from wellserved.queueing.staffing import staffing
    from wellserved.render.charts import queues as queue_pictures
    from wellserved.render.tables import queues

    question = question_of([], None, None, since, until, where)
    target_seconds, slot_seconds = seconds_of(target, "--within"), seconds_of(slot, "--slot")
    with progress() as on_progress:
        queue = flows.ask_queue(workspace_at(home), question, target_seconds, slot_seconds, on_progress)
    tables = queues.queue_tables(queue)
    if handling is not None:
        staffing_rows = staffing(queue, slot_seconds, seconds_of(handling, "--handling"), goal, servers)
        tables.append(queues.staffing_table(staffing_rows, goal, servers is not None))
    title = "The queue: who was served, who left, who waits"
    show_tables(tables, format_, output, title, [queue_pictures.waiting_picture(queue)])
