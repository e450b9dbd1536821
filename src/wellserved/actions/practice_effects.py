"""What came of a practice: whom it reached, and what it did where it was taken up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from wellserved.actions.improvements import prove_adoption
from wellserved.actions.open_cases import open_case_table
from wellserved.errors import WellservedError
from wellserved.improvement import find_record
from wellserved.measure.case_table import filter_sql
from wellserved.measure.series import MeasureQuestion
from wellserved.moments import day_number
from wellserved.prove.adoption import AdoptionEffect
from wellserved.storage import log
from wellserved.storage.workspace import Workspace

Spans = tuple[tuple[str, str, str, date, date | None], ...]  # holder, column, value, since, until


@dataclass(frozen=True)
class PracticeEffect:
    """What a practice did; or why that cannot be told."""

    reach: dict[str, int]  # holder -> cases asked while they had the practice
    effect: AdoptionEffect | None = None
    reason: str = ""  # why there is no effect to tell


def practice_effect(
    workspace: Workspace, improvement: str, spans: Spans, unconfirmed_teams: tuple[str, ...] = ()
) -> PracticeEffect:
    """The cases that each adopter had with the practice, and the effect of taking it up by the staggered proof.

    `improvement`: the declared one that says which cases and which measure; empty: all cases, and no effect.
    """
    if log.latest_version(workspace) < 0:
        return PracticeEffect({}, reason="there are no records yet")
    declaration = find_record(workspace, improvement).improvement if improvement else None
    # the team in which it was tried out first is no limit for those who took it up
    where = tuple(pair for pair in declaration.where if pair[0] not in ("team", "person_id")) if declaration else ()
    reach = count_reach(workspace, where, spans)
    if declaration is None:
        return PracticeEffect(reach, reason="it names no improvement, and so no measure")
    days = {value: since for _holder, column, value, since, _until in spans if column == "team"}
    if not days:
        reason = (
            "nobody has taken it up yet"
            if len(spans) <= 1
            else "it can be told where teams take it up, not single people"
        )
        return PracticeEffect(reach, reason=reason)
    days |= {value: date.fromisoformat(declaration.since) for column, value in declaration.where if column == "team"}
    candidate = replace(declaration, where=where)
    try:
        effect = prove_adoption(
            workspace, candidate, "team", tuple(days.items()), (None, None), left_out=unconfirmed_teams
        )
    except WellservedError as error:
        return PracticeEffect(reach, reason=f"{error.problem} {error.remedy}")
    if not effect.is_claimed:
        return PracticeEffect(reach, effect, "no effect is shown yet, so that there is nothing to divide")
    return PracticeEffect(reach, effect)


def count_reach(workspace: Workspace, where: tuple[tuple[str, str], ...], spans: Spans) -> dict[str, int]:
    """Holder -> cases asked from the day on which they took it up to the day on which they ended it; a case of a team whose server
    took it up alone as well counts at that person."""
    reach = {}
    people = [span for span in spans if span[1] == "person_id"]
    with open_case_table(workspace) as case_table:
        for holder, column, value, since, until in spans:
            condition, parameters = filter_sql(case_table, MeasureQuestion((), where=(*where, (column, value))))
            terms = [condition, _asked_between(since, until)]
            for number, (_name, _column, person, person_since, person_until) in enumerate(
                people if column == "team" else ()
            ):
                parameters[f"p{number}"] = person
                own = f"CAST(person_id AS {case_table.engine.string}) = $p{number} AND {_asked_between(person_since, person_until)}"
                terms.append(f"NOT (person_id IS NOT NULL AND {own})")
            sql = f"SELECT count(*) AS cases FROM {case_table.table} WHERE {' AND '.join(terms)}"
            reach[holder] = int(case_table.engine.query(sql, parameters)["cases"].to_pylist()[0])
    return reach


def _asked_between(since: date, until: date | None) -> str:
    """SQL: a case was asked in a span, both days included."""
    end = f" AND asked_day <= {day_number(until)}" if until else ""
    return f"asked_day >= {day_number(since)}{end}"
