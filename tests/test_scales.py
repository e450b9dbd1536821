"""points10 and a workspace's own scales: what they say, what is refused, and that their meaning stays."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wellserved.actions.declarations import check_declarations
from wellserved.actions.imports import ImportResult, import_file
from wellserved.actions.questions import ask_measures
from wellserved.capture import capture
from wellserved.cli import app
from wellserved.errors import DamageError, MappingError, ScaleError
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.moments import NotComputable
from wellserved.scales import BUILT_IN, SCALES_FILE, USED_SCALES_FILE, Scale, keep_meaning, load_scales, parse_scales
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

START = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)
MAPPING = """
name = "{source}"
case = "case"
[[moment]]
kind = "asked"
at = "asked"
[[moment]]
kind = "rated"
at = "asked"
score = "score"
scale = "{scale}"
"""
SMILE = """
[smile4]
lowest = 1
highest = 4
good_from = 3
bad_to = 1
words = { Poor = 1, Fair = 2, Good = 3, Great = 4 }
"""
HALF = "[half]\nlowest = 1\nhighest = 5\ngood_from = 4\nhalves = true\n"
SCALES = {**BUILT_IN, **parse_scales(SMILE + HALF)}
MEASURES = ("rating_good", "rating_bad", "rating_net", "rating_mean")


def import_ratings(
    workspace: Workspace, scale: str, scores: list[str], source: str = "made", further_text: str = ""
) -> ImportResult:
    path = workspace.folder.parent / f"{source}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "asked", "score"])
        writer.writerows([f"{source}{number}", START.isoformat(), score] for number, score in enumerate(scores))
    text = MAPPING.format(source=source, scale=scale) + further_text
    mapping = parse_mapping(text, "made", load_scales(workspace.folder))
    return import_file(workspace, path, mapping, START + timedelta(days=400))


def refused_rows(imported: ImportResult) -> list[tuple[str, str]]:
    """Row and reason of all that lost its rating."""
    assert imported.refusals is not None
    rows = list(csv.DictReader(io.StringIO(imported.refusals.read_text(encoding="utf-8-sig"))))
    columns = list(rows[0])
    row, reason = (next(column for column in columns if column.endswith(suffix)) for suffix in ("row", "reason"))
    return [(refusal[row], refusal[reason]) for refusal in rows]


def values(
    workspace: Workspace, *names: str, where: tuple[tuple[str, str], ...] = ()
) -> dict[str, float | NotComputable]:
    series = ask_measures(workspace, MeasureQuestion(tuple(map(find_measure, names or MEASURES)), where=where))
    return {measure_series.measure.name: measure_series.value[0] for measure_series in series}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return create_workspace(tmp_path / "home", "UTC")


def declare(workspace: Workspace, text: str = SMILE) -> None:
    (workspace.folder / SCALES_FILE).write_text(text, encoding="utf-8")


def test_points_from_1_to_10(workspace: Workspace) -> None:
    """4 of 10 are good (9 or 10), 3 bad (up to 4); 0, 11 and 7.5 are no points."""
    imported = import_ratings(
        workspace, "points10", ["10", "9", "9", "10", "8", "7", "5", "4", "1", "2", "0", "11", "7.5"]
    )
    assert [row for row, _ in refused_rows(imported)] == ["12", "13", "14"]
    assert all(
        "no whole number from 1 to 10, as the scale points10 asks" in reason for _, reason in refused_rows(imported)
    )
    numbers = values(workspace)
    assert numbers["rating_good"] == 0.4
    assert numbers["rating_bad"] == 0.3
    assert numbers["rating_net"] == pytest.approx(10)
    assert numbers["rating_mean"] == pytest.approx(6.5)


def test_an_own_scale_is_measured_by_its_own_rule(workspace: Workspace) -> None:
    declare(workspace)
    imported = import_ratings(
        workspace,
        "smile4",
        ["Great", "good", "3", "4", " Good ", "Fair", "2", "poor", "1", "1", "5", "0", "Super", "2.5"],
    )
    assert [row for row, _ in refused_rows(imported)] == ["12", "13", "14", "15"]
    assert all(
        "is no whole number from 1 to 4, as the scale smile4 asks" in reason for _, reason in refused_rows(imported)
    )
    numbers = values(workspace)
    assert (numbers["rating_good"], numbers["rating_bad"]) == (0.5, 0.3)
    assert numbers["rating_net"] == pytest.approx(20)
    assert numbers["rating_mean"] == pytest.approx((4 + 3 + 3 + 4 + 3 + 2 + 2 + 1 + 1 + 1) / 10)
    result = CliRunner().invoke(
        app, ["measure", "rating_good", "--by", "scale", "-f", "json", "--home", str(workspace.folder)]
    )
    assert [(row["segment"], row["value"]) for row in json.loads(result.stdout) if row["value"] is not None] == [
        ("smile4", 0.5)
    ]


def test_what_is_bad_has_to_be_declared(workspace: Workspace) -> None:
    declare(workspace, SMILE.replace("bad_to = 1\n", ""))
    import_ratings(workspace, "smile4", ["3"] * 6 + ["1"] * 6)
    numbers = values(workspace)
    assert (numbers["rating_good"], numbers["rating_mean"]) == (0.5, 2.0)
    for name in ("rating_bad", "rating_net"):
        assert "add bad_to in scales.toml" in str(numbers[name])


def test_what_is_bad_can_be_declared_later_as_the_note_advises(workspace: Workspace) -> None:
    """No number rested on it; once there, it stays."""
    undeclared_text = SMILE.replace("bad_to = 1\n", "")
    declare(workspace, undeclared_text)
    import_ratings(workspace, "smile4", ["3"] * 6 + ["1"] * 6)
    assert "add bad_to in scales.toml" in str(values(workspace)["rating_bad"])
    declare(workspace)
    numbers = values(workspace)
    assert (numbers["rating_good"], numbers["rating_bad"]) == (0.5, 0.5)
    assert not list(check_declarations(workspace, False, lambda *_: None))
    import_ratings(workspace, "smile4", ["3"] * 2, "later")
    for other_text in (undeclared_text, SMILE.replace("bad_to = 1", "bad_to = 2")):
        declare(workspace, other_text)
        with pytest.raises(ScaleError, match="bad_to was 1 and is"):
            values(workspace)


def test_ratings_that_were_left_out_fix_no_meaning(workspace: Workspace) -> None:
    declare(workspace)
    imported = import_ratings(workspace, "smile4", ["9"] * 12)
    assert len(refused_rows(imported)) == 12
    import_ratings(workspace, "smile4", [""] * 3, "blank")
    assert not (workspace.folder / USED_SCALES_FILE).exists()
    declare(workspace, SMILE.replace("good_from = 3", "good_from = 4"))
    import_ratings(workspace, "smile4", ["3"], "right")
    assert json.loads((workspace.folder / USED_SCALES_FILE).read_text(encoding="utf-8"))["smile4"]["good_from"] == 4


def test_another_meaning_that_was_recorded_meanwhile_is_not_written_over(workspace: Workspace) -> None:
    """Two processes, which read scales.toml before and after it was changed."""
    early_scale = parse_scales(SMILE)["smile4"]
    late_scales = parse_scales(
        SMILE.replace("good_from = 3", "good_from = 4").replace("Great = 4", "Great = 4, Top = 4")
    )
    with workspace.write_lock() as scratch:
        keep_meaning(workspace.folder, scratch, late_scales.values())
        with pytest.raises(ScaleError, match=r"smile4: good_from was 4 and is 3.*a name of its own"):
            keep_meaning(workspace.folder, scratch, [early_scale])
        keep_meaning(workspace.folder, scratch, [*late_scales.values(), BUILT_IN["csat5"]])
    assert json.loads((workspace.folder / USED_SCALES_FILE).read_text(encoding="utf-8"))["smile4"]["good_from"] == 4


def test_halves_are_kept_where_they_are_declared(workspace: Workspace) -> None:
    declare(workspace, "[half5]\nlowest = 0.5\nhighest = 5\ngood_from = 3.5\nhalves = true\n")
    imported = import_ratings(workspace, "half5", ["0.5", "3.5", "3", "4.5", "5"] * 2 + ["4.25"])
    assert [row for row, _ in refused_rows(imported)] == ["12"]
    assert "no number, or a half, from 0.5 to 5" in refused_rows(imported)[0][1]
    assert values(workspace)["rating_good"] == 0.6


def test_scales_are_never_mixed(workspace: Workspace) -> None:
    declare(workspace)
    import_ratings(workspace, "smile4", ["3"] * 12, "first")
    import_ratings(workspace, "csat5", ["5"] * 6 + ["3"] * 6, "second")
    assert "several scales are never mixed" in str(values(workspace)["rating_mean"])
    assert values(workspace, where=(("scale", "smile4"),))["rating_mean"] == 3
    assert values(workspace, where=(("scale", "csat5"),))["rating_good"] == 0.5


def test_words_of_a_mapping_add_to_those_of_the_scale(workspace: Workspace) -> None:
    declare(workspace)
    imported = import_ratings(workspace, "smile4", ["Top", "Good", "Poor"], further_text="values = { Top = 4 }\n")
    assert imported.refusals is None
    with pytest.raises(MappingError, match=r"the score 9, which the scale smile4 does not have"):
        import_ratings(workspace, "smile4", ["1"], further_text="values = { Top = 9 }\n")
    with pytest.raises(MappingError, match=r"did you mean smile4.*declares its own in scales\.toml"):
        import_ratings(workspace, "smile5", ["1"])
    with pytest.raises(MappingError, match="takes a scale"):
        parse_mapping(MAPPING.format(source="x", scale="smile4"), "x")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("good_from = 3", "good_from = 4", "smile4: good_from was 3 and is 4"),
        ("bad_to = 1", "bad_to = 2", "smile4: bad_to was 1 and is 2"),
        ("bad_to = 1\n", "", "smile4: bad_to was 1 and is not given"),
        ("highest = 4", "highest = 5", "smile4: highest was 4 and is 5"),
        ("lowest = 1", "lowest = 0", "smile4: lowest was 1 and is 0"),
        ("bad_to = 1", "bad_to = 1\nhalves = true", "smile4: halves was false and is true"),
        ("Good = 3", "Good = 4", "smile4: the word 'Good' stood for 3"),
        ("Fair = 2, ", "", "smile4: the word 'Fair' stood for 2"),
        (SMILE, "", "smile4 is gone"),
        (SMILE, SMILE.replace("smile4", "smiles"), "smile4 is gone"),
    ],
)
def test_the_meaning_of_a_scale_stays_once_ratings_rest_on_it(
    workspace: Workspace, before: str, after: str, message: str
) -> None:
    declare(workspace)
    assert not (workspace.folder / USED_SCALES_FILE).exists()
    import_ratings(workspace, "smile4", ["3"] * 12)
    assert before in SMILE
    declare(workspace, SMILE.replace(before, after))
    for action in (
        lambda: values(workspace),
        lambda: import_ratings(workspace, "csat5", ["3"], "other"),
        lambda: load_scales(workspace.folder),
    ):
        with pytest.raises(ScaleError) as error:
            action()
        assert message in str(error.value)
        assert "under a name of its own" in str(error.value)
    assert any(message in finding.problem for finding in check_declarations(workspace, False, lambda *_: None))
    declare(workspace)
    assert values(workspace)["rating_good"] == 1


def test_before_the_first_rating_a_scale_may_change_and_words_may_come_later(workspace: Workspace) -> None:
    declare(workspace)
    import_ratings(workspace, "csat5", ["3"] * 3, "other")
    declare(workspace, SMILE.replace("good_from = 3", "good_from = 4"))
    import_ratings(workspace, "smile4", ["3"] * 6 + ["4"] * 6)
    assert values(workspace, "rating_good", where=(("scale", "smile4"),))["rating_good"] == 0.5
    extended_text = SMILE.replace("good_from = 3", "good_from = 4").replace("Great = 4", "Great = 4, Superb = 4")
    declare(workspace, extended_text + "\n[other2]\nlowest = 0\nhighest = 1\ngood_from = 1\n")
    imported = import_ratings(workspace, "smile4", ["superb"] * 2, "more")
    assert imported.refusals is None
    assert (
        json.loads((workspace.folder / USED_SCALES_FILE).read_text(encoding="utf-8"))["smile4"]["words"]["Superb"] == 4
    )
    assert "other2" not in json.loads((workspace.folder / USED_SCALES_FILE).read_text(encoding="utf-8"))


def test_ratings_on_a_scale_that_nobody_declares_give_no_number(workspace: Workspace) -> None:
    """As where a log was brought from elsewhere without its declarations."""
    declare(workspace)
    import_ratings(workspace, "smile4", ["3"] * 12)
    for name in (SCALES_FILE, USED_SCALES_FILE):
        (workspace.folder / name).unlink()
    assert "what is good on the scale 'smile4' is declared nowhere" in str(values(workspace)["rating_good"])
    assert values(workspace, "asked")["asked"] == 12


MISTAKES = {
    "no table": ("smile4 = 3", "write [smile4] above its settings"),
    "a known name": (SMILE.replace("smile4", "csat5"), "csat5: this scale is known already"),
    "a long name": (SMILE.replace("smile4", "smiles_of_four"), "up to 10 small letters"),
    "a large letter": (SMILE.replace("smile4", "Smile"), "up to 10 small letters"),
    "nothing": ("[smile4]", "lowest and highest and good_from are missing"),
    "an unknown setting": (SMILE + "colour = 1\n", "smile4: 'words' is not known"),
    "words for numbers": (SMILE.replace("lowest = 1", 'lowest = "one"'), "lowest takes a number"),
    "true for a number": (SMILE.replace("lowest = 1", "lowest = true"), "lowest takes a number"),
    "endless": (SMILE.replace("highest = 4", "highest = inf"), "highest takes a number"),
    "astronomic": (SMILE.replace("highest = 4", "highest = 4" + "0" * 400), "highest takes a number up to 10,000"),
    "beyond writing": (SMILE.replace("lowest = 1", "lowest = 0x1" + "0" * 5_000), "not 'a number of thousands of digits'"),
    "no number": (SMILE.replace("lowest = 1", "lowest = nan"), "lowest takes a number"),
    "an astronomic word": (SMILE.replace("Poor = 1", "Poor = 1" + "0" * 400), "is not on the scale"),
    "upside down": (SMILE.replace("highest = 4", "highest = 0"), "lowest (1) is not below highest (0)"),
    "too wide": ("[a]\nlowest = 0\nhighest = 500\ngood_from = 400", "it runs over 500 points"),
    "good beyond": (SMILE.replace("good_from = 3", "good_from = 5"), "good_from = 5 is not a whole number from 1 to 4"),
    "good between": (SMILE.replace("good_from = 3", "good_from = 2.5"), "good_from = 2.5 is not a whole number"),
    "all good": (SMILE.replace("good_from = 3", "good_from = 1"), "every rating would be good"),
    "bad beside good": (SMILE.replace("bad_to = 1", "bad_to = 3"), "bad_to (3) is not below good_from (3)"),
    "halves of what": (SMILE + "halves = 1\n", "halves takes true or false"),
    "a word off the scale": (SMILE.replace("Poor = 1", "Poor = 9"), "the word 'Poor' stands for 9, which is not on the scale"),
    "a word twice": (SMILE.replace("Poor = 1", "good = 1"), "stands for two scores"),
    "an empty word": (SMILE.replace("Poor = 1", '" " = 1'), "a word is empty"),
    "words of words": (SMILE.replace("Poor = 1", 'Poor = "one"'), "the word 'Poor' stands for one"),
    "no TOML": ("[smile4", "is not valid TOML"),
    "fifty more": ("".join(f"[s{n}]\nlowest = 1\nhighest = 2\ngood_from = 2\n" for n in range(51)), "there are 51 scales"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_declaration_is_refused_whole_and_says_what_is_wrong(mistake: str) -> None:
    text, message = MISTAKES[mistake]
    if mistake == "an unknown setting":
        text, message = SMILE.replace("good_from = 3", "good_from = 3\ncolour = 1"), "'colour' is not known"
    with pytest.raises(ScaleError) as error:
        parse_scales(text)
    assert message in str(error.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ScaleError) as error:
        parse_scales("[csat5]\nlowest = 1\n[b]\nlowest = 3\nhighest = 1\ngood_from = 2\nx = 1\n")
    for mistake in (
        "csat5: this scale is known already",
        "highest and good_from are missing",
        "b: 'x' is not known",
        "b: lowest (3)",
    ):
        assert mistake in str(error.value)


def test_a_kept_meaning_that_cannot_be_read_is_told(workspace: Workspace) -> None:
    declare(workspace)
    import_ratings(workspace, "smile4", ["3"] * 3)
    facts = json.loads((workspace.folder / USED_SCALES_FILE).read_text(encoding="utf-8"))["smile4"]
    wrong_settings: tuple[dict[str, object], ...] = (
        {"lowest": "x"},
        {"highest": None},
        {"good_from": True},
        {"bad_to": []},
        {"halves": 1},
        {"words": {"A": "b"}},
    )
    damaged_texts = [json.dumps({"smile4": {**facts, **settings}}) for settings in wrong_settings]
    for text in ("{", "[]", '{"smile4": {}}', '{"smile4": 3}', "[" * 100_000, *damaged_texts):
        (workspace.folder / USED_SCALES_FILE).write_text(text, encoding="utf-8")
        with pytest.raises(DamageError, match=r"scales-used\.json is damaged.*backup"):
            load_scales(workspace.folder)
        (finding,) = check_declarations(workspace, False, lambda *_: None)
        assert "scales-used.json is damaged" in finding.problem
    assert "words of 'smile4' cannot be that of a scale" in finding.problem


def test_a_killed_import_leaves_no_meaning_without_its_draft(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meaning is on disk before the ratings are: never ratings without it."""
    declare(workspace)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log, "append", interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_ratings(workspace, "smile4", ["3"] * 3)
    assert json.loads((workspace.folder / USED_SCALES_FILE).read_text(encoding="utf-8"))["smile4"]["good_from"] == 3


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("thanks: Acme likes it, smile4 4", (None, 4, "smile4")),
        ("thanks: Acme likes it, smile4: Great", (None, 4, "smile4")),
        ("thanks: smile4 poor work", (None, 1, "smile4")),
        ("thanks: Smile4 = no", (None, None, None)),
        ("thanks: smile4 5 of them", (None, None, None)),
        ("gap: expected 3 got 2 smile4", (3, 2, "smile4")),
        ("gap: expected 9 got 2 smile4", (None, None, None)),
        ("thanks: points10 8", (None, 8, "points10")),
        ("thanks: points10 0", (None, None, None)),
        ("thanks: csat5 4", (None, 4, "csat5")),
        ("thanks: rated 8/10", (None, 8, "nps10")),
        ("thanks: nps 9", (None, 9, "nps10")),
        ("thanks: xsmile4 4", (None, None, None)),
        ("thanks: 4 smiles", (None, None, None)),
        ("gap: expected points10 9 got 6", (9, 6, "points10")),
        ("gap: expected points10 9 got points10 6", (9, 6, "points10")),
        ("gap: expected 9 points10 got 6 points10", (9, 6, "points10")),
        ("gap: expected nps 9 got nps 6", (9, 6, "nps10")),
        ("expected smile4 Great got smile4 Poor", (4, 1, "smile4")),
        ("expected Great, but got Poor, smile4", (4, 1, "smile4")),
        ("expected half 4,5 got half 3", (4.5, 3, "half")),
        ("expected 9 got 1,200 boxes", (None, None, None)),
        ("expected a visit, got 4 stars smile4 2", (None, None, None)),  # what was expected is not known
        ("expected by Friday. Acme got angry, nps 2", (None, 2, "nps10")),
        ("thanks: rated 8/10 points10", (None, 8, "points10")),
        ("thanks: rated 8/10 nps10", (None, 8, "nps10")),
        ("gap: expected 9/10 got 6/10 points10", (9, 6, "points10")),
        ("thanks: rated 4/5 half", (None, 4, "half")),
        ("thanks: smile4 3/4", (None, 3, "smile4")),
        ("thanks: points10 8/10", (None, 8, "points10")),
        ("thanks: nps 9/10", (None, 9, "nps10")),
        ("thanks: stars5 4,5", (None, 4.5, "stars5")),
        ("thanks: stars5 4.5", (None, 4.5, "stars5")),
        ("thanks: stars5 4, 5 boxes", (None, 4, "stars5")),
        ("thanks: stars5 4,000 km", (None, None, None)),
        ("thanks: 4,5 stars", (None, 4.5, "stars5")),
    ],
)
def test_a_line_gives_a_score_after_the_name_of_its_scale(line: str, expected: tuple[object, ...]) -> None:
    entry = capture(line, START, scales=SCALES)
    assert (entry.expected, entry.score, entry.scale) == expected
    assert entry.questions == ()
    assert entry.word == "gap" or not line.startswith("expected smile4")


