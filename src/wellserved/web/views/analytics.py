"""Measures, cases, improvements, service reports and the data they come from: the same numbers as everywhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from csp.constants import NONE, UNSAFE_INLINE
from csp.decorators import csp
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext_noop

from wellserved.actions import case_lists, filter_choices, rendering, team_numbers
from wellserved.actions.customer_worth import worths_of_owners
from wellserved.actions.exploration_pages import EXPLORATIONS, exploration_page
from wellserved.measure import SUBJECTS, MeasureQuestion, find_measure
from wellserved.measure.series import FILTER_COLUMNS
from wellserved.render.charts.svg import draw_sparkline
from wellserved.render.formats import html
from wellserved.web.access_middleware import person_of, required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records, known_answer
from wellserved.web.query_parameters import GRANULARITIES, day_in, granularity_in, question_in
from wellserved.web.template_filters import safe_html

FAVOURITES = gettext_noop("Favourites")


def _question(request: HttpRequest, name: str) -> MeasureQuestion:
    """The question on a page, where whoever asks may ask it."""
    question = question_in(request.GET, name)
    scope_of(request).require_numbers(question.by, question.conditions)
    return question


@required_permission("read_measures")
def measures(request: HttpRequest) -> HttpResponse:
    """All measures by what they ask, each with its latest month once that is worked out; what is not on record at the end."""
    is_fragment, is_empty = bool(request.headers.get("X-Fragment")), not has_records()
    answer = cached_answer if is_fragment else known_answer
    numbers = None if is_empty else answer(team_numbers.all_numbers)
    context = {
        "empty": is_empty,
        "waiting": numbers is None and not is_empty,
        "explorations": EXPLORATIONS,
        **_measure_list(numbers or {}, person_of(request).favourites),
    }
    return render(request, "measure_list.html" if is_fragment else "measures.html", context)


def _measure_list(numbers: Mapping[str, team_numbers.TeamNumber | str], favourites: Sequence[str]) -> dict[str, object]:
    """Measures with their numbers, one's favourites first, the others by subject; those that the record cannot answer, by the reason."""
    subjects, silent = [], defaultdict(list)
    by_name = {measure.name: measure for measures in SUBJECTS.values() for measure in measures}
    own = {FAVOURITES: [by_name[name] for name in favourites if name in by_name]}
    by_subject = {
        subject: [measure for measure in measures if measure.name not in favourites]
        for subject, measures in SUBJECTS.items()
    }
    for subject, names in (own | by_subject).items():
        rows = []
        for measure in names:
            number = numbers.get(measure.name)
            if isinstance(number, str):
                silent[number].append(measure)
            else:
                spark = draw_sparkline(number.course, number.usual) if number else ""
                rows.append({"measure": measure, "number": number, "spark": spark})
        if rows:
            subjects.append((subject, rows))
    return {"subjects": subjects, "silent": sorted(silent.items(), key=lambda item: -len(item[1]))}


@required_permission("read_measures")
def measure(request: HttpRequest, name: str) -> HttpResponseBase:
    """One measure over any filter: a chart where there are periods, and always its table."""
    form = request.GET.get("format", "html")
    question = _question(request, name)
    if form in ("csv", "json"):
        text = cached_answer(rendering.measure_text, question, form)
        return HttpResponse(text, content_type="text/csv; charset=utf-8" if form == "csv" else "application/json")
    page = cached_answer(rendering.measure_page, question)
    context = {
        "name": name, "page": safe_html(page), "question": question, "filters": FILTER_COLUMNS, "every": GRANULARITIES, "asked": request.GET.urlencode(),
        "cases": scope_of(request).case_filter() is not None, "is_favourite": name in person_of(request).favourites, **_choices(request, question),
    }  # fmt: skip
    return render(request, "measure.html", context)


