"""How much comes in, goes out, and lies."""

from __future__ import annotations

from typing import Final

from wellserved.measure.measure import ALL_CASES, CASES_OF_KNOWN_END, MIDPOINT_HISTORY, Measure

LOAD: Final[tuple[Measure, ...]] = (
    Measure(
        name="asked",
        version=1,
        question="How much were we asked for?",
        kind="count",
        unit="cases",
        better="neither",
        anchor="asked",
        population=ALL_CASES,
        counted="all cases",
        formula="cases whose first ask falls in the period",
        minimum_n=0,
        source="count with Garwood 1936 interval",
    ),
    Measure(
        name="resolved",
        version=1,
        question="How much did we finish?",
        kind="count",
        unit="cases",
        better="neither",
        anchor="resolved",
        population="resolved_s IS NOT NULL AND abandoned = 0",
        counted="cases closed by now, abandoned ones left out",
        formula="cases whose last resolution falls in the period",
        needs="resolved_s IS NOT NULL",
        lacking="times of resolution",
        relies_on=("resolved",),
        exclusions="cases closed at a time that the source does not give",
        minimum_n=0,
        source="count with Garwood 1936 interval",
    ),
    Measure(
        name="still_open",
        version=1,
        question="How much was waiting at the end of the period?",
        kind="stock",
        unit="cases",
        better="lower",
        anchor="asked",
        population=CASES_OF_KNOWN_END,
        counted="all cases",
        formula="cases asked for before the period's end and not finally resolved before it",
        relies_on=("resolved",),
        exclusions="cases closed at a time that the source does not give",
        minimum_n=0,
        source="count with Garwood 1936 interval",
    ),
    Measure(
        name="open_age",
        version=2,
        question="How old was the typical waiting case at the end of the period?",
        kind="stock_age",
        unit="days",
        better="lower",
        anchor="asked",
        population=CASES_OF_KNOWN_END,
        counted="cases open at the period's end",
        formula="median time since the first ask",
        relies_on=("resolved",),
        exclusions="cases closed at a time that the source does not give",
        history=MIDPOINT_HISTORY,
        source="order statistics; Hahn and Meeker 1991, section 5.2",
    ),
)