@pytest.mark.parametrize(
    ("line", "readings"),
    [
        ("thanks: rated 4/5 points10", ["points10 4", "csat5 4"]),
        ("thanks: points10 4/5", ["points10 4", "csat5 4"]),
        ("thanks: smile4 9/10", ["nps10 9"]),
        ("gap: expected 4/5 got 3/5 points10", ["expected points10 4 got 3", "expected csat5 4 got 3"]),
        ("gap: expected 9/10 got 6/10 half", ["expected nps10 9 got 6"]),
        ("expected points10 9 got nps10 6", ["expected points10 9 got 6", "expected nps10 9 got 6"]),
        ("gap: expected 9.5/10 got 6", ["expected nps10 9 got 6", "expected nps10 10 got 6"]),
        ("thanks: smile4 3.5", ["smile4 3", "smile4 4"]),
        ("thanks: nps10 6.5", ["nps10 6", "nps10 7"]),
        ("thanks: nps 6,5", ["nps10 6", "nps10 7"]),
        ("thanks: stars5 4,55", ["stars5 4.5", "stars5 5"]),
        ("thanks: rated 4.5/5", ["stars5 4.5", "csat5 4", "csat5 5"]),
    ],
)
def test_a_score_that_its_scale_does_not_have_is_asked(line: str, readings: list[str]) -> None:
    entry = capture(line, START, scales=SCALES)
    assert (entry.expected, entry.score, entry.scale) == (None, None, None)
    (question,) = entry.questions
    assert list(question.readings) == readings
    for reading in readings:
        reread_entry = capture(question.apply_reading(entry.text, reading), START, scales=SCALES)
        assert reread_entry.questions == ()
        assert reread_entry.scale == next(name for name in SCALES if name in reading)


