"""Who belongs to what when a pulse is answered, and how moods go with customers' ratings."""

from __future__ import annotations

from datetime import date

import numpy as np

from wellserved.actions.open_cases import open_case_table
from wellserved.journal import pulse
from wellserved.journal.handle import Journal
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.interval import Z
from wellserved.moments import NotComputable, period_of
from wellserved.people.pulse import HOUSE, block_start
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Person, Role

FEWEST_BLOCKS = 8  # of moods beside ratings, for a relation


def team_members() -> dict[str, list[int]]:
    """Team -> who belongs to it now; who has no team belongs to the house alone."""
    members: dict[str, list[int]] = {}
    people = Person.objects.filter(is_active=True).exclude(role=Role.alone).select_related("team").order_by("pk")
    for person in people:
        members.setdefault(person.team.name if person.team else HOUSE, []).append(person.pk)
    return members


def answer_pulse(journal: Journal, person: Person, value: int, today: date) -> None:
    """Keep an answer for oneself, and let it count for one's group, once there is one."""
    journal.keep_pulse(period_of(today, "week").label, value)
    if person.role != Role.alone:
        pulse.count_answer(person.pk, person.team.name if person.team else HOUSE, value, today, team_members())


def keep_blocks(today: date) -> None:
    """Tell of what is over, and note who belongs to what where a new block has begun."""
    members = team_members()
    pulse.release_due_blocks(today, members)
    if sum(map(len, members.values())) > 1:
        pulse.open_block(today, members)


def good_ratings(workspace: Workspace, team: str, blocks: tuple[int, ...]) -> dict[int, float]:
    """The share of good ratings of a team, or of all, in blocks of four weeks; blocks with too few are left out."""
    if log.latest_version(workspace) < 0 or not blocks:
        return {}
    where = (("team", team),) if team != HOUSE else ()
    shares: dict[int, float] = {}
    with open_case_table(workspace) as case_table:
        for block in blocks:
            span = block_start(block), block_start(block + 1)
            question = MeasureQuestion((find_measure("rating_good"),), None, None, *span, where)
            value = next(iter(answer_question(case_table, question)["rating_good"].value), NotComputable("no cases"))
            if not isinstance(value, NotComputable):
                shares[block] = float(value)
    return shares


def mood_and_ratings(moods: dict[int, int], ratings: dict[int, float]) -> tuple[float, float, float] | NotComputable:
    """Correlation of told moods with customers' ratings over blocks, with its 95% interval (Fisher's z)."""
    blocks = sorted(moods.keys() & ratings.keys())
    if len(blocks) < FEWEST_BLOCKS:
        return NotComputable(f"{len(blocks)} blocks have both; it takes {FEWEST_BLOCKS}")
    x, y = np.array([moods[block] for block in blocks], dtype=float), np.array([ratings[block] for block in blocks])
    if not x.std() or not y.std():
        return NotComputable("one of the two never changed")
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -0.999999, 0.999999))
    half_width = Z / np.sqrt(len(blocks) - 3)
    return r, float(np.tanh(np.arctanh(r) - half_width)), float(np.tanh(np.arctanh(r) + half_width))
