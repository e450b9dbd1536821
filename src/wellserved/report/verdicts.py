"""What the charts say of the report's period: better, worse, a wobble, or nothing that can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wellserved.chart import Chart
from wellserved.measure import Series
from wellserved.measure.series import Value
from wellserved.moments import NotComputable, Period
from wellserved.report.answers import ReportAnswers
from wellserved.wording import format_interval, format_number, format_percent, format_value


@dataclass(frozen=True)
class PeriodVerdict:
    """What one chart says of the period."""

    kind: Literal["signal", "wobble", "cannot"]
    side: Literal["better", "worse", "neither"] = "neither"
    rules: str = ""  # which rules fired, in words
    since: Period | None = None  # the first period of a signal that lasts
    beyond_limits: bool = False  # a point of the signal lies outside the control limits
    drifts: bool = False  # over the whole chart the level does not stand still
    reason: str = ""  # why nothing can be told

    @property
    def words(self) -> str:
        """worse: beyond a control limit; the level drifts."""
        text = {
            "signal": f"{self.side if self.side != 'neither' else 'signal'}: {self.rules}",
            "wobble": "no signal",
            "cannot": f"cannot tell: {self.reason}",
        }[self.kind]
        return f"{text}; the level drifts" if self.drifts else text


def period_position(answers: ReportAnswers, name: str) -> int | None:
    """The position of the report's period in a measure's chart."""
    labels = [period.label if period else "" for period in answers.over_time[name].periods]
    return labels.index(answers.period.label) if answers.period.label in labels else None


def period_verdict(answers: ReportAnswers, name: str) -> PeriodVerdict:
    """What a measure's chart says of the report's period."""
    chart, position = answers.charts.get(name), period_position(answers, name)
    if chart is None or position is None:
        return PeriodVerdict("cannot", reason="no chart")
    return verdict_at(chart, position)


def verdict_at(chart: Chart, position: int) -> PeriodVerdict:
    """What a chart says of one of its periods."""
    if isinstance(chart.limits, NotComputable):
        return PeriodVerdict("cannot", reason=chart.limits.reason)
    drifts = any(signal.rule == "few_crossings" for signal in chart.signals)
    signals = [
        signal for signal in chart.signals if signal.rule != "few_crossings" and signal.first <= position <= signal.last
    ]
    if not signals:
        return PeriodVerdict("wobble", drifts=drifts)
    sides = {signal.verdict for signal in signals} - {"neither"}
    beyond_limits = [signal for signal in signals if signal.rule == "outside"]
    first = min(signal.first for signal in beyond_limits or signals)
    return PeriodVerdict(
        "signal",
        sides.pop() if len(sides) == 1 else "neither",
        " and ".join(dict.fromkeys(signal.words for signal in signals)),
        chart.series.periods[first] if first < position else None,
        bool(beyond_limits),
        drifts,
    )


HOURS_PER_DAY = 24


def _readable(value: float, series: Series) -> tuple[float, str]:
    """Times under a day in hours, since nobody reads 0.14 days; the series' own value decides for all of its numbers."""
    own = series.value[0] if len(series) else None
    if series.measure.unit == "days" and isinstance(own, float) and 0 < own < 1:
        return value * HOURS_PER_DAY, "hours"
    return value, series.measure.unit


def readable_value(series: Series) -> str:
    """The number of a series of one, in words: 74.4%, 4.07 days, 3.4 hours."""
    value = series.value[0]
    return str(value) if isinstance(value, NotComputable) else readable_number(value, series)


def readable_number(value: float, series: Series) -> str:
    """A number of a series' kind, in the unit of its own."""
    if series.measure.unit == "share":
        return format_value(value, series.measure.unit)
    number, unit = _readable(value, series)
    return f"{format_number(round(number, 4))} {unit}"


def readable_interval(series: Series) -> str:
    """The interval of a series of one, in the unit of its number."""
    low, high = series.low[0], series.high[0]
    if isinstance(low, NotComputable) or series.measure.unit == "share":
        return format_interval(low, high, series.measure.unit)
    start = format_number(_readable(low, series)[0])
    if isinstance(high, NotComputable):
        return f"95% interval {start} and up"
    return f"95% interval {start} to {format_number(_readable(high, series)[0])}"


def is_complete_count(series: Series) -> bool:
    """Everything was counted: an interval would say nothing, and n says it again."""
    return series.measure.kind in ("count", "stock")


def is_of_an_instant(series: Series) -> bool:
    """How much waits, or how old it is, as a period ends."""
    return series.measure.kind in ("stock", "stock_age")


def is_news(series: Series, now: Value | None, before: Value | None, side: str) -> bool:
    """A signal on a side is news; of what waits, where it also moved that way within the period: high since long ago is
    none. Fewer and younger is better."""
    if not is_of_an_instant(series):
        return True
    if not (isinstance(now, int | float) and isinstance(before, int | float)):
        return False
    return now > before if side == "worse" else now < before


def usual_range(chart: Chart, position: int, series: Series) -> str:
    """Between which numbers the process lies by itself, in the unit of the period's number; empty: not known."""
    if isinstance(chart.limits, NotComputable):
        return ""
    low, high = float(chart.limits.lower[position]), float(chart.limits.upper[position])
    if low != low:
        return ""
    if chart.series.measure.unit == "share":
        return f"{format_percent(low)} to {format_percent(high)}"
    low, high = _readable(low, series)[0], _readable(high, series)[0]
    return f"{format_number(round(low, 2))} to {format_number(round(high, 2))}"