@pytest.mark.parametrize("output_format", ["text", "md", "json", "csv", "html"])
def test_the_scales_are_listed(workspace: Workspace, output_format: str) -> None:
    declare(workspace)
    home = ["-f", output_format, "--home", str(workspace.folder)]
    result = CliRunner().invoke(app, ["scales", *home])
    assert result.exit_code == 0, result.output
    output = result.stdout.replace("\\", "")
    assert all(name in output for name in (*BUILT_IN, "smile4"))
    if output_format in ("text", "md"):
        with_measures = CliRunner().invoke(app, ["measures", *home]).stdout
        assert "smile4" in with_measures
        assert "rating_good" in with_measures.replace("\\", "")
        (workspace.folder / SCALES_FILE).unlink()
        assert "Scales of ratings" not in CliRunner().invoke(app, ["measures", *home]).stdout


def test_known_scales_are_what_they_were() -> None:
    """Every known scale's borders lie on it, and bad and good do not meet."""
    for scale in BUILT_IN.values():
        assert scale.bad_border is not None
        assert all(map(scale.has_score, (scale.lowest, scale.highest, scale.good_border, scale.bad_border)))
        assert (scale.bad_border > scale.good_border) == scale.low_is_good
    assert not Scale("x", 1, 5, 4, 2).has_score(4.5)
    assert Scale("x", 1, 5, 4, 2, whole_numbers=False).has_score(4.5)
