"""Segments side by side: which are shown, on what scale, and what is said of the others."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

from wellserved.measure import MeasureQuestion, Series, find_measure
from wellserved.moments import NotComputable, Period
from wellserved.render.charts.multiples import MAX_PANELS, segment_pictures


def series_of(values: dict[str, list[float | None]], name: str = "promise_kept") -> Series:
    """A measure by team and week; None: not computable. The teams have fewer cases one after the other."""
    rows = []
    for number, (team, course) in enumerate(values.items()):
        for week, value in enumerate(course):
            start = date(2026, 1, 5) + timedelta(weeks=week)
            period = Period(start, start + timedelta(weeks=1), f"2026-W{week + 2:02}")
            rows.append((period, team, 100 - number, NotComputable("too few") if value is None else value))
    periods, teams, n, column = (tuple(part) for part in zip(*rows, strict=True))
    question = MeasureQuestion((find_measure(name),), "team", "week")
    size = len(rows)
    return Series(
        find_measure(name), question, "UTC", 0, 1, periods, teams, (True,) * size, n, (None,) * size, (None,) * size, column,
        tuple(value if isinstance(value, NotComputable) else max(value - 0.1, 0) for value in column),
        tuple(value if isinstance(value, NotComputable) else min(value + 0.1, 1) for value in column), ("",) * size,
    )  # fmt: skip


def test_each_segment_has_a_chart_on_one_scale() -> None:
    (picture,) = segment_pictures(series_of({"north": [0.2, 0.4, 0.6], "south": [0.8, 0.8, 0.8]}))
    assert picture.caption.startswith("By team, 2026-W02 to 2026-W04, all on one scale")
    wide = str(picture.svg).split("</svg>")[0]
    assert wide.count('class="data"') == 2
    first, second = (
        re.findall(r"[ML]([\d.]+) ([\d.]+)", path) for path in re.findall(r'class="data" d="([^"]+)"', wide)
    )
    heights = {round(float(y), 1) for _x, y in second}
    assert len(heights) == 1  # 80% stays at one height
    assert float(first[0][1]) > float(first[1][1]) > float(first[2][1])  # 20% is lower on the page than 60%
    assert "2026-W04: 60.0%, 95% interval 50.0% to 70.0%, n = 100" in wide
    assert "<desc>north, n = 300, 2026-W04: 60.0%" in wide
    assert 'class="narrow"' in str(picture.svg)


def test_a_gap_stays_a_gap_and_a_segment_without_a_course_is_left_out() -> None:
    (picture,) = segment_pictures(
        series_of({"north": [0.2, None, 0.6], "south": [0.5, 0.5, 0.5], "west": [None, None, 0.9]})
    )
    wide = str(picture.svg).split("</svg>")[0]
    first, second = re.findall(r'class="data" d="([^"]+)"', wide)
    assert first.count("M") == 2
    assert second.count("M") == 1
    assert "2 of 3 segments: the others have no two periods with a number" in picture.caption


def test_large_segments_without_a_course_take_nobody_s_place() -> None:
    teams: dict[str, list[float | None]] = {f"large {number:02}": [None, 0.5] for number in range(MAX_PANELS)}
    assert segment_pictures(series_of({**teams, "north": [0.001, 0.002], "south": [0.003, None]})) == []
    (picture,) = segment_pictures(series_of({**teams, "north": [0.001, 0.002], "south": [0.003, 0.004]}))
    wide = str(picture.svg).split("</svg>")[0]
    assert "0.2%" in re.findall(r">([^<]+)</text>", wide)  # marks of small shares are told apart


def test_the_number_at_its_head_is_of_the_last_period() -> None:
    (picture,) = segment_pictures(series_of({"north": [0.2, 0.4, None], "south": [0.1, 0.1, 0.3]}))
    texts = re.findall(r">([^<]+)</text>", str(picture.svg).split("</svg>")[0])
    assert texts[texts.index("north") + 1] == "–"
    assert texts[texts.index("south") + 1] == "30.0%"


def test_those_with_the_most_cases_are_shown_and_the_rest_is_said() -> None:
    teams: dict[str, list[float | None]] = {f"team {number:02}": [0.1, 0.2] for number in range(MAX_PANELS + 8)}
    (picture,) = segment_pictures(series_of(teams))
    assert "12 of 20 segments, those with the most cases; the table holds all." in picture.caption
    wide = str(picture.svg).split("</svg>")[0]
    assert "team 11" in wide
    assert "team 12" not in wide


def test_one_segment_or_no_course_has_no_picture() -> None:
    assert segment_pictures(series_of({"north": [0.2, 0.4]})) == []
    assert segment_pictures(series_of({"north": [0.2], "south": [0.4]})) == []
    series = series_of({"north": [0.2, 0.4], "south": [0.1, 0.1]})
    assert segment_pictures(replace(series, periods=(None,) * len(series))) == []


def test_other_people_s_words_are_data() -> None:
    (picture,) = segment_pictures(series_of({"<script>x</script>": [0.2, 0.4], "south": [0.1, 0.1]}))
    assert "<script>" not in str(picture.svg)
    assert "&lt;script&gt;" in str(picture.svg)


def test_one_far_above_all_others_is_an_arrow_at_the_edge() -> None:
    course: dict[str, list[float | None]] = {"north": [2.0] * 40, "south": [*[3.0] * 39, 90.0]}
    (picture,) = segment_pictures(series_of(course, "time_to_resolution"))
    wide = str(picture.svg).split("</svg>")[0]
    assert wide.count("l4 6h-8Z") == 1
    assert "90 days" in wide  # its own words
    assert "90" not in re.findall(r">([\d,.]+)</text>", wide)  # the scale is that of the others
