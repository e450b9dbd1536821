"""Cases to Series: versioned definitions, asked all at once, every number with n and interval."""

from wellserved.measure.declared import MEASURES, SUBJECTS, find_measure
from wellserved.measure.definition import Measure
from wellserved.measure.series import Question, Series, rows

__all__ = [
    "MEASURES",
    "SUBJECTS",
    "Measure",
    "Question",
    "Series",
    "find_measure",
    "rows",
]
