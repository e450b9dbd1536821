"""The report: what it says, what it must never say, and the same numbers in every form."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from wellserved import cases
from wellserved.actions import questions
from wellserved.chart import compute_chart
from wellserved.engine import duckdb as engine
from wellserved.measure import MEASURES, MeasureQuestion, find_measure, series_records
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable, make_case_table
from wellserved.moments import NotComputable
from wellserved.render.formats import data, html, markdown, terminal
from wellserved.report import Report
from wellserved.report.assembly import make_report
from wellserved.report.segments import funnel, pareto
from wellserved.storage.workspace import Workspace

DAY = 86_400
START = 1_704_067_200  # 2024-01-01 UTC, a Monday


def made_cases(
    db: duckdb.DuckDBPyConnection,
    asked: np.ndarray[tuple[int], np.dtype[np.int64]],
    waits: np.ndarray[tuple[int], np.dtype[np.int64]],
    as_of: int,
) -> CaseTable:
    """A table of cases that were asked at these seconds and resolved so many seconds later, seen at as_of."""
    resolved = asked + waits
    done = resolved <= as_of
    db.execute("CREATE OR REPLACE TEMP TABLE raw_cases (i BIGINT, a BIGINT, r BIGINT)")
    values = ", ".join(
        f"({i}, {a}, {r if d else 'NULL'})" for i, (a, r, d) in enumerate(zip(asked, resolved, done, strict=True))
    )
    db.execute(f"INSERT INTO raw_cases VALUES {values}")
    given = {
        "source": "'made'", "case_id": "CAST(i AS VARCHAR)", "moments": "1", "asked_s": "a",
        "asked_day": "a // 86400", "asked_month": "year(to_timestamp(a)) * 100 + month(to_timestamp(a))",
        "resolution_secs": "r - a", "resolved_s": "r", "resolved_day": "r // 86400",
        "resolved_month": "year(to_timestamp(r)) * 100 + month(to_timestamp(r))",
        "closed": "CAST(r IS NOT NULL AS INTEGER)", "abandoned": "0", "resolutions": "CAST(r IS NOT NULL AS INTEGER)", "reopens": "0", "chases": "0", "contacts": "1",
        "handovers": "0", "promises": "0", "complaints": "0", "returns": "0", "accepts": "0", "failures": "0",
        "resolved_unknown": "0", "closed_first": "0", "due_first": "0", "last_s": "coalesce(r, a)",
    }  # fmt: skip
    columns = ", ".join(
        f"CAST({given.get(name, 'NULL')} AS {kind}) AS {name}" for name, kind in cases.CASE_TYPES.items()
    )
    db.execute(f"CREATE OR REPLACE TEMP TABLE made AS SELECT {columns} FROM raw_cases")
    return make_case_table(engine.DuckDB(db), "made", "UTC", 0, as_of=lambda: {"made": as_of})


def test_an_unchanged_process_with_open_cases_shows_no_gain_where_the_mean_over_resolved_cases_does() -> None:
    db, rng, naive, claimed, medians = engine.connect(), np.random.default_rng(20261121), [], 0, []
    runs, days = 40, 420
    as_of = START + days * DAY
    for _ in range(runs):
        asked = np.sort(START + (rng.uniform(0, days * DAY, 5 * days)).astype(np.int64))
        waits = (np.exp(np.log(11) + 0.6 * rng.standard_normal(len(asked))) * DAY).astype(np.int64)
        scope = made_cases(db, asked, waits, as_of)
        done, now = asked + waits <= as_of, asked >= as_of - 30 * DAY
        before = (asked >= as_of - 60 * DAY) & ~now
        naive.append(1 - waits[done & now].mean() / waits[done & before].mean())
        measure = find_measure("time_to_resolution")
        series = answer_question(scope, MeasureQuestion((measure,), granularity="month"))[measure.name]
        chart = compute_chart(series)
        last = max(place for place in range(len(series)) if chart.used[place])
        medians.append(float(chart.values[last]))
        claimed += any(
            one.verdict == "better" and one.last >= last for one in chart.signals if one.rule != "few_crossings"
        )
    figures = f"naive gain of 20% or more in {np.mean(np.array(naive) >= 0.2):.0%} of runs, mean {np.mean(naive):.0%}; "
    figures += f"chart signals better in {claimed / runs:.0%}; median of the last month {np.mean(medians):.1f} days"
    print(figures)
    assert np.mean(np.array(naive) >= 0.2) > 0.5, figures
    assert claimed / runs <= 0.15, figures
    assert np.mean(medians) == pytest.approx(11, abs=0.5), figures


def test_the_report_of_an_unchanged_process_calls_its_last_month_a_wobble() -> None:
    db, rng, days = engine.connect(), np.random.default_rng(4), 420
    asked = np.sort(START + rng.uniform(0, days * DAY, 5 * days).astype(np.int64))
    waits = (np.exp(np.log(11) + 0.6 * rng.standard_normal(len(asked))) * DAY).astype(np.int64)
    scope = made_cases(db, asked, waits, START + days * DAY)
    report = make_report(scope, "made", [], "test")
    found = [one for section in report.sections if section.key == "waits" for one in section.findings]
    (median,) = (
        one
        for one in found
        if one.measure and one.measure.name == "time_to_resolution" and "resolved within" in one.text
    )
    assert median.tone == "wobble"
    assert median.value == pytest.approx(11, abs=2)
    assert "previously" in median.small
    assert all(line.tone != "worse" for part in report.brief if part.key == "worse" for line in part.lines)


@pytest.fixture(scope="module")
def boston(samples: Workspace) -> Report:
    return questions.service_report(samples, "boston311")


def test_the_boston_page_states_lateness_agreement_and_what_the_citys_share_leaves_out(boston: Report) -> None:
    page = html.report_page(boston)
    assert "Of 19,716 closed cases with a target, 4,736 were closed late: 24.02%" in page
    assert "agrees with its dates on 19,688 of 19,716 of these: 99.86%" in page
    assert "This share leaves out what is overdue and still open" in page
    assert "2,848 promises are overdue and not delivered." in page
    assert "101001241634" in page, "the oldest open promise, by its number"


def test_no_sentence_claims_a_cause_or_an_improvement(samples: Workspace) -> None:
    banned = re.compile(r"\b(improv|because|due to|caused|thanks to|led to|result of|worsen)", re.I)
    for source in ("boston311", "servicenow", "cfpb"):
        report = questions.service_report(samples, source)
        said = [one.text for section in report.sections for one in section.findings]
        said += [line.sentence for part in report.brief for line in part.lines]
        assert said
        assert not [text for text in said if banned.search(text)]


def test_every_sentence_with_a_measure_has_its_n_and_its_definition_on_the_page(boston: Report) -> None:
    page = html.report_page(boston)
    named = [one for section in boston.sections for one in section.findings if one.measure and one.value is not None]
    assert len(named) > 6
    lines = [line for part in boston.brief for line in part.lines if line.measure]
    assert len(lines) >= 4
    assert all(f'id="def-{line.measure.name}"' in page for line in lines if line.measure)
    for one in named:
        assert one.n is not None
        assert f'id="def-{one.measure.name}"' in page if one.measure else False


def test_all_forms_hold_the_same_numbers(boston: Report, samples: Workspace) -> None:
    as_json = json.loads(data.as_json(data.report_data(boston)))
    as_csv = list(csv.DictReader(io.StringIO(data.series_csv(boston.series))))
    assert len(as_json["series"]) == len(as_csv) > 100
    for one, other in zip(as_json["series"], as_csv, strict=True):
        for name in ("value", "low", "high"):
            assert (repr(one[name]) if one[name] is not None else "") == other[name]
    promises = next(section for section in as_json["sections"] if section["key"] == "promises")
    late = next(one for one in promises["findings"] if one["measure"] == "closed_late")
    (series,) = questions.ask_measures(
        samples, MeasureQuestion((find_measure("closed_late"),), where=(("source", "boston311"),))
    )
    assert late["value"] == series.value[0] == 4736 / 19716
    for form in (
        markdown.report_text(boston),
        terminal.plain_text(terminal.report_lines(boston), 4000),
        html.report_page(boston),
    ):
        assert "24.02%" in form.replace("\\", "")


def test_the_first_screen_says_five_things_in_sentences_without_brackets(samples: Workspace) -> None:
    for source in ("boston311", "servicenow", "cfpb"):
        report = questions.service_report(samples, source)
        assert [part.key for part in report.brief] == ["worse", "better", "failed", "promised", "next"]
        for line in (line for part in report.brief for line in part.lines):
            assert line.sentence.endswith(".")
            assert not set("()[]") & set(line.sentence)
        assert all(part.lines for part in report.brief)
        assert sum(len(part.lines) for part in report.brief) <= 15


def test_the_brief_names_the_alarms_and_the_worst_part_of_the_city(boston: Report) -> None:
    lines = {part.key: part.lines for part in boston.brief}
    assert [line.number for line in lines["worse"]] == ["5,261 cases", "150.5 days"]
    assert lines["promised"][0].sentence == "1,223 of the 1,872 promises that fell due in December 2015 were kept."
    assert lines["failed"][1].sentence == "Only 7.4% of the promises of Unsafe Dangerous Conditions were kept."
    assert "95%" not in lines["worse"][0].small, "what was counted completely has no interval"
    assert "101001241634" in lines["next"][0].sentence


def test_a_period_without_a_number_is_no_change(samples: Workspace) -> None:
    """A run may pass over a period that holds too few cases: nothing is said of that period."""
    report = questions.service_report(samples, "cfpb", "month", date(2025, 9, 1))
    for part in report.brief[:2]:
        assert all("not computable" not in line.number for line in part.lines)


def test_every_chart_has_its_numbers_as_a_table(boston: Report) -> None:
    page = html.report_page(boston)
    pictures = sum(len(section.charts) + len(section.funnels) + len(section.paretos) for section in boston.sections)
    assert pictures >= 6
    assert page.count("Show the numbers") == page.count("<figure>") == pictures
    assert page.count("<svg") == 2 * pictures == page.count('role="img"') == page.count("<desc>")


def test_the_page_asks_nothing_of_anybody_else(boston: Report) -> None:
    page = html.report_page(boston)
    assert not re.findall(r'(?:src|href|action)="(?!#)[^"]*"', page)
    assert "<script" not in page
    assert " style=" not in page
    assert "url(" not in page


def test_a_record_without_due_times_replies_or_ratings_says_so(samples: Workspace) -> None:
    question = MeasureQuestion(tuple(MEASURES), where=(("source", "servicenow"),))
    found = {series.measure.name: series for series in questions.ask_measures(samples, question)}
    for name in ("promise_kept", "time_to_first_reply", "rating_mean", "complaint_rate"):
        value = found[name].value[0]
        assert isinstance(value, NotComputable)
        assert value.reason.startswith("the record holds no ")
        assert series_records(found[name])[0]["value"] is None


def test_the_funnel_flags_what_chance_cannot_explain() -> None:
    db, rng = engine.connect(), np.random.default_rng(8)
    sizes, shares = [400] * 20, [0.7] * 19 + [0.4]
    parts = [
        f"('t{i:02d}', {int(rng.binomial(n, p))}, {n})" for i, (n, p) in enumerate(zip(sizes, shares, strict=True))
    ]
    db.execute(f"CREATE TABLE t AS SELECT * FROM (VALUES {', '.join(parts)}) v(team, k, n)")
    db.execute(
        "CREATE TABLE c AS SELECT 'made' AS source, team, 0 AS asked_day, 0 AS scale, CASE WHEN g <= k THEN 1 ELSE 0 END AS source_kept "
        "FROM t, range(1, 401) r(g)"
    )
    scope = make_case_table(engine.DuckDB(db), "c", "UTC", 0, as_of=lambda: {"made": 0})
    series = answer_question(scope, MeasureQuestion((find_measure("promise_kept_by_source"),), by="team"))[
        "promise_kept_by_source"
    ]
    found = funnel(series, "team")
    assert not isinstance(found, NotComputable)
    assert found.rows[0].segment == "t19"
    assert found.rows[0].stands_out
    assert sum(row.stands_out for row in found.rows) <= 2, "19 of 20 do not differ"
    assert found.rows[0].excess < 0
    lies = pareto(series, "team")
    assert not isinstance(lies, NotComputable)
    assert lies.rows[0].segment == "t19"
    assert lies.total == sum(n - (k or 0) for n, k in zip(series.n, series.count, strict=True))


def test_a_report_needs_no_more_questions_than_it_has_answers(
    samples: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real_ask, real_stream = engine.DuckDB.query, engine.DuckDB.stream

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def counting(self: engine.DuckDB, sql: str, values: object = None) -> object:
            if not sql.endswith("LIMIT 1"):  # those end at the first case that they find
                asked.append(sql)
            return real(self, sql, values)

        return counting

    monkeypatch.setattr(engine.DuckDB, "query", counted(real_ask))
    monkeypatch.setattr(engine.DuckDB, "stream", counted(real_stream))
    questions.service_report(samples, "boston311")
    passes = len(asked)
    assert 50 < passes <= 150, f"{passes} passes over the cases"


def test_the_demo_writes_pages_that_lead_to_each_other(tmp_path: Path) -> None:
    from wellserved import demo
    from wellserved.progress import no_progress

    made = demo.run_demo(tmp_path, None, no_progress)
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert [one.page.name for one in made] == ["boston311.html", "servicenow.html", "cfpb.html"]
    for one in made:
        assert f'href="{one.page.name}"' in index
        assert one.receipt.rows_read == one.receipt.rows_loaded + one.receipt.rows_refused
