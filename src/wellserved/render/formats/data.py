"""Report and charts as plain data: what JSON and CSV hold, in full digits, from the same Series as every screen."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wellserved.measure import Measure, Series, series_records
from wellserved.measure.series import SERIES_COLUMNS
from wellserved.moments import NotComputable
from wellserved.render.formats.csv import csv_text
from wellserved.report import BriefPart, Finding, Report, Section

if TYPE_CHECKING:
    from wellserved.chart import Chart


def series_rows(series_list: Iterable[Series]) -> list[dict[str, object]]:
    """All numbers of several series, one record each."""
    return [row for series in series_list for row in series_records(series)]


def series_csv(series_list: Iterable[Series]) -> str:
    """All numbers of several series as CSV."""
    return csv_text(SERIES_COLUMNS, ([row[column] for column in SERIES_COLUMNS] for row in series_rows(series_list)))


def measure_definition(measure: Measure) -> dict[str, object]:
    """A measure's definition in words and in SQL."""
    return {key: value for key, value in asdict(measure).items() if key != "calendar_twin"}  # a measure by itself


def chart_rows(chart: Chart) -> list[dict[str, object]]:
    """A chart's numbers: the series with limits and one column a rule."""
    records = []
    for position, row in enumerate(series_records(chart.series)):
        limits: dict[str, object] = dict.fromkeys(("lower_limit", "centre", "upper_limit"))
        if not isinstance(chart.limits, NotComputable):
            values = (chart.limits.lower[position], chart.limits.centre[position], chart.limits.upper[position])
            limits = {
                name: float(value) if math.isfinite(value) else None for name, value in zip(limits, values, strict=True)
            }
        records.append({**row, **limits, **{rule: bool(mask[position]) for rule, mask in chart.signal_masks.items()}})
    return records


def chart_data(chart: Chart) -> dict[str, object]:
    """A chart as data: what it is, its numbers, and what it found."""
    limits = chart.limits.reason if isinstance(chart.limits, NotComputable) else None
    return {
        "measure": chart.series.measure.name,
        "kind": chart.kind,
        "rules": chart.rule_set,
        "no_limits": limits,
        "screening": chart.screening_note or None,
        "warning": chart.warning or None,
        "runs": asdict(chart.runs) if chart.runs else None,
        "signals": [asdict(signal) for signal in chart.signals],
        "points": chart_rows(chart),
    }


def chart_csv(chart: Chart) -> str:
    """A chart's numbers as CSV."""
    numbers = chart_rows(chart)
    columns = list(numbers[0]) if numbers else list(SERIES_COLUMNS)
    return csv_text(columns, ([row[column] for column in columns] for row in numbers))


def _finding(finding: Finding) -> dict[str, object]:
    def json_value(value: object) -> object:
        return None if isinstance(value, NotComputable) else value

    return {
        "text": finding.text,
        "small": finding.small,
        "tone": finding.tone,
        "measure": finding.measure.name if finding.measure else None,
        "n": finding.n,
        "value": json_value(finding.value),
        "low": json_value(finding.low),
        "high": json_value(finding.high),
        "not_computed": finding.value.reason if isinstance(finding.value, NotComputable) else None,
    }


def _brief_part(part: BriefPart) -> dict[str, object]:
    return {
        "key": part.key,
        "title": part.title,
        "lines": [
            {
                "sentence": line.sentence,
                "number": line.number,
                "small": line.small,
                "tone": line.tone,
                "measure": line.measure.name if line.measure else None,
            }
            for line in part.lines
        ],
    }


def _section(section: Section) -> dict[str, object]:
    return {
        "key": section.key,
        "title": section.title,
        "findings": [_finding(finding) for finding in section.findings],
        "charts": [chart_data(chart) for chart in section.charts],
        "funnels": [asdict(funnel) for funnel in section.funnels],
        "paretos": [asdict(pareto) for pareto in section.paretos],
        "tables": [asdict(table) for table in section.tables],
    }


def report_data(report: Report) -> dict[str, Any]:
    """The whole report as data."""
    return {
        "title": report.title,
        "source": report.source,
        "credit": report.credit,
        "caution": report.caution,
        "zone": report.zone,
        "every": report.granularity,
        "period": report.period.label,
        "first": report.first.isoformat(),
        "as_of": report.as_of.isoformat(),
        "log_version": report.log_version,
        "wellserved": report.wellserved_version,
        "brief": [_brief_part(part) for part in report.brief],
        "sections": [_section(section) for section in report.sections],
        "series": series_rows(report.series),
        "definitions": [measure_definition(measure) for measure in report.definitions],
    }


def as_json(data: object) -> str:
    """Strict JSON: no NaN, no infinity."""
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False, default=str) + "\n"
