"""The pulse: one answer a week, for oneself at once; of a group what `people.pulse` lets out, once in four weeks, for ever.

Rows that count towards a group carry a name that only their block's key makes. Once the block is told of, key and rows
are gone. Nobody reads them but `release_due_blocks`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connections, transaction

from wellserved.journal.models import PulseBlock, PulseCount, PulseRelease
from wellserved.moments import period_of
from wellserved.people.pulse import (
    HOUSE,
    PULSE_WORDS,
    BlockAnswer,
    ReleasedMood,
    block_of,
    block_start,
    release_block,
)

Members = Mapping[str, Sequence[int]]  # team -> who belongs to it


@dataclass(frozen=True)
class PulseBlockMoods:
    """What was told of four weeks."""

    block: int
    starts: date
    moods: tuple[ReleasedMood, ...]


def count_answer(person: int, team: str, value: int, today: date, members: Members) -> None:
    """Let a week's answer count for the group that its giver belongs to; another one in the same week takes its place."""
    if value not in PULSE_WORDS:
        raise ValueError(value)
    with transaction.atomic("journal"):
        block = open_block(today, members)
        PulseCount.objects.update_or_create(
            block=block, person=_name(bytes(block.key), person), week=period_of(today, "week").label, defaults={"team": team, "value": value}
        )  # fmt: skip


def open_block(today: date, members: Members) -> PulseBlock:
    """The block of a day; where it has just begun, who belongs to what is noted."""
    number = block_of(today)
    block, _is_new = PulseBlock.objects.get_or_create(
        block=number,
        defaults={
            "key": secrets.token_bytes(32),
            "members": {team: sorted(people) for team, people in members.items()},
        },
    )
    return block


def _name(key: bytes, person: int) -> str:
    return hmac.new(key, str(person).encode(), hashlib.sha256).hexdigest()


def release_due_blocks(today: date, members: Members) -> int:
    """Tell of the blocks that are over what may be told, and forget their answers; how many blocks."""
    released_count = 0
    for number in (
        PulseBlock.objects.filter(block__lt=block_of(today)).order_by("block").values_list("block", flat=True)
    ):
        with transaction.atomic("journal"):
            block = PulseBlock.objects.select_for_update().filter(block=number).first()
            if block is None:
                continue
            _release(block, members)
            released_count += 1
    if released_count:
        _wipe_freed_pages()
    return released_count


def _release(block: PulseBlock, members: Members) -> None:
    stayed = {team: sorted(set(people) & set(members.get(team, ()))) for team, people in block.members.items()}
    key = bytes(block.key)
    team_of = {_name(key, person): team for team, people in stayed.items() for person in people}
    values: dict[str, list[int]] = {}
    for row in PulseCount.objects.filter(block=block).order_by("week"):
        if team_of.get(row.person) == row.team:
            values.setdefault(row.person, []).append(row.value)
    answers = [BlockAnswer(name, team_of[name], tuple(given)) for name, given in values.items()]
    persons = {team: frozenset(map(str, people)) for team, people in stayed.items()}
    persons[HOUSE] = frozenset().union(*persons.values()) if persons else frozenset()
    release = release_block(block.block, answers, persons, _last_members())
    told: dict[str, Any] = {
        "moods": [[mood.group, mood.good_in_ten, mood.size] for mood in release.moods],
        "members": {group: list(people) for group, people in release.members.items()},
    }
    PulseRelease.objects.get_or_create(block=block.block, defaults={"told": told})
    PulseCount.objects.filter(block=block).delete()
    block.delete()


def _last_members() -> dict[str, frozenset[str]]:
    """Who belonged to each group when it was last told of."""
    last: dict[str, frozenset[str]] = {}
    for row in PulseRelease.objects.order_by("block"):
        last |= {group: frozenset(people) for group, people in row.told["members"].items()}
    return last


def _wipe_freed_pages() -> None:
    """What SQLite deleted is overwritten in its file, and stays in the log beside it until that is taken over."""
    connection = connections["journal"]
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def told_blocks() -> list[PulseBlockMoods]:
    """All that was told, the latest first."""
    return [
        PulseBlockMoods(row.block, block_start(row.block), tuple(ReleasedMood(*mood) for mood in row.told["moods"]))
        for row in PulseRelease.objects.order_by("-block")
    ]
