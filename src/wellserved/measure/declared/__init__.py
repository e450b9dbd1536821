"""The measures, declared as data by what they are about: to add one, add one declaration; measure.py says what its parts mean."""

from __future__ import annotations

from typing import Final

from wellserved.errors import UnknownNameError
from wellserved.measure.declared.load import LOAD
from wellserved.measure.declared.promises import PROMISES
from wellserved.measure.declared.scores import SCORES
from wellserved.measure.declared.service import SERVICE
from wellserved.measure.declared.waits import WAITS
from wellserved.measure.measure import Measure

SUBJECTS: Final[dict[str, tuple[Measure, ...]]] = {
    "Volume and backlog": LOAD,
    "Waits": WAITS,
    "Promises": PROMISES,
    "How cases go": SERVICE,
    "Ratings": SCORES,
}
"""What measures are about -> those measures."""
MEASURES: Final[tuple[Measure, ...]] = tuple(measure for measures in SUBJECTS.values() for measure in measures)


def find_measure(name: str) -> Measure:
    """The measure of that name."""
    for measure in MEASURES:
        if measure.name == name:
            return measure
    raise UnknownNameError("measure", name, [measure.name for measure in MEASURES])
