"""Cases to Series: versioned definitions, asked all at once, every number with n and interval."""

from wellserved.measure.ask import answer
from wellserved.measure.declared import MEASURES, SUBJECTS, find_measure
from wellserved.measure.definition import Measure
from wellserved.measure.scope import Scope, scope_of
from wellserved.measure.series import Question, Series, rows

__all__ = [
    "MEASURES",
    "SUBJECTS",
    "Measure",
    "Question",
    "Scope",
    "Series",
    "answer",
    "find_measure",
    "rows",
    "scope_of",
]