def _choices(request: HttpRequest, question: MeasureQuestion) -> dict[str, object]:
    """What the question can be narrowed to, and which of it is chosen; spans as addresses."""
    choices = cached_answer(filter_choices.filter_choices)
    conditions = [f"{column}={value}" for column, value in question.where]
    listed = {f"{column}={value}" for column, values in choices.values.items() for value, _cases in values}
    spans = []
    for name, since, until in choices.spans([value for column, value in question.where if column == "source"]):
        parameters = request.GET.copy()
        for key, day in (("since", since), ("until", until)):
            parameters.pop(key, None)
            if day is not None:
                parameters[key] = day.isoformat()
        spans.append((name, parameters.urlencode(), (since, until) == (question.since, question.until)))
    return {
        "choices": choices.values,
        "chosen": [*conditions, ""],
        "unlisted": set(conditions) - listed,
        "spans": spans,
    }


@required_permission("read_cases")
def cases(request: HttpRequest, name: str) -> HttpResponse:
    """The cases behind a number, newest first."""
    question = _question(request, name)
    case_list = cached_answer(case_lists.cases_behind, _visible_cases_question(request, question))
    worths = worths_of_owners(scope_of(request), case_list.owners)
    context = {
        "found": case_list, "name": name, "question": question, "rows": list(zip(case_list.rows, worths, strict=True)), "has_worth": any(worths),
    }  # fmt: skip
    return render(request, "cases.html", context)


def _visible_cases_question(request: HttpRequest, question: MeasureQuestion) -> MeasureQuestion:
    """The question about those cases alone that somebody can see one by one."""
    case_filter = scope_of(request).case_filter()
    if case_filter is None:
        raise Http404
    for column, value in case_filter:
        column_conditions = [condition for condition in question.where if condition[0] == column]
        if column_conditions and (column, value) not in column_conditions:
            raise Http404
        question = replace(
            question, where=(*(condition for condition in question.where if condition[0] != column), (column, value))
        )
    return question


@required_permission("read_cases")
def case(request: HttpRequest, name: str, source: str, case_id: str) -> HttpResponse:
    """What each vendor's rule counts of one case."""
    question = _visible_cases_question(request, MeasureQuestion((find_measure(name),), where=(("source", source),)))
    tables = cached_answer(case_lists.explanation_tables, name, source, case_id, question.where)
    page, worth = html.tables_page(case_id, tables, layout=html.BARE_LAYOUT), None
    if scope_of(request).sees_worth:
        owners = cached_answer(case_lists.cases_behind, question, case_id).owners
        worth = next(iter(worths_of_owners(scope_of(request), owners)), None)
    return render(request, "bare.html", {"title": case_id, "page": safe_html(page), "worth": worth})


@required_permission("read_measures")
@csp({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": ["data:"]})  # type: ignore[arg-type]
def service_report(request: HttpRequest, source: str) -> HttpResponseBase:
    """The service report of the last period that is over, as a page of its own."""
    form = request.GET.get("format", "html")
    granularity = granularity_in(request.GET)
    content = cached_answer(rendering.render_report, source, granularity, day_in(request.GET, "period"), form)
    kinds = {"html": "text/html", "csv": "text/csv", "json": "application/json"}
    return HttpResponse(content, content_type=f"{kinds[form]}; charset=utf-8")


@required_permission("read_measures")
def explore(request: HttpRequest, name: str) -> HttpResponse:
    """Look closer: promises, hand-overs, the queue, drivers of ratings, gaps, a shift; nothing here says "improved"."""
    if name not in EXPLORATIONS:
        raise Http404
    question = _question(request, "time_to_resolution")
    context = {
        "name": name, "exploration": EXPLORATIONS[name], "explorations": EXPLORATIONS, "filters": FILTER_COLUMNS, "question": question,
        "page": safe_html(cached_answer(exploration_page, name, question)), "where": [f"{column}={value}" for column, value in question.where],
    }  # fmt: skip
    return render(request, "explore.html", context)
