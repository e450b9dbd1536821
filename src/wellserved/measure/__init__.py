"""Cases to Series: versioned definitions, asked all at once, every number with n and interval."""

from wellserved.measure.declared import MEASURES, SUBJECTS, find_measure
from wellserved.measure.measure import Measure
from wellserved.measure.series import MeasureQuestion, Series, series_records

__all__ = [
    "MEASURES",
    "SUBJECTS",
    "Measure",
    "MeasureQuestion",
    "Series",
    "find_measure",
    "series_records",
]
