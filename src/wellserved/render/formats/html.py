"""The report as one self-contained page: own style, own pictures, no outside request, no script."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wellserved.chart import CHART_KINDS, Chart
from wellserved.measure import MEASURES, Measure, Series, series_records
from wellserved.measure.series import SERIES_COLUMNS
from wellserved.moments import DATE_BASES, NotComputable
from wellserved.render.charts import svg
from wellserved.render.charts.multiples import segment_pictures
from wellserved.render.charts.svg import Picture
from wellserved.render.formats.data import chart_rows
from wellserved.report import Report, Table
from wellserved.wording import format_interval, format_number, format_percent, format_value, period_name

_PAGES = Environment(
    loader=PackageLoader("wellserved", "render"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _both_sizes(wide: str, narrow: str) -> Markup:
    return Markup(wide + narrow)


def _chart(chart: Chart) -> Markup:
    return _both_sizes(svg.draw_control_chart(chart, svg.WIDE), svg.draw_control_chart(chart, svg.NARROW))


def _cell(value: object) -> str:
    """A number in a table: four significant digits are enough to read; JSON and CSV hold all."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "signal" if value else ""
    if isinstance(value, float):
        return format_number(value) if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


_PAGES.globals.update(
    chart_svg=_chart,
    funnel_svg=lambda funnel: _both_sizes(svg.draw_funnel(funnel, svg.WIDE), svg.draw_funnel(funnel, svg.NARROW)),
    pareto_svg=lambda pareto: _both_sizes(svg.draw_pareto(pareto, False), svg.draw_pareto(pareto, True)),
    chart_rows=chart_rows,
    chart_kinds=CHART_KINDS,
    anchors=DATE_BASES,
    period_name=period_name,
    describe=svg.describe,
    layout="base.html",
)
_PAGES.filters.update(cell=_cell, number=format_number, percent=format_percent)


BARE_LAYOUT = "bare.html"  # a page's content alone, to stand within another page


def report_page(report: Report, layout: str = "base.html") -> str:
    """The report as HTML."""
    used_measures = {
        finding.measure.name for section in report.sections for finding in section.findings if finding.measure
    }
    used_measures |= {line.measure.name for part in report.brief for line in part.lines if line.measure}
    used_measures |= {chart.series.measure.name for section in report.sections for chart in section.charts}
    definitions = [measure for measure in report.definitions if measure.name in used_measures]
    return _PAGES.get_template("report.html").render(report=report, definitions=definitions, layout=layout)


def series_page(series_list: list[Series], layout: str = "base.html") -> str:
    """Measures over periods and segments as a page of tables, each with its segments side by side where there are several."""
    tables = [
        {"series": series, "pictures": segment_pictures(series), **_series_rows(series)} for series in series_list
    ]
    return _PAGES.get_template("series.html").render(
        tables=tables, columns=SERIES_COLUMNS, anchors=DATE_BASES, layout=layout
    )


def _series_rows(series: Series) -> dict[str, object]:
    """The rows of a series as its table shows them, and how many without a case are left out."""
    unit = series.measure.unit
    rows = [
        {
            **row,
            "shown": "–" if isinstance(value, NotComputable) else format_value(value, unit),
            "interval": format_interval(series.low[position], series.high[position], unit),
        }
        for position, (row, value) in enumerate(zip(series_records(series), series.value, strict=True))
        if not _is_empty(series, position)
    ]
    return {"rows": rows, "empty": len(series) - len(rows)}


def _is_empty(series: Series, position: int) -> bool:
    """A period of a segment without a case, of several."""
    return len(series) > 1 and not series.n[position] and isinstance(series.value[position], NotComputable)


def tables_page(
    title: str, tables: Sequence[Table], pictures: Sequence[Picture] = (), layout: str = "base.html"
) -> str:
    """Tables with their pictures as a page."""
    return _PAGES.get_template("tables.html").render(title=title, tables=tables, pictures=pictures, layout=layout)


def chart_page(chart: Chart, layout: str = "base.html") -> str:
    """One chart as a page."""
    return _PAGES.get_template("chart.html").render(chart=chart, layout=layout)


def reason_page(measure: Measure, reason: str, layout: str = "base.html") -> str:
    """A measure that cannot be computed, and why."""
    return _PAGES.get_template("reason.html").render(measure=measure, reason=reason, layout=layout)


def render_page(template: str, **context: object) -> str:
    """A page from a template of this folder; all that is given is escaped but for our own drawings."""
    return _PAGES.get_template(template).render(**context)


def index_page(reports: list[tuple[str, Report]]) -> str:
    """A page that leads to several reports."""
    return _PAGES.get_template("index.html").render(reports=reports, measures=MEASURES)
