"""A measure says all of itself: what is done with it hangs on its fields, never on what it is called."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import prove_house
from wellserved.actions.open_cases import open_case_table, opening_hours
from wellserved.chart import usual_kind
from wellserved.measure import MEASURES, Measure, MeasureQuestion
from wellserved.measure.assembly import answer_question
from wellserved.measure.series import Series
from wellserved.measure.vendor_rules import VENDOR_RULES, vendor_rules_of
from wellserved.moments import Granularity, NotComputable
from wellserved.prove.observe import observe_measure
from wellserved.prove.window import AnalysisWindow
from wellserved.storage.workspace import Workspace

SOURCE = Path(__file__).resolve().parents[2] / "src" / "wellserved"
SQL_TEXTS = {"event", "value", "population", "waiting", "since", "formula", "needs", "counted", "exclusions"}
TWIN = "a name that says nothing"


def other_name(measure: Measure, number: int) -> Measure:
    return replace(measure, name=f"{TWIN} {number}", question=TWIN, formula=TWIN)


def readable(series: Series) -> list[object]:
    """Everything but names: periods, numbers, bounds and reasons."""
    columns = zip(
        series.periods, series.segments, series.n, series.count, series.value, series.low, series.high, strict=True
    )
    return [[value.reason if isinstance(value, NotComputable) else value for value in row] for row in columns]


@pytest.mark.parametrize(("granularity", "by"), [(None, None), ("month", None), (None, "team"), (None, "scale")])
def test_a_measure_by_another_name_gives_the_same_numbers(
    samples: Workspace, granularity: Granularity | None, by: str | None
) -> None:
    renamed = tuple(other_name(measure, number) for number, measure in enumerate(MEASURES))
    with open_case_table(samples, keep_in_memory=True) as case_table:
        question = MeasureQuestion(MEASURES, by=by, granularity=granularity)
        answers = answer_question(case_table, question)
        twin_answers = answer_question(case_table, replace(question, measures=renamed))
    for measure, twin in zip(MEASURES, renamed, strict=True):
        series, series_of_twin = answers[measure.name], twin_answers[twin.name]
        assert readable(series_of_twin) == readable(series), measure.name
        assert usual_kind(series_of_twin) == usual_kind(series), measure.name


def test_mixed_scales_are_refused_under_any_name(samples: Workspace) -> None:
    """What is good on one scale and what is good on another are no one share."""
    refusing = [measure for measure in MEASURES if measure.single_scale]
    assert {"rating_good", "rating_bad", "rating_net", "rating_mean"} <= {measure.name for measure in refusing}
    rated = [measure for measure in MEASURES if "score" in measure.value or "{good}" in measure.event + measure.value]
    assert all(measure.single_scale or "ces5" in measure.population for measure in rated)


def test_a_measure_by_another_name_is_proved_alike(tmp_path: Path) -> None:
    workspace = prove_house.house(tmp_path, "honest")
    change = prove_house.CHANGE
    kinds = {
        (
            measure.kind,
            measure.anchor,
            measure.adds_up,
            measure.reads_business_now,
            measure.calendar_twin is None,
        ): measure
        for measure in MEASURES
    }
    for number, measure in enumerate(kinds.values()):
        pair = []
        for candidate in (measure, other_name(measure, number)):
            with open_case_table(workspace, with_moments=True) as case_table:
                window = AnalysisWindow(case_table, "moments", opening_hours(workspace), change, "week")
                pair.append(observe_measure(window, candidate, ()))
        series, series_of_twin = pair
        assert (series_of_twin.reason, series_of_twin.age_days) == (series.reason, series.age_days), measure.name
        assert np.array_equal(series_of_twin.model_input.total, series.model_input.total, equal_nan=True), measure.name


def test_vendors_rules_are_found_by_the_wait_not_by_the_measure_s_name() -> None:
    families = {measure.wait_family for measure in MEASURES if measure.wait_family}
    assert {rule.measure for rule in VENDOR_RULES} <= families
    for number, measure in enumerate(MEASURES):
        if measure.wait_family in {rule.measure for rule in VENDOR_RULES}:
            assert vendor_rules_of(other_name(measure, number)) == vendor_rules_of(measure)


def test_fields_say_what_the_sql_says() -> None:
    """What a field repeats of the text has to be true of it."""
    for measure in MEASURES:
        assert measure.needs_bad == ("{bad}" in measure.event + measure.value), measure.name
        assert measure.reads_business_now == ("{as_of_bus}" in measure.event + measure.population), measure.name
        if measure.kind == "wait":
            assert measure.adds_up == (measure.since not in {"asked_s", "clock_from", "due_s"}), measure.name
        twin = measure.calendar_twin
        assert twin is None or (measure.clock, twin.clock, twin.quantile) == ("business", "calendar", measure.quantile)


def is_text_of_measure(node: ast.AST) -> bool:
    """`measure.name`, `question.measure.event` and the like."""
    if not isinstance(node, ast.Attribute) or node.attr not in {"name", *SQL_TEXTS}:
        return False
    owner = node.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name == "measure"


def looks_into_text(node: ast.AST) -> bool:
    """The text is compared with words of the code, or cut by them."""
    if isinstance(node, ast.Compare):
        inner = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
        words = [
            part for part in inner if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value
        ]
        return any(map(is_text_of_measure, inner)) and bool(words)
    cuts = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "split"}
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in cuts
        and is_text_of_measure(node.func.value)
    )


def test_no_code_hangs_on_a_measure_s_name_or_on_its_text() -> None:
    for example in ('measure.name == "x"', '"{as_of}" in measure.event + a', 'measure.name.removeprefix("x_")'):
        assert any(map(looks_into_text, ast.walk(ast.parse(example)))), example
    places = [
        f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if looks_into_text(node)
    ]
    assert places == []
