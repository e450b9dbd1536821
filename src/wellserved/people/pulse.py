"""How are we, without anybody being seen? What may be said of a group's weekly answers.

A threshold alone is no protection: whoever knows who was away can solve for single answers from sums over weeks. So
answers come out in blocks of four weeks that never overlap, once, for fixed groups, as a share rounded to tenths, and
only where five answered in the group and in everything that can be had by subtracting groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

FEWEST_ANSWERS: Final = 5  # k, in a group and in every complement
BLOCK_WEEKS: Final = 4
ANSWERS_EACH: Final = 2  # of a block's four, at least, to count
GOOD_MEAN: Final = 3.75
FEWEST_GOOD, MOST_GOOD = 2, 8  # of ten, beyond which it is said "or fewer", "or more"
PULSE_WORDS: Final = {1: "grumpy", 2: "flat", 3: "so-so", 4: "friendly", 5: "glad"}
HOUSE: Final = ""  # the group of everybody
_FIRST_MONDAY: Final = date(2026, 1, 5)  # blocks count from here


def block_of(day: date) -> int:
    """The number of the block of four weeks that holds a day."""
    return (day - _FIRST_MONDAY).days // (7 * BLOCK_WEEKS)


def block_start(block: int) -> date:
    """A block's first Monday."""
    return _FIRST_MONDAY + timedelta(weeks=BLOCK_WEEKS * block)


@dataclass(frozen=True)
class BlockAnswer:
    """One person's answers of one block, under a name that nobody outside the block knows."""

    person: str
    team: str  # that they belonged to throughout
    values: tuple[int, ...]  # 1 to 5, one a week at most


@dataclass(frozen=True)
class ReleasedMood:
    """What is said of a group: how many in ten are well, in how rough a number of people."""

    group: str
    good_in_ten: int  # 2: or fewer; 8: or more
    size: str  # 5-9, 10-19, ...

    @property
    def words(self) -> str:
        """As it is shown."""
        mark = {FEWEST_GOOD: " or fewer", MOST_GOOD: " or more"}.get(self.good_in_ten, "")
        return f"{self.good_in_ten} in 10{mark} are well ({self.size} people)"


@dataclass(frozen=True)
class BlockRelease:
    """What a block says, for ever; and of each group that it keeps silent about, why."""

    block: int
    moods: tuple[ReleasedMood, ...]
    silent: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]  # of the released groups: what the next block is compared with


def counted_answers(answers: Sequence[BlockAnswer]) -> list[BlockAnswer]:
    """Those who answered twice or more."""
    return [answer for answer in answers if len(answer.values) >= ANSWERS_EACH]


def release_block(
    block: int,
    answers: Sequence[BlockAnswer],
    persons: Mapping[str, frozenset[str]],
    earlier: Mapping[str, frozenset[str]],
) -> BlockRelease:
    """Decide what a block may say.

    `persons`: group -> who belonged to it throughout (answered or not), as names that last over blocks; `earlier`: the
    same of the block in which the group was last released. Nobody's answer may follow from two blocks: where a group
    differs from then by one to four people, it waits.
    """
    counted = counted_answers(answers)
    teams: dict[str, list[BlockAnswer]] = {}
    for answer in counted:
        if answer.team != HOUSE:
            teams.setdefault(answer.team, []).append(answer)
    groups = {HOUSE: counted, **dict(sorted(teams.items()))}
    silent: dict[str, str] = {}
    waiting: list[str] = []
    for group, rows in groups.items():
        own = persons.get(group, frozenset())
        # whatever a group was called when it was told of: what counts is who was in it
        changes = [len(own ^ others) for others in earlier.values()]
        if len(rows) < FEWEST_ANSWERS:
            silent[group] = f"fewer than {FEWEST_ANSWERS} answered"
        elif any(0 < change < FEWEST_ANSWERS for change in changes):
            silent[group] = "its people changed a little since it was last said"
            waiting.append(group)
    sizes = {group: len(rows) for group, rows in groups.items()}
    released = _without_small_rests(sizes, silent, sum(sizes[group] for group in waiting if group != HOUSE))
    return BlockRelease(
        block,
        tuple(_mood(group, groups[group]) for group in released),
        silent,
        {group: tuple(sorted(persons.get(group, frozenset()))) for group in released},
    )


def _without_small_rests(sizes: Mapping[str, int], silent: dict[str, str], waiting: int) -> list[str]:
    """The groups that may be said: what is left of everybody without them is nobody, or five or more, and five or more beside
    those who wait, who could else be had as what is left."""
    children = sorted(
        (group for group in sizes if group != HOUSE and group not in silent), key=lambda group: (sizes[group], group)
    )
    is_house_open = HOUSE not in silent
    while children and is_house_open:
        rest = sizes[HOUSE] - sum(sizes[group] for group in children)
        if rest == 0 or (rest >= FEWEST_ANSWERS and (not waiting or rest - waiting >= FEWEST_ANSWERS)):
            break
        silent[children[0]] = "the rest could be worked out from it"
        children = children[1:]
    return ([HOUSE] if is_house_open else []) + sorted(children)


def _mood(group: str, rows: Sequence[BlockAnswer]) -> ReleasedMood:
    good = sum(sum(row.values) / len(row.values) >= GOOD_MEAN for row in rows)
    tenths = (20 * good + len(rows)) // (2 * len(rows))  # half up
    return ReleasedMood(group, min(max(tenths, FEWEST_GOOD), MOST_GOOD), size_band(len(rows)))


def size_band(count: int) -> str:
    """5-9, 10-19, 20-39, ...: each band twice as wide."""
    low, high = FEWEST_ANSWERS, 2 * FEWEST_ANSWERS
    while count >= high:
        low, high = high, 2 * high
    return f"{low}-{high - 1}"
